//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// seat is a developer's place: a project in a directory with a space in its name, and a home with XDG directories.
type seat struct {
	t    testing.TB
	exe  string // the command; found in PATH when empty
	home string
	dir  string
	env  []string
}

// seatToken is planted as the one secret of a seat.
const seatToken = "tok-5e1c90aa77" //nolint:gosec // made up

// newSeat makes a project whose settings are those of a .env, imported into a keep of its own.
func newSeat(t testing.TB, dotenv string) *seat {
	t.Helper()
	s := emptySeat(t, dotenv)
	s.must("init", "--yes", "-q")
	s.must("import", ".env", "-q")
	return s
}

func emptySeat(t testing.TB, dotenv string) *seat {
	t.Helper()
	home := t.TempDir()
	s := &seat{t: t, home: home, dir: filepath.Join(home, "shop app")}
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=1", belowTests + "=1", "GORACE=" + os.Getenv("GORACE")}
	for _, name := range []string{"data", "config", "cache"} {
		s.env = append(s.env, "XDG_"+strings.ToUpper(name)+"_HOME="+filepath.Join(home, name))
	}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		s.env = append(s.env, "GOCOVERDIR="+dir)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, ".git"), 0o700); err != nil { // keephold.toml is looked for up to here
		t.Fatal(err)
	}
	s.write(".env", dotenv)
	return s
}

func (s *seat) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// command is the command in the project, without a terminal.
func (s *seat) command(args ...string) *exec.Cmd {
	s.t.Helper()
	exe := s.exe
	if exe == "" {
		var err error
		if exe, err = exec.LookPath("keephold"); err != nil {
			s.t.Fatal(err)
		}
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// must runs a command that has to succeed.
func (s *seat) must(args ...string) string {
	s.t.Helper()
	out, talk, code := s.try("", args...)
	if code != 0 {
		s.t.Fatalf("keephold %q: exit code %d\n%s%s", args, code, out, talk)
	}
	return out
}

// try runs a command to its end, for two minutes at most.
func (s *seat) try(stdin string, args ...string) (out, talk string, code int) {
	s.t.Helper()
	cmd := s.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	code = shellCode(s.t, cmd)
	return stdout.String(), stderr.String(), code
}

// shellCode waits for a command and gives the code that a shell would: 128+n if signal n ended it.
func shellCode(t testing.TB, cmd *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// session is a command that goes on while the test looks at what it says.
type session struct {
	t    testing.TB
	cmd  *exec.Cmd
	tty  *os.File      // nil without a terminal
	said *output       // what was not waited for yet
	past *output       // everything
	done chan struct{} // all of its output has been read
}

// start begins a command without a terminal; both streams are collected.
func (s *seat) start(args ...string) *session {
	s.t.Helper()
	p := &session{t: s.t, cmd: s.command(args...), said: new(output)}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// onTerminal begins a command as the leader of a session on a terminal of 80 by 24.
func (s *seat) onTerminal(name string, args ...string) *session {
	s.t.Helper()
	cmd := s.command(args...)
	if name != "keephold" {
		path, err := exec.LookPath(name)
		if err != nil {
			s.t.Fatal(err)
		}
		cmd.Path, cmd.Args[0] = path, name
	}
	p := &session{t: s.t, cmd: cmd, said: new(output), past: new(output), done: make(chan struct{})}
	var err error
	if p.tty, err = pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		b := make([]byte, 4096)
		for {
			n, err := p.tty.Read(b)
			_, _ = p.said.Write(b[:n])
			_, _ = p.past.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = p.tty.Close() })
	return p
}

// patience bounds every wait of these tests. It is only used up when something is broken.
const patience = 60 * time.Second

// want waits until the command has said a text, after the last one that was waited for.
func (p *session) want(text string) {
	p.t.Helper()
	until := time.Now().Add(patience)
	for {
		if p.said.skipTo(text) {
			return
		}
		if time.Now().After(until) {
			p.t.Fatalf("it never says %q:\n%s", text, p.said)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// wantForeground waits until the terminal belongs to another process group than the session's first program.
func (p *session) wantForeground() {
	p.t.Helper()
	until := time.Now().Add(patience)
	for {
		group, err := unix.IoctlGetInt(int(p.tty.Fd()), unix.TIOCGPGRP)
		if err != nil {
			p.t.Fatal(err)
		}
		if group != p.cmd.Process.Pid {
			return
		}
		if time.Now().After(until) {
			p.t.Fatalf("no job comes to the foreground:\n%s", p.said)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// skipTo says whether a text is there, and lets go of everything up to its end.
func (o *output) skipTo(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := bytes.Index(o.b.Bytes(), []byte(text))
	if i >= 0 {
		o.b.Next(i + len(text))
	}
	return i >= 0
}

// all is everything that was on the terminal.
func (p *session) all() string { return p.past.String() }

func (p *session) press(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

func (p *session) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// wantCode waits for the end.
func (p *session) wantCode(want int) {
	p.t.Helper()
	stop := time.AfterFunc(patience, func() {
		p.t.Errorf("it never ends")
		_ = p.cmd.Process.Kill()
	})
	defer stop.Stop()
	if got := shellCode(p.t, p.cmd); got != want {
		p.t.Errorf("got exit code %d, want %d; it said:\n%s", got, want, p.said)
	}
	if p.done != nil {
		<-p.done
	}
}
