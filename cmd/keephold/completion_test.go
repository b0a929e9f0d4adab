//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// completionSeat has settings in keephold.toml, and one in the keep only, which completion knows from the names that set
// wrote down. The keep itself is then made unreadable: completion has to do without.
func completionSeat(t testing.TB) *seat {
	t.Helper()
	s := newSeat(t, seatSettings)
	s.must("env", "new", "staging")
	if _, talk, code := s.try("canary-value-71", "set", "API_EXTRA", "-q"); code != 0 {
		t.Fatal(talk)
	}
	data := filepath.Join(s.home, "data", "keephold")
	if err := os.Rename(data, data+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(data, []byte("no directory: to open a keep here fails"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCompletionOfNames(t *testing.T) {
	s := completionSeat(t)
	for _, c := range []struct {
		line []string
		want string // without the directive
	}{
		{[]string{"get", "API_"}, "API_EXTRA API_TOKEN"},
		{[]string{"get", ""}, "API_EXTRA API_TOKEN GREETING"},
		{[]string{"get", "dev/API_T"}, "dev/API_TOKEN"},
		{[]string{"get", "--env", "dev", "GREE"}, "GREETING"},
		{[]string{"set", "API_E"}, "API_EXTRA"},
		{[]string{"unset", "GR"}, "GREETING"},
		{[]string{"explain", "GR"}, "GREETING"},
		{[]string{"explain", "GREETING", ""}, ""},
		{[]string{"run", "--only", "GREETING,API_E"}, "GREETING,API_EXTRA"},
		{[]string{"run", "--env", ""}, "dev staging"},
		{[]string{"get", "NOTHING_LIKE_IT"}, ""},
		{[]string{"get", "secret/"}, ""}, // of the local keep: it would have to be opened
	} {
		out := s.must(append([]string{"__complete"}, c.line...)...)
		lines := strings.Fields(out)
		if got := strings.Join(lines[:len(lines)-1], " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.line, got, c.want)
		}
	}
	checkNamesOnly(t, filepath.Join(s.home, "cache"))
}

// checkNamesOnly looks for values and loose modes in what completion reads.
func checkNamesOnly(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for _, value := range []string{seatToken, "good day", "canary-value-71"} {
			if strings.Contains(string(b), value) {
				t.Errorf("%s holds a value", path)
			}
		}
		if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files with names, %v", files, err)
	}
}

// TestCompletionInShells presses Tab in the shells themselves.
func TestCompletionInShells(t *testing.T) {
	s := completionSeat(t)
	s.env = append(s.env, "HISTFILE=/dev/null", "PS1=>> ")
	t.Run("bash", func(t *testing.T) {
		needProgram(t, "bash")
		s.t = t
		p := s.onTerminal("bash", "--norc", "--noprofile", "-i")
		p.want(">> ")
		p.press("source <(keephold completion bash); echo loaded $((40+2))\r")
		p.want("loaded 42")
		p.want(">> ")
		p.press("keephold get API_T\t")
		p.want("keephold get API_TOKEN")
		p.press("\x15keephold get API_\t\t")
		p.want("API_EXTRA")
		p.want("API_TOKEN")
		p.press("\x15exit\r")
		p.wantCode(0)
	})
	t.Run("zsh", func(t *testing.T) {
		needProgram(t, "zsh")
		s.t = t
		p := s.onTerminal("zsh", "-f", "-i")
		p.press("PS1='>> '; autoload -U compinit; compinit -u -D; source <(keephold completion zsh); echo loaded $((40+2))\r")
		p.want("loaded 42")
		p.want(">> ")
		p.press("keephold get API_T\t")
		p.want("API_TOKEN")
		p.press("\x15exit\r")
		p.wantCode(0)
	})
	t.Run("fish", func(t *testing.T) {
		needProgram(t, "fish")
		s.t = t
		cmd := s.command()
		path, err := exec.LookPath("fish")
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path, cmd.Args = path, []string{"fish", "-c", `keephold completion fish | source; complete -C "keephold get API_"`}
		out, err := cmd.Output()
		if got := strings.Fields(string(out)); err != nil || fmt.Sprint(got) != "[API_EXTRA API_TOKEN]" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
