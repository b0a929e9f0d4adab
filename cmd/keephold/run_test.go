//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The matrix of run: the same behaviour whether keephold is replaced by the program or stays above it.

// ways are the ways to start a program. All but the first keep a supervisor.
var ways = []struct {
	name  string
	flags []string
}{
	{"replaced", nil},
	{"files", []string{"--secrets-dir", "--secrets-on-disk"}},
	{"redacted", []string{"--redact"}},
	{"watched", []string{"--watch"}},
}

func runArgs(flags []string, program ...string) []string {
	return append(append([]string{"run"}, flags...), append([]string{"--"}, program...)...)
}

const seatSettings = "GREETING=\"good day\"\nAPI_TOKEN=" + seatToken + "\n"

// TestRun runs the matrix: every behaviour in every way, in one project.
func TestRun(t *testing.T) {
	s := newSeat(t, seatSettings)
	for _, c := range []struct {
		name string
		test func(t *testing.T, s *seat, flags []string)
	}{
		{"exit codes", runExitCodes},
		{"a program that a signal ends", runDeaths},
		{"signals", runSignals},
		{"ignored signals stay ignored", runIgnoredSignals},
		{"a program that ignores SIGTERM", runStubborn},
		{"stop and continue", runStopAndContinue},
		{"stdin", runStdin},
		{"a long value", runLongValue},
		{"process 1", runAsProcessOne},
	} {
		for _, w := range ways {
			if testing.Short() && w.name != "redacted" && w.name != "watched" {
				continue // what the race detector could see is in the supervisor
			}
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				own := *s
				own.t = t
				c.test(t, &own, w.flags)
			})
		}
	}
}

func runExitCodes(t *testing.T, s *seat, flags []string) {
	s.write("plain", "not a program")
	s.write("garbage", "\x7fELF but no more")
	if err := os.Chmod(filepath.Join(s.dir, "garbage"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program []string
		want    int
	}{
		{[]string{"probe", "exit", "0"}, 0},
		{[]string{"probe", "exit", "1"}, 1},
		{[]string{"probe", "exit", "66"}, 66},
		{[]string{"probe", "exit", "255"}, 255},
		{[]string{"no-such-program-here"}, 127},
		{[]string{"./no-such-file"}, 127},
		{[]string{"./plain"}, 126},
		{[]string{"./garbage"}, 126},
		{[]string{"."}, 126},
	} {
		out, talk, got := s.try("", runArgs(flags, c.program...)...)
		if got != c.want || out != "" {
			t.Errorf("%q: got exit code %d, want %d\n%s%s", c.program, got, c.want, out, talk)
		}
		if c.want >= 126 && c.want <= 127 && !strings.Contains(talk, c.program[0]+": ") {
			t.Errorf("%q: the message does not name it: %s", c.program, talk)
		}
	}
}

func runDeaths(t *testing.T, s *seat, flags []string) {
	for _, n := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGKILL, unix.SIGUSR1, unix.SIGSEGV, unix.SIGPIPE,
		unix.SIGALRM, unix.SIGTERM} {
		_, talk, got := s.try("", runArgs(flags, "probe", "die", fmt.Sprint(int(n)))...)
		if got != 128+int(n) {
			t.Errorf("%v: got exit code %d, want %d\n%s", n, got, 128+int(n), talk)
		}
	}
}

// runSignals sends each signal to keephold; the program counts what it gets until another signal ends it.
func runSignals(t *testing.T, s *seat, flags []string) {
	for _, sig := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH,
		unix.SIGCONT} {
		end := unix.SIGUSR2
		if sig == end {
			end = unix.SIGUSR1
		}
		p := s.start(runArgs(flags, "probe", "count", fmt.Sprint(int(sig)), fmt.Sprint(int(end)))...)
		p.want("ready")
		p.signal(sig)
		p.want("got 1")
		p.signal(end)
		p.wantCode(41)
	}
}

// runIgnoredSignals: what nohup and a shell's background jobs arrange holds for the program too.
func runIgnoredSignals(t *testing.T, s *seat, flags []string) {
	for _, trap := range []string{"", "trap '' INT HUP; "} {
		cmd := s.command(runArgs(flags, "probe", "ignored")...)
		cmd.Args = append([]string{"sh", "-c", trap + `exec keephold "$@"`, "sh"}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		out, err := cmd.CombinedOutput()
		if want := fmt.Sprintf("hup %t int %[1]t\n", trap != ""); err != nil || string(out) != want {
			t.Errorf("%q: got %q, %v; want %q", trap, out, err, want)
		}
	}
}

func runStubborn(t *testing.T, s *seat, flags []string) {
	if flags == nil {
		return // nothing of keephold is left that could kill it
	}
	// After the grace period.
	p := s.start(runArgs(append([]string{"--grace", "100ms"}, flags...), "probe", "stubborn")...)
	p.want("ready")
	p.signal(unix.SIGTERM)
	p.wantCode(137)
	// By a second SIGTERM, sent when the first has gone through: two that wait would be one.
	p = s.start(runArgs(append([]string{"--grace", "24h"}, flags...), "probe", "count", fmt.Sprint(int(unix.SIGTERM)), fmt.Sprint(int(unix.SIGUSR1)))...)
	p.want("ready")
	p.signal(unix.SIGTERM)
	p.want("got 1")
	p.signal(unix.SIGTERM)
	p.wantCode(137)
}

// runStopAndContinue: keephold stops with the program, and goes on with it.
func runStopAndContinue(t *testing.T, s *seat, flags []string) {
	p := s.start(runArgs(flags, "probe", "count", fmt.Sprint(int(unix.SIGUSR1)), fmt.Sprint(int(unix.SIGUSR2)))...)
	p.want("ready")
	// A session of its own is an orphaned process group, in which the kernel lets nothing stop by SIGTSTP if it is
	// the program itself that is told: only a supervisor can.
	stop := unix.SIGTSTP
	if flags == nil {
		stop = unix.SIGSTOP
	}
	p.signal(stop)
	var status unix.WaitStatus
	if _, err := unix.Wait4(p.cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("got %v, %v; want it stopped", status, err)
	}
	p.signal(unix.SIGCONT)
	p.signal(unix.SIGUSR1)
	p.want("got 1")
	p.signal(unix.SIGUSR2)
	p.wantCode(41)
}

func runStdin(t *testing.T, s *seat, flags []string) {
	if out, talk, code := s.try("12345", runArgs(flags, "probe", "stdin")...); out != "5 bytes, <nil>\n" || code != 0 {
		t.Errorf("a pipe: got %q, %d\n%s", out, code, talk)
	}
	for _, closed := range []string{"<&-", "</dev/null", "<&- 2>&-"} {
		cmd := s.command(runArgs(flags, "probe", "stdin")...)
		cmd.Args = append([]string{"sh", "-c", `exec keephold "$@" ` + closed, "sh"}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		if out, err := cmd.Output(); err != nil || string(out) != "0 bytes, <nil>\n" {
			t.Errorf("%s: got %q, %v", closed, out, err)
		}
	}
}

// TestRunWithManyVariables: ten thousand, through the keep and into the program; a tenth of it in a short run.
func TestRunWithManyVariables(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "MANY_%05d=value-%05d\n", i, i)
	}
	s := newSeat(t, b.String())
	for _, w := range ways {
		if w.name == "files" {
			count := `for f in "$KEEPHOLD_SECRETS_DIR"/MANY_*; do n=$((n+1)); done; echo $n`
			if got := s.must(runArgs(w.flags, "sh", "-c", count)...); got != fmt.Sprintln(n) {
				t.Errorf("files: got %s", got)
			}
			continue
		}
		if got := s.must(runArgs(w.flags, "probe", "environ", "MANY_")...); got != fmt.Sprintf("%d variables, %d bytes\n", n, n*11) {
			t.Errorf("%s: got %s", w.name, got)
		}
	}
}

// runLongValue: an environment carries 128 KiB a variable on Linux, with its name; files carry more, and a value that needs
// one gets one, whether files were asked for or not.
func runLongValue(t *testing.T, s *seat, flags []string) {
	t.Cleanup(func() {
		if _, talk, code := s.try(seatToken, "set", "API_TOKEN", "-q"); code != 0 {
			t.Errorf("set: %d %s", code, talk)
		}
	})
	const room = 128<<10 - len("API_TOKEN=") - 1
	flags = append([]string{"--secrets-on-disk"}, flags...)
	for _, length := range []int{room, room + 1, 128 << 10, 512 << 10} {
		if _, talk, code := s.try(strings.Repeat("x", length), "set", "API_TOKEN", "-q"); code != 0 {
			t.Fatalf("set: %d %s", code, talk)
		}
		if length > room || slices.Contains(flags, "--secrets-dir") {
			const count = `wc -c <"$API_TOKEN_FILE"; echo "[$API_TOKEN] $API_TOKEN_FILE"`
			got := strings.Fields(s.must(runArgs(flags, "sh", "-c", count)...))
			if len(got) != 3 || got[0] != fmt.Sprint(length) || got[1] != "[]" {
				t.Fatalf("a file of %d bytes: got %s", length, got)
			}
			if _, err := os.Stat(got[2]); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", got[2], err)
			}
			continue
		}
		if out := s.must(runArgs(flags, "probe", "environ", "API_TOKEN")...); !slices.Contains(flags, "--redact") && out != fmt.Sprintf("1 variables, %d bytes\n", length) {
			t.Errorf("%d bytes: got %s", length, out)
		}
	}
}

// runAsProcessOne: in a container keephold may be process 1, and has to bury what others leave behind.
func runAsProcessOne(t *testing.T, s *seat, flags []string) {
	if flags == nil {
		return // the program itself is process 1 then
	}
	cmd := s.command(runArgs(flags, "probe", "orphan")...)
	if !asProcessOne(cmd) {
		t.Skip("needs process id namespaces")
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC) {
		t.Skip("needs process id namespaces: ", err)
	}
	if err != nil || !strings.Contains(string(out), "buried by 1\n") {
		t.Errorf("got %s, %v", out, err)
	}
}
