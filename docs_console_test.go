//go:build unix

package house_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The ```console blocks of the documents are run: every line that starts with "$ " is a command, "> " continues it, and the
// lines below are what it prints. In those, "…" stands for anything within a line, and a line of only "…" for any lines. A
// command without such lines is only required to succeed. A command that ends in "&" runs to the end of its document, and
// its lines are waited for.
//
// All blocks of a document share one shell. README.md runs in the root of the repository, the others in an empty
// directory; all find a freshly built keephold first in PATH. A block is left out by a comment with the reason on the
// line before it: <!-- not run: REASON -->, or <!-- not run until COMMAND: REASON -->, which is refused in CI as soon as
// `keephold COMMAND --help` prints something.

type block struct {
	doc      string
	line     int
	until    string // "" or a command of keephold
	reason   string // why it is not run; "" when it is
	commands []command
}

type command struct {
	line int
	text string
	want []string
}

func (c command) behind() bool { return strings.HasSuffix(strings.TrimSpace(c.text), "&") }

func TestConsoleBlocks(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	bin := ""
	if testing.Short() {
		docs = nil // the whole run has them; the programs that they start are the same ones
	}
	for _, doc := range append([]string{"README.md", "CONTRIBUTING.md"}, docs...) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := parseBlocks(doc, string(text))
		if err != nil {
			t.Error(err)
		}
		if len(blocks) == 0 {
			continue
		}
		if bin == "" {
			bin = buildKeephold(t)
		}
		t.Run(doc, func(t *testing.T) {
			dir := t.TempDir()
			if doc == "README.md" {
				dir = "."
			}
			for _, offence := range checkBlocks(t, blocks, dir, bin) {
				t.Error(offence)
			}
		})
	}
}

func buildKeephold(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/keephold").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func checkBlocks(t *testing.T, blocks []block, dir, bin string) (offences []string) {
	var run []block
	for _, b := range blocks {
		if b.reason == "" {
			run = append(run, b)
			continue
		}
		t.Logf("%s:%d: not run: %s", b.doc, b.line, b.reason)
		if b.until == "" || os.Getenv("KEEPHOLD_CI") == "" {
			continue
		}
		out, err := exec.Command(filepath.Join(bin, "keephold"), append(strings.Fields(b.until), "--help")...).CombinedOutput()
		if err == nil && len(out) > 0 {
			offences = append(offences, fmt.Sprintf("%s:%d: keephold %s is there: remove the comment, so that the block is run", b.doc, b.line, b.until))
		}
	}
	if len(run) > 0 {
		offences = append(offences, runBlocks(run, dir, bin, t.TempDir())...)
	}
	return offences
}

var notRun = regexp.MustCompile(`^<!-- not run(?: until ([a-z -]+))?: (.+) -->$`)

func parseBlocks(doc, text string) (blocks []block, err error) {
	var cur *block
	previous := ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case cur == nil && strings.TrimSpace(line) == "```console":
			cur = &block{doc: doc, line: i + 1}
			if m := notRun.FindStringSubmatch(strings.TrimSpace(previous)); m != nil {
				cur.until, cur.reason = m[1], m[2]
			}
		case cur != nil && strings.TrimSpace(line) == "```":
			if len(cur.commands) == 0 {
				return nil, fmt.Errorf("%s:%d: a console block without a command", doc, cur.line)
			}
			blocks, cur = append(blocks, *cur), nil
		case cur != nil && strings.HasPrefix(line, "$ "):
			cur.commands = append(cur.commands, command{line: i + 1, text: line[2:]})
		case cur != nil && len(cur.commands) > 0:
			last := &cur.commands[len(cur.commands)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok && len(last.want) == 0 {
				last.text += "\n" + more
			} else {
				last.want = append(last.want, strings.TrimRight(line, " "))
			}
		case cur != nil:
			return nil, fmt.Errorf("%s:%d: output before the first command", doc, i+1)
		}
		if strings.TrimSpace(line) != "" {
			previous = line
		}
	}
	if cur != nil {
		return nil, fmt.Errorf("%s:%d: the block does not end", doc, cur.line)
	}
	return blocks, nil
}

// Each command's output and status go to files of their own, so that what runs behind cannot mix with the rest.
func runBlocks(blocks []block, dir, bin, tmp string) (offences []string) {
	var script strings.Builder
	n := 0
	for _, b := range blocks {
		for _, c := range b.commands {
			out := fmt.Sprintf("%s/%d", tmp, n)
			if c.behind() {
				body := strings.TrimSuffix(strings.TrimSpace(c.text), "&")
				fmt.Fprintf(&script, "{ %s\n} >%s.out 2>&1 </dev/null &\n", body, out)
				// Ready when as many lines are there as the document shows, or one, or when it ended.
				fmt.Fprintf(&script, "for i in {1..1200}; do [ \"$(wc -l <%s.out)\" -ge %d ] && break; kill -0 $! 2>/dev/null || break; sleep 0.1; done\n", out, max(1, len(c.want)))
				fmt.Fprintf(&script, "echo 0 >%s.rc\n", out)
			} else {
				fmt.Fprintf(&script, "{ %s\n} >%s.out 2>&1 </dev/null\necho $? >%s.rc\n", c.text, out, out)
			}
			n++
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	sh := exec.CommandContext(ctx, "bash", "-c", script.String())
	sh.Dir = dir
	sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+tmp, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "NO_COLOR=1",
		"GOPATH="+goEnv("GOPATH"), "GOCACHE="+goEnv("GOCACHE"), "GOMODCACHE="+goEnv("GOMODCACHE"))
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := sh.Run()
	if sh.Process != nil {
		_ = syscall.Kill(-sh.Process.Pid, syscall.SIGTERM) // what still runs behind
		for until := time.Now().Add(time.Minute); syscall.Kill(-sh.Process.Pid, 0) == nil && time.Now().Before(until); {
			time.Sleep(10 * time.Millisecond) // what writes to the directory ends before the directory does
		}
	}
	if ctx.Err() != nil {
		offences = append(offences, fmt.Sprintf("%s: took too long: %v", blocks[0].doc, err))
	}

	n = 0
	for _, b := range blocks {
		for _, c := range b.commands {
			got, _ := os.ReadFile(fmt.Sprintf("%s/%d.out", tmp, n))
			rc, _ := os.ReadFile(fmt.Sprintf("%s/%d.rc", tmp, n))
			n++
			switch status := string(bytes.TrimSpace(rc)); {
			case status != "0":
				offences = append(offences, fmt.Sprintf("%s:%d: $ %s\nexit %s\n%s", b.doc, c.line, c.text, status, got))
			case len(c.want) > 0 && !matchOutput(c.want, string(got), c.behind()):
				offences = append(offences, fmt.Sprintf("%s:%d: $ %s\ngot:\n%s\nwant:\n%s", b.doc, c.line, c.text, got, strings.Join(c.want, "\n")))
			}
		}
	}
	return offences
}

func goEnv(name string) string {
	out, _ := exec.Command("go", "env", name).Output()
	return strings.TrimSpace(string(out))
}

// matchOutput compares whole outputs; of what runs behind, more lines may follow.
func matchOutput(want []string, got string, open bool) bool {
	var re strings.Builder
	re.WriteString(`\A`)
	for _, line := range want {
		if strings.TrimSpace(line) == "…" {
			re.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re.WriteString(strings.Join(parts, ".*") + `[ ]*\n`)
	}
	if !open {
		re.WriteString(`\z`)
	}
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	return regexp.MustCompile(re.String()).MatchString(got)
}

func TestConsoleRunnerCanFail(t *testing.T) {
	fence := "```"
	tests := []struct{ name, text, want string }{
		{"right", "$ echo a b\na …\n$ export X=1; true\n$ printf \"$X\"\n1", ""},
		{"continued", "$ cat <<E\n> x\n> E\nx", ""},
		{"behind", "$ (echo up; echo more; sleep 60) &\nup\n$ echo a\na", ""},
		{"any lines", "$ seq 5\n1\n…\n5", ""},
		{"wrong output", "$ echo a\nb", "want:\nb"},
		{"too much output", "$ seq 2\n1", "want:\n1"},
		{"wrong status", "$ false", "exit 1"},
		{"unknown command", "$ no-such-command-here", "exit 127"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			blocks, err := parseBlocks("x.md", fence+"console\n"+tt.text+"\n"+fence+"\n")
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(checkBlocks(t, blocks, t.TempDir(), t.TempDir()), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	blocks, err := parseBlocks("x.md", "<!-- not run until dev: soon -->\n\n"+fence+"console\n$ false\n"+fence+"\n")
	if err != nil || len(blocks) != 1 || blocks[0].reason != "soon" || blocks[0].until != "dev" {
		t.Errorf("got %+v, %v", blocks, err)
	}
	for _, bad := range []string{fence + "console\n$ x\n", fence + "console\nx\n" + fence, fence + "console\n" + fence} {
		if _, err := parseBlocks("x.md", bad); err == nil {
			t.Errorf("%q: got no error", bad)
		}
	}
}
