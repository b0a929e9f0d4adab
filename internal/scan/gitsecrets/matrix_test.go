package gitsecrets_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/scan/gitsecrets"
)

var update = flag.Bool("update", false, "record what the git-secrets that KEEPHOLD_PEER_GIT_SECRETS names answers")

// A step runs one command line, or prepares the repository.
type step struct {
	args  []string
	write map[string]string // files to write first
	git   []string          // git commands to run first, each words joined by blanks
	in    string            // stdin
	dir   string            // where it runs, below the repository
}

func do(args ...string) step { return step{args: args} }

const (
	keyID  = "AKIA" + "Q3EGRZZP5JQ2B7XN"                                             //nolint:gosec // made up
	secret = "aws_secret_access_key = " + "q8Zk2mB5vYw1RtXc9LpN4sJh7DgF3aKe6UiO0+/A" // keephold:allow made up
	stripe = "sk_live_" + "abcdefghijklmnopqrstuvwx"
)

func matrix() map[string][]step {
	files := map[string]string{
		"clean.txt": "nothing here\n", "keys.txt": "one\nid: " + keyID + "\n", "sub/deep.env": "x=1\n" + secret + "\n",
		"pay.py": "key = '" + stripe + "'\n", "b.bin": "\x00\x01" + keyID + "\n", "glued.txt": "x" + keyID + "\n" + keyID + "_\n-" + keyID + "-\n",
	}
	commit := []string{"add -A", "commit -q -m first"}
	return map[string][]step{
		"register": {do("--register-aws"), do("--list"), do("--register-aws"), do("--list", "--global")},
		"add": {
			do("--add", "sk_live_[a-zA-Z0-9]{24}"), do("--add", "sk_live_[a-zA-Z0-9]{24}"), do("--add", "--allowed", "fine"), do("-a", "--add"), do("--add", "-a", "ok.txt:.*"),
			do("--add", "--literal", "foo+bar.baz"), do("--add", "-al", "(a|b)*"), do("--add", "--global", "everywhere"), do("--list"), do("--list", "--global"), do("--add-provider", "--", "cat", "list.txt"), do("--list"),
		},
		"usage": {do("--scan", "-f"), do("--install", "-r"), do("--scan", "-a"), do("--list", "--cached"), do("--scan", "-r", "--cached"), do("--scan", "-r", "--untracked"), do("--add", "--untracked", "x")},
		"scan": {
			{args: []string{"--scan"}, write: files, git: commit}, do("--register-aws"), do("--scan"), do("--scan", "keys.txt"), do("--scan", "clean.txt"), do("--scan", "keys.txt", "clean.txt", "sub/deep.env"),
			do("--scan", "sub"), do("--scan", "-r", "sub"), do("--scan", "-r", "."), do("--scan", "nothing-of-that-name"), do("--scan", "nothing-of-that-name", "keys.txt"), do("--scan", "b.bin"), do("--scan", "glued.txt"),
			do("--scan", "--", "keys.txt"), do("--scan", "--rec", "sub"), {args: []string{"--scan"}, dir: "sub"}, do("--add", "sk_live_[a-zA-Z0-9]{24}"), do("--scan", "pay.py"), do("--scan"),
		},
		"stdin": {do("--register-aws"), {args: []string{"--scan", "-"}, in: "a\n" + keyID + "\n"}, {args: []string{"--scan", "-"}, in: "a\n"}},
		"options": {
			{args: []string{"--register-aws"}, write: files, git: commit}, {args: []string{"--scan", "--untracked"}, write: map[string]string{"new.txt": keyID + "\n", "ignored.log": keyID + "\n", ".gitignore": "*.log\n"}},
			do("--scan", "--no-index"), do("--scan", "--cached"), {args: []string{"--scan", "--cached"}, git: []string{"add new.txt"}}, {args: []string{"--scan", "--cached"}, write: map[string]string{"keys.txt": "gone\n"}}, do("--scan"), do("--scan", "--cached", "keys.txt"),
			do("--scan", "--no-index", "new.txt"), do("--scan", "--untracked", "new.txt"),
		},
		"allowed": {
			{args: []string{"--register-aws"}, write: files, git: commit}, {args: []string{"--scan"}, write: map[string]string{".gitallowed": "# a comment\n\nkeys.txt:.*\n"}}, do("--add", "--allowed", "sub/deep.env:[0-9]+:"), do("--scan"), do("--add", "-a", "glued"), do("--scan"),
			do("--scan", "keys.txt"),
		},
		"examples": {{args: []string{"--register-aws"}, write: map[string]string{"doc.md": "AKIA" + "IOSFODNN7EXAMPLE\naccount_id: \"1234-1234-1234\"\nAWS_ACCOUNT=123412341234\n"}}, do("--scan", "doc.md")},
		"provider": {
			{args: []string{"--add-provider", "--", "cat", "list.txt"}, write: map[string]string{"list.txt": "magic[0-9]+\r\n\nother\n", "a.txt": "magic7\nmagic\nother\n"}}, do("--scan", "a.txt"), {args: []string{"--scan"}, git: commit},
			{args: []string{"--aws-provider", "cred"}, write: map[string]string{"cred": "[default]\naws_access_key_id = " + keyID + "\naws_secret_access_key=\"ab/c+d.e\"\nregion=x\n"}}, do("--aws-provider"), do("--aws-provider", "no"),
		},
		"expressions": {
			{args: []string{"--add", `pass(word)?\s*=\s*['"][^'"]+['"]`}, write: map[string]string{"e.txt": "password = 'x y'\npass=\"q\"\npassword=''\nxpassword = 'x'\n[tag]\na{2\nab+c\nfoo\\d9\nfood9\n1+1\nüber word\nend$\n"}},
			do("--scan", "e.txt"), do("--add", `[[:alpha:]]+\+[a-z]`), do("--scan", "e.txt"), do("--add", `foo\d9`), do("--scan", "e.txt"), do("--add", `[]t[]+ag`), do("--scan", "e.txt"),
			{args: []string{"--scan"}, git: commit}, do("--add", `^1.1$|\bword$`), do("--scan"), do("--scan", "e.txt"), do("--add", `b{0,2}er`), do("--scan"),
		},
		"broken": {{args: []string{"--add", "(x"}, write: files, git: commit}, do("--scan"), do("--scan", "keys.txt"), do("--scan", "--cached")},
		"brace":  {{args: []string{"--add", "a{2"}, write: map[string]string{"e.txt": "a{2\n"}, git: []string{"add -A"}}, do("--scan", "e.txt"), do("--scan")},
		"history": {
			{args: []string{"--scan-history"}, write: files, git: commit}, do("--register-aws"), do("--scan-history"),
			{args: []string{"--scan-history"}, write: map[string]string{"keys.txt": "gone\n", "more.txt": "x\n"}, git: []string{"rm -q -f sub/deep.env glued.txt", "add -A", "commit -q -m second"}},
			{args: []string{"--scan-history"}, git: []string{"checkout -q -b side"}, dir: "."},
		},
		"clean history": {{args: []string{"--register-aws"}, write: map[string]string{"a.txt": "a\n"}, git: commit}, do("--scan-history")},
		"install": {
			do("--install"), do("--install"), do("--install", "-f"), do("--install", "--force", "template"), {args: []string{"--install", "-f", "."}}, {args: []string{"--install", "other"}, write: map[string]string{"other/hooks/pre-commit.d/keep": ""}},
		},
		"commit message": {{args: []string{"--register-aws"}, write: map[string]string{"msg": "fix\n\n" + keyID + "\n", "ok": "fix\n"}}, do("--commit_msg_hook", "--", "msg"), do("--commit_msg_hook", "--", "ok")},
		"pre-commit": {
			do("--register-aws"), {args: []string{"--pre_commit_hook"}, write: files, git: []string{"add -A"}},
			{args: []string{"--pre_commit_hook"}, write: map[string]string{"fine.txt": "fine\n", "loose.txt": keyID + "\n"}, git: []string{"commit -q -m first", "rm -q keys.txt", "add fine.txt"}}, {args: []string{"--pre_commit_hook"}, write: map[string]string{"clean.txt": keyID + "\n"}, git: []string{"add clean.txt"}},
		},
		"prepare commit message": {{args: []string{"--register-aws"}, write: files, git: commit}, do("--prepare_commit_msg_hook", "--", "msg"), do("--prepare_commit_msg_hook", "--", "msg", "commit", "HEAD")},
	}
}

// TestMatrix compares with the recorded answers of the real git-secrets, and with the real one itself when it is there.
func TestMatrix(t *testing.T) {
	peer := os.Getenv("KEEPHOLD_PEER_GIT_SECRETS")
	if *update && peer == "" {
		t.Fatal("-update needs KEEPHOLD_PEER_GIT_SECRETS")
	}
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", "")
	if err := os.Unsetenv("GIT_CONFIG_GLOBAL"); err != nil { // Setenv above restores it
		t.Fatal(err)
	}
	for _, k := range []string{"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"} {
		t.Setenv(k, "2026-01-02T03:04:05Z")
	}
	t.Setenv("LC_ALL", "C")
	cases := matrix()
	for _, name := range slices.Sorted(mapKeys(cases)) {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
			got := play(t, cases[name], ours)
			if peer != "" {
				theirs := play(t, cases[name], func(t *testing.T, s step, dir string) (int, string, string) { return real(t, peer, s, dir) })
				if *update {
					if err := os.WriteFile(golden, []byte(theirs), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				diff(t, "the real git-secrets now", theirs, got)
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "what git-secrets answered", string(want), got)
		})
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func diff(t *testing.T, what, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Errorf("line %d differs from %s\n--- want\n%s\n--- got\n%s", i+1, what, strings.Join(w[max(0, i-6):min(len(w), i+6)], "\n"), strings.Join(g[max(0, i-6):min(len(g), i+6)], "\n"))
			return
		}
	}
}

// play runs the steps in a fresh repository and records what they answer.
func play(t *testing.T, steps []step, run func(*testing.T, step, string) (int, string, string)) string {
	t.Helper()
	root := t.TempDir()
	home, dir := filepath.Join(root, "home"), filepath.Join(root, "repo")
	for _, d := range []string{home, dir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	git(t, dir, "init -q -b main .")
	git(t, dir, "config user.name Tester")
	git(t, dir, "config user.email tester@example.net")
	// The recorded answers hold no secrets, not even made-up ones.
	_, value, _ := strings.Cut(secret, "= ")
	named := strings.NewReplacer(root, "ROOT", keyID, "<key id>", value, "<secret key>", "AKIA"+"IOSFODNN7EXAMPLE", "<example>")
	var b strings.Builder
	for _, s := range steps {
		for name, text := range s.write {
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range s.git {
			git(t, dir, g)
		}
		code, out, said := run(t, s, filepath.Join(dir, s.dir))
		if slices.Contains(s.args, "-r") {
			said = sorted(said) // the order of names in a directory is the file system's
		}
		fmt.Fprintf(&b, "$ git secrets %s\nexit %d\n", strings.Join(s.args, " "), code)
		for _, part := range []struct{ mark, text string }{{"1", out}, {"2", said}} {
			for line := range strings.Lines(part.text) {
				if strings.HasPrefix(line, "    -") {
					continue // what an option does, each says in its own words
				}
				fmt.Fprintf(&b, "%s %s\n", part.mark, strings.TrimRight(named.Replace(line), "\n"))
			}
		}
	}
	return b.String()
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func ours(t *testing.T, s step, dir string) (int, string, string) {
	t.Helper()
	var out, said bytes.Buffer
	tool := &gitsecrets.Tool{Dir: dir, Stdin: strings.NewReader(s.in), Stdout: &out, Stderr: &said, Getenv: os.Getenv, Self: "git secrets"}
	return tool.Run(context.Background(), s.args), out.String(), said.String()
}

func real(t *testing.T, peer string, s step, dir string) (int, string, string) {
	t.Helper()
	cmd := exec.Command(peer, s.args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(peer)+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(s.in), &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

func git(t *testing.T, dir, words string) {
	t.Helper()
	cmd := exec.Command("git", strings.Fields(words)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", words, err, out)
	}
}
