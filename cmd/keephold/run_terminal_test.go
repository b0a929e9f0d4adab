//go:build unix

package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// The matrix of run on a terminal. Under --redact the program has a terminal of its own there, unless --no-pty.

// TestRunOnATerminal runs every behaviour in every way, in one project.
func TestRunOnATerminal(t *testing.T) {
	s := newSeat(t, seatSettings)
	for _, c := range []struct {
		name string
		test func(t *testing.T, s *seat, flags []string)
	}{
		{"double interrupt", terminalInterrupts},
		{"window size", terminalSize},
		{"jobs", terminalJobs},
		{"hangup", terminalHangup},
		{"modes", terminalModes},
	} {
		for _, w := range append(ways[:len(ways):len(ways)], struct {
			name  string
			flags []string
		}{"redacted by pipes", []string{"--redact", "--no-pty"}}) {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				own := *s
				own.t = t
				c.test(t, &own, w.flags)
			})
		}
	}
}

// terminalInterrupts presses ^C twice; the program must see it twice, not four times. SIGUSR1 to keephold ends it.
func terminalInterrupts(t *testing.T, s *seat, flags []string) {
	p := s.onTerminal("keephold", runArgs(flags, "probe", "count", fmt.Sprint(int(unix.SIGINT)), fmt.Sprint(int(unix.SIGUSR1)))...)
	p.want("ready")
	p.press("\x03")
	p.want("got 1")
	p.press("\x03")
	p.want("got 2")
	p.signal(unix.SIGUSR1)
	p.wantCode(42)
}

func terminalSize(t *testing.T, s *seat, flags []string) {
	p := s.onTerminal("keephold", runArgs(flags, "probe", "resize")...)
	p.want("size 80 24 <nil>")
	for _, size := range []pty.Winsize{{Rows: 33, Cols: 99}, {Rows: 50, Cols: 132}} {
		if err := pty.Setsize(p.tty, &size); err != nil {
			t.Fatal(err)
		}
		p.want(fmt.Sprintf("size %d %d <nil>", size.Cols, size.Rows))
	}
	p.press("\x1c") // ^\
	if got := shellCode(t, p.cmd); got != 128+int(unix.SIGQUIT) && got != 2 {
		t.Errorf("got exit code %d, want that of SIGQUIT", got) // a Go program prints its goroutines and exits with 2
	}
}

// terminalJobs stops, continues in the foreground and interrupts a job of a shell that knows jobs.
func terminalJobs(t *testing.T, s *seat, flags []string) {
	shellWithJobs(t)
	s.env = append(s.env[:len(s.env):len(s.env)], "PS1=>> ", "HISTFILE=/dev/null")
	p := s.onTerminal("bash", "--norc", "--noprofile", "-i")
	p.want(">> ")
	p.press("keephold run " + strings.Join(flags, " ") + " -- sh -c 'echo be''gun; read line; echo \"read $line\"; exec sleep 1000'\r")
	p.want("begun")
	p.press("\x1a") // ^Z
	p.want("Stopped")
	p.want(">> ")
	p.press("echo the shell is $((40+2))\r")
	p.want("the shell is 42")
	p.want(">> ")
	p.press("fg\r")
	p.want("keephold run")
	p.press("typed\r")
	p.want("read typed")
	p.press("\x1a")
	p.want("Stopped")
	p.want(">> ")
	p.press("fg\r")
	p.want("keephold run")
	p.press("\x03")
	p.want(">> ")
	p.press("echo code $?; exit\r")
	p.want("code 130")
	p.wantCode(0)
}

// terminalHangup takes the terminal away: nothing stays behind.
func terminalHangup(t *testing.T, s *seat, flags []string) {
	p := s.onTerminal("keephold", runArgs(flags, "probe", "die", "0")...) // a sleep of a minute
	awaitChild(t, p)
	_ = p.tty.Close()
	p.wantCode(129)
}

// awaitChild waits until "sleep" runs somewhere below, which for a program that says nothing is the only sign.
func awaitChild(t *testing.T, p *session) {
	t.Helper()
	p.waitFor("the program to sleep", func() bool {
		out, err := exec.Command("ps", "-o", "comm=", "-s", fmt.Sprint(p.cmd.Process.Pid), "--ppid", fmt.Sprint(p.cmd.Process.Pid)).Output()
		return err == nil && strings.Contains(string(out), "sleep")
	})
}

// terminalModes: however the program ends, the terminal is as it was.
func terminalModes(t *testing.T, s *seat, flags []string) {
	for _, end := range []string{"exit 3", "kill -KILL $$", "stty raw -echo; exit 3"} {
		p := s.onTerminal("bash", "--norc", "--noprofile", "-c", "stty -g; keephold run "+strings.Join(flags, " ")+" -- true; stty -g; echo done")
		p.wantCode(0)
		lines := strings.Fields(p.said.String())
		if len(lines) < 3 || lines[0] != lines[len(lines)-2] {
			t.Errorf("%s: the terminal's modes differ:\n%s", end, p.said)
		}
	}
}
