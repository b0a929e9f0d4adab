//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPlaces drives the first ten minutes (transcript a of the design) wherever developers sit: in a directory with spaces
// (every seat has one), under a home that cannot be written but for its XDG directories, without git, with NO_COLOR and
// without, in CI. None of them has a terminal, so nothing may ask.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(*seat)
	}{
		{"directory with spaces", func(*seat) {}},
		{"home read-only except XDG", readOnlyHome},
		{"no git", withoutGit},
		{"NO_COLOR", func(s *seat) { s.env = append(s.env, "NO_COLOR=1") }},
		{"colour allowed", func(s *seat) {
			s.env = slices.DeleteFunc(s.env, func(e string) bool { return strings.HasPrefix(e, "NO_COLOR=") })
		}},
		{"CI", func(s *seat) { s.env = append(s.env, "CI=true") }},
		{"all at once", func(s *seat) {
			readOnlyHome(s)
			withoutGit(s)
			s.env = append(s.env, "CI=true", "NO_COLOR=1")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := emptySeat(t, "SHOP_SECRET_KEY=\""+seatToken+"\"\nLEVEL=info\n")
			s.write("app.py", "import os\nfrom pydantic import SecretStr\nfrom pydantic_settings import BaseSettings\n\n\n"+
				"class Settings(BaseSettings, env_prefix='SHOP_'):\n    secret_key: SecretStr\n\n\nlevel = os.environ['LEVEL']\ndsn = os.environ['SENTRY_DSN']\n")
			c.arrange(s)
			firstTenMinutes(t, s)
		})
	}
}

// readOnlyHome makes the home a file: nothing can be made below it, also not by root. The XDG directories are elsewhere.
func readOnlyHome(s *seat) {
	home := filepath.Join(s.home, "home")
	if err := os.WriteFile(home, nil, 0o400); err != nil {
		s.t.Fatal(err)
	}
	s.env = append(s.env, "HOME="+home)
}

// withoutGit takes the repository away, and every program but those that the test runs.
func withoutGit(s *seat) {
	if err := os.RemoveAll(filepath.Join(s.dir, ".git")); err != nil {
		s.t.Fatal(err)
	}
	bin := filepath.Join(s.home, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"sh", "keephold"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.env = append(s.env, "PATH="+bin)
}

func firstTenMinutes(t *testing.T, s *seat) {
	t.Helper()
	var said strings.Builder
	step := func(want int, stdin string, args ...string) string {
		t.Helper()
		out, talk, code := s.try(stdin, args...)
		if code != want {
			t.Fatalf("keephold %q: exit code %d, want %d\n%s%s", args, code, want, out, talk)
		}
		said.WriteString(out + talk)
		return out + talk
	}
	holds := func(text, part string) {
		t.Helper()
		if !strings.Contains(text, part) {
			t.Fatalf("%q is not in\n%s", part, text)
		}
	}
	step(64, "", "init") // nobody can be asked
	holds(step(0, "", "init", "--yes"), "SENTRY_DSN is used and set nowhere")
	holds(step(0, "", "import", ".env"), "2 new")
	holds(step(0, "", "diff", ".env"), "identical")
	holds(step(78, "", "check"), "fix:  keephold set SENTRY_DSN")
	step(0, "https://key@sentry.example/1", "set", "SENTRY_DSN")
	step(0, "", "check")
	holds(step(0, "", "run", "--redact", "--", "sh", "-c", `echo "key $SHOP_SECRET_KEY level $LEVEL"`), "level info")
	holds(step(0, "", "run", "--", "sh", "-c", `test "$SHOP_SECRET_KEY" = `+seatToken+` && echo the same`), "the same")
	holds(step(0, "", "explain", "LEVEL"), "dev")
	step(0, "", "import", "--shred", ".env")
	if text, err := os.ReadFile(filepath.Join(s.dir, ".env")); err != nil || strings.Contains(string(text), seatToken) {
		t.Errorf("the stub still holds the value (%v)", err)
	}
	step(0, "", "init", "--undo")
	for _, name := range []string{"keephold.toml", ".env.example", ".gitignore"} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if strings.Contains(said.String(), seatToken) {
		t.Error("a value was shown")
	}
	if strings.Contains(said.String(), "\x1b[") {
		t.Error("colour without a terminal")
	}
}
