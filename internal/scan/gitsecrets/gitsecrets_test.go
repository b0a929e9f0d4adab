package gitsecrets

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTranslate(t *testing.T) {
	for _, c := range []struct{ ere, yes, no string }{
		{`a.c`, "abc", "ac"},
		{`[]a-]x`, "]x", "bx"},
		{`[\d]`, `\`, "5"},
		{`\d`, "d", "5"},
		{`(?x)`, "x", "?"},
		{`^a+?b$`, "b", "c"},
		{`^a**$`, "aaa", "b"},
		{`^(a|b){2,3}$`, "abb", "abab"},
		{`^[^a]$`, "b", "a"},
		{`[[:digit:]]{4}\-?x`, "1234-x", "123x"},
		{`\<key\>`, "a key b", "monkeys"},
		{`a{1100,}`, strings.Repeat("a", 1100), strings.Repeat("a", 1099)},
		{"\u00fc", "\u00fcber", "uber"},
	} {
		x, err := translate(c.ere, false)
		if err != nil {
			t.Errorf("%s: %v", c.ere, err)
			continue
		}
		re, err := regexp.Compile(x)
		if err != nil {
			t.Errorf("%s became %s: %v", c.ere, x, err)
			continue
		}
		if !re.Match(wide([]byte(c.yes))) {
			t.Errorf("%s (%s) does not match %q", c.ere, x, c.yes)
		}
		if re.Match(wide([]byte(c.no))) {
			t.Errorf("%s (%s) matches %q", c.ere, x, c.no)
		}
	}
	for _, bad := range []string{`(`, `)`, `[a`, `a\`, `(a)\1`, `[z-a]`, `[[:none:]]`} {
		if _, err := newGrep([]string{bad}, likeGrep); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// The words that a line is first searched for may never hide a match.
func TestNeededWords(t *testing.T) {
	g, err := newGrep(awsPatterns(), likeGit)
	if err != nil {
		t.Fatal(err)
	}
	if g.words == nil {
		t.Error("the patterns of AWS have no words to look for first: every line goes through the expression")
	}
	for _, line := range []string{"A3TX" + strings.Repeat("Q", 16), "ASIA" + strings.Repeat("Q", 16), "Key: " + strings.Repeat("q", 40), `aws_account_id="1234-5678-9012"`} {
		if len(g.lines([]byte("x\n"+line+"\n"))) != 1 {
			t.Errorf("%q is not found", line)
		}
	}
}

func FuzzGrep(f *testing.F) {
	for _, p := range awsPatterns() {
		f.Add(p, "key = "+strings.Repeat("A", 40))
	}
	f.Add("[]a^-]|^b$", "x\nb\n")
	f.Add(`a{2}|\w+x`, "aa\xff x")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 2000 {
			return
		}
		for _, how := range []flavor{likeGit, likeGrep} {
			g, err := newGrep([]string{pattern}, how)
			if err != nil {
				continue
			}
			fast := g.lines([]byte(text))
			g.words = nil
			if slow := g.lines([]byte(text)); len(fast) != len(slow) {
				t.Fatalf("%q in %q: %d lines by words, %d without", pattern, text, len(fast), len(slow))
			}
		}
	})
}

// What of the original is not copied: with nothing staged but a removal it scans everything.
func TestNothingStaged(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	run := func(words ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.net"}, words...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", words, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hook := func() (int, string) {
		var said bytes.Buffer
		tool := &Tool{Dir: dir, Stdout: &said, Stderr: &said, Getenv: os.Getenv, Self: "git secrets"}
		return tool.Run(context.Background(), []string{"--pre_commit_hook"}), said.String()
	}
	run("init", "-q", "--object-format=sha256", ".")
	run("config", "secrets.patterns", "magic[0-9]+")
	write("old.txt", "magic1\n")
	write("gone.txt", "fine\n")
	run("add", "-A")
	if code, said := hook(); code != 1 || !strings.Contains(said, "old.txt:1:magic1") {
		t.Errorf("the first commit: exit %d, %s", code, said)
	}
	run("commit", "-q", "-m", "first")
	run("rm", "-q", "gone.txt")
	if code, said := hook(); code != 0 {
		t.Errorf("a removal alone: exit %d, %s", code, said)
	}
	write("ünï [x].txt", "magic2\n")
	run("add", "-A")
	if code, said := hook(); code != 1 || !strings.Contains(said, "ünï [x].txt:1:magic2") {
		t.Errorf("a name that git quotes: exit %d, %s", code, said)
	}
}
