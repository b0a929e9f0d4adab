//go:build unix

package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// loadStart builds the command as a release is built and measures the time from its start to its first answer.
func loadStart(b *testing.B) {
	bin := filepath.Join(b.TempDir(), "keephold")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "github.com/keephold/keephold/cmd/keephold")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(bin)
	if err != nil {
		b.Fatal(err)
	}
	for _, scene := range []struct {
		label string
		args  []string
	}{{"keephold dev", nil}, {"keephold dev --store", []string{"--store", filepath.Join(b.TempDir(), "keep")}}} {
		var took series
		for range rounds() {
			took = append(took, startToAnswer(b, bin, scene.args))
		}
		fmt.Printf("%-34s %8.0f ms to the first answer\n", scene.label, took.median())
	}
	fmt.Printf("%-34s %8.1f MiB\n", "stripped binary", float64(info.Size())/(1<<20))
}

// startToAnswer is in milliseconds. The end of the server is not part of it.
func startToAnswer(b *testing.B, bin string, args []string) float64 {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that nobody has
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, append([]string{"dev", "--listen", addr}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { kill(); _ = cmd.Wait() }()
	for time.Since(start) < 10*time.Second {
		if r, err := http.Get("http://" + addr + "/v1/sys/health"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return float64(time.Since(start).Microseconds()) / 1000
			}
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatal("no answer in 10 s")
	return 0
}
