//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	needProgram(t, "bash")
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
	p.wantForeground() // bash says what it brings back before it does
	p.press("\x03")
	p.want(">> ")
	p.press("echo code $?; exit\r")
	p.want("code 130")
	p.wantCode(0)
}

// terminalHangup does what the kernel does when the terminal goes away: nothing stays behind.
func terminalHangup(t *testing.T, s *seat, flags []string) {
	p := s.onTerminal("keephold", runArgs(flags, "sh", "-c", "echo begun; exec sleep 1000")...)
	p.want("begun")
	if err := unix.Kill(-p.cmd.Process.Pid, unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.wantCode(129)
}

// terminalModes: however the program ends, the terminal is as it was, and began as the person had set it.
func terminalModes(t *testing.T, s *seat, flags []string) {
	modes := regexp.MustCompile(`(before|inside|after)=(\S+)`)
	for _, end := range []string{"exit 3", "kill -KILL $$"} {
		script := fmt.Sprintf("stty intr ^N; echo before=$(stty -g); keephold run %s -- sh -c 'echo inside=$(stty -g); %s'; echo after=$(stty -g)",
			strings.Join(flags, " "), end)
		p := s.onTerminal("sh", "-c", script)
		p.wantCode(0)
		found := modes.FindAllStringSubmatch(p.said.String(), -1)
		if len(found) != 3 || found[0][2] != found[1][2] || found[0][2] != found[2][2] {
			t.Errorf("%s: the terminal's modes differ:\n%s", end, p.said)
		}
	}
}

// TestRunOfAScreenUnderRedact: a program for the whole screen gets keys one by one and draws as ever, but for the secret.
func TestRunOfAScreenUnderRedact(t *testing.T) {
	s := newSeat(t, seatSettings)
	p := s.onTerminal("keephold", "run", "--redact", "--", "probe", "screen")
	p.want("\x1b[?1049h\x1b[2J\x1b[H")
	p.want("\x1b[24;1H\x1b[7mready (80x24)\x1b[0m")
	p.press("x")
	p.want("\x1b[24;1H\x1b[7mkey 0x78 (80x24)\x1b[0m")
	p.press("\x1b")
	p.want("key 0x1b (80x24)\x1b[0m")
	p.press("\x03") // raw: a key like any other
	p.want("key 0x03 (80x24)\x1b[0m")
	if err := pty.Setsize(p.tty, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	p.want("\x1b[40;1H\x1b[7mresized (120x40)\x1b[0m")
	p.press("s")
	p.want("the token is ")
	p.want("API_TOKEN")
	p.want(" (120x40)\x1b[0m")
	p.press("q")
	p.want("\x1b[?1049l")
	p.wantCode(0)
	if strings.Contains(p.all(), seatToken) {
		t.Errorf("the secret was on the screen:\n%q", p.all())
	}
}

// TestRunOfPagerAndEditorUnderRedact: less and vi, as people have them.
func TestRunOfPagerAndEditorUnderRedact(t *testing.T) {
	s := newSeat(t, seatSettings)
	var long strings.Builder
	for i := range 300 {
		fmt.Fprintf(&long, "line %d of the text\n", i)
	}
	s.write("long.txt", long.String()+"API_TOKEN="+seatToken+"\n")
	t.Run("less", func(t *testing.T) {
		needProgram(t, "less")
		p := s.onTerminal("keephold", "run", "--redact", "--", "less", "long.txt")
		p.want("line 0 of the text")
		p.press("G")
		p.want("line 299 of the text")
		p.press("q")
		p.wantCode(0)
		if strings.Contains(p.all(), seatToken) || !strings.Contains(p.all(), "API_TOKEN") {
			t.Errorf("got %q", p.all())
		}
	})
	t.Run("vi", func(t *testing.T) {
		needProgram(t, "vi")
		p := s.onTerminal("keephold", "run", "--redact", "--", "vi", "-u", "NONE", "new.txt")
		p.want("~")
		p.press("ihello\x1b:wq\r")
		p.wantCode(0)
		if b, err := os.ReadFile(filepath.Join(s.dir, "new.txt")); err != nil || string(b) != "hello\n" {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs %s", name)
	}
}
