package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/cli"
)

// TestInterruptWhileStdinIsSilent interrupts commands that wait for more.
func TestInterruptWhileStdinIsSilent(t *testing.T) {
	for line, want := range map[string]int{"scan stdin": 130, "redact": 130, "gitleaks stdin": 1} {
		ctx, cancel := context.WithCancel(context.Background())
		in, more := io.Pipe()
		var out, said bytes.Buffer
		done := make(chan int)
		go func() {
			env := cli.Env{Stdin: in, Stdout: &out, Stderr: &said, Getenv: func(string) string { return "" }, Version: "test", Name: "keephold"}
			done <- cli.Run(ctx, env, strings.Fields(line))
		}()
		if _, err := io.WriteString(more, "password = q1w2e3r4t5z6\n"); err != nil {
			t.Fatal(err)
		}
		cancel()
		if code := <-done; code != want {
			t.Errorf("%s: exit code %d, want %d\n%s", line, code, want, said.String())
		}
		if strings.Contains(out.String(), "q1w2e3r4t5z6") && line == "redact" {
			t.Errorf("%s: the value stands in %q", line, out.String())
		}
	}
}
