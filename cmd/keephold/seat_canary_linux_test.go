package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// seatCanaries are the values of the transcript: each has characters that every encoding changes.
var seatCanaries = []string{`canary-Zq8/w+e&<T1-of-the-shop`, `https://canary-Vp3=k%7E-T2@sentry.example/1`, `canary-Xk5+q/2f-T3-personal`}

// TestTranscriptCanaries types the first ten minutes (transcript a of the design) into an interactive bash that keeps a
// history, and looks for the values: in the arguments of every process while it goes on, in the history, and in every file of the
// home, the project and the XDG directories afterwards. Each channel has a control that is found in it.
func TestTranscriptCanaries(t *testing.T) {
	needProgram(t, "bash")
	s := emptySeat(t, "SHOP_SECRET_KEY=\""+seatCanaries[0]+"\"\nLEVEL=info\n")
	s.write("app.py", "import os\nfrom pydantic import SecretStr\nfrom pydantic_settings import BaseSettings\n\n\n"+
		"class Settings(BaseSettings, env_prefix='SHOP_'):\n    secret_key: SecretStr\n\n\nlevel = os.environ['LEVEL']\ndsn = os.environ['SENTRY_DSN']\n")
	s.write("dsn", seatCanaries[1])
	history := filepath.Join(s.home, "history")
	s.env = append(s.env, "HISTFILE="+history, "PS1=>> ", "INPUTRC=/dev/null")
	stop := watchArguments(t)

	p := s.onTerminal("bash", "--norc", "--noprofile", "-i")
	p.want(">> ")
	steps := 0
	step := func(line, want string) {
		steps++
		p.press(line + "\r")
		if want != "" {
			p.want(want)
		}
		p.want(">> ")
	}
	step("keephold init --yes", "Nothing was deleted")
	step("keephold import .env", "2 new")
	step("keephold diff .env", "identical")
	step("keephold check", "SENTRY_DSN")
	step("keephold set SENTRY_DSN < dsn && rm dsn && echo sto''red", "stored")
	p.press("keephold set SHOP_SECRET_KEY --personal\r") // typed by a person, at the prompt that hides it
	p.want("hidden")
	p.press(seatCanaries[2] + "\r")
	p.want(">> ")
	step("keephold get SHOP_SECRET_KEY | cksum", "")
	step("keephold unset SHOP_SECRET_KEY --personal", "")
	step(`keephold run --redact -- sh -c 'sleep 0.2; echo "key $SHOP_SECRET_KEY $LEVEL"'`, "info")
	step(`keephold run -- sh -c 'sleep 0.2; : control-argument; echo "length ${#SHOP_SECRET_KEY}"'`, "length 30")
	step("keephold explain LEVEL", "won")
	step("keephold list", "SENTRY_DSN")
	step("keephold export --format json -o /dev/null; keephold doctor | cat", "")
	step("keephold import --shred .env", "stub")
	p.press("exit\r")
	p.wantCode(0)

	arguments := stop()
	typed, err := os.ReadFile(history)
	if err != nil {
		t.Fatal(err)
	}
	files := everyFileBelow(t, s.home)
	for _, ch := range []channel{
		{"arguments", arguments, "control-argument"},
		{"history", string(typed), "keephold set SENTRY_DSN"},
		{"terminal", p.all(), "SENTRY_DSN"},
		{"files", files, "SHOP_SECRET_KEY"},
	} {
		if !strings.Contains(ch.text, ch.control) {
			t.Errorf("%s: the control %q is not found in %d bytes: this test looks in the wrong place", ch.name, ch.control, len(ch.text))
		}
		for i, c := range seatCanaries {
			for n, form := range forms(c) {
				if at := strings.Index(ch.text, form); at >= 0 {
					t.Errorf("%s: canary %d in form %d: …%q…", ch.name, i, n, ch.text[max(0, at-120):at])
				}
			}
		}
	}
}

// watchArguments looks at the arguments of all processes again and again. The function ends that and answers all that it saw.
func watchArguments(t *testing.T) func() string {
	t.Helper()
	done, seen := make(chan struct{}), map[string]bool{}
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			all, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is sound
			for _, file := range all {
				if b, err := os.ReadFile(file); err == nil { // else it has ended
					seen[string(b)] = true
				}
			}
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	var once sync.Once
	stop := func() { once.Do(func() { close(done); watcher.Wait() }) }
	t.Cleanup(stop)
	return func() string {
		stop()
		var b strings.Builder
		for arguments := range seen {
			b.WriteString(arguments + "\n")
		}
		return b.String()
	}
}

// everyFileBelow is the text of all regular files of a directory, with their names.
func everyFileBelow(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		b.WriteString(path + "\n" + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
