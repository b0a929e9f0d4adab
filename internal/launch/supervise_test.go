//go:build unix

package launch_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/keephold/keephold/internal/launch"
)

// TestMain makes the test binary three programs: the tests, a wrapper that supervises, and a program under it.
func TestMain(m *testing.M) {
	switch os.Getenv("LAUNCH_TEST") {
	case "wrapper":
		os.Exit(wrapper())
	case "program":
		program(os.Args[1:])
	default:
		os.Exit(m.Run())
	}
}

func wrapper() int {
	o := launch.Options{Grace: 3 * time.Second}
	for _, w := range strings.Fields(os.Getenv("LAUNCH_OPTIONS")) {
		switch w {
		case "patient":
			o.Grace = time.Hour
		case "filter":
			o.Filter = upper
		case "pty":
			o.PTY, o.Filter = true, upper
		case "first":
			becomeReaper()
			o = o.AsFirst()
		case "restart":
			next := make(chan []string)
			o.Restart = next
			go func() {
				for until := time.Now().Add(patience); !exists(os.Getenv("LAUNCH_GO")) && time.Now().Before(until); {
					time.Sleep(5 * time.Millisecond)
				}
				next <- append(programEnv(), "ROUND=2")
				close(next)
			}()
		}
	}
	code, err := launch.Supervise(context.Background(), append([]string{os.Args[0]}, os.Args[1:]...), programEnv(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wrapper:", err)
	}
	return code
}

// patience bounds what is waited for; nothing waits longer than it must.
const patience = 2 * time.Minute

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func programEnv() []string { return append(os.Environ(), "LAUNCH_TEST=program") }

// upper is a filter that can be seen, and that holds the last line back until it is closed.
func upper(w io.Writer) io.WriteCloser { return &upperWriter{w: w} }

type upperWriter struct {
	w    io.Writer
	held []byte
}

func (u *upperWriter) Write(b []byte) (int, error) {
	u.held = append(u.held, bytes.ToUpper(b)...)
	if n := bytes.LastIndexByte(u.held, '\n'); n >= 0 {
		_, _ = u.w.Write(u.held[:n+1])
		u.held = append([]byte(nil), u.held[n+1:]...)
	}
	return len(b), nil
}

func (u *upperWriter) Close() error {
	_, err := u.w.Write(u.held)
	return err
}

func program(args []string) {
	switch args[0] {
	case "exit":
		n, _ := strconv.Atoi(args[1])
		os.Exit(n)
	case "die":
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -" + args[1] + " $$; sleep 5"}, os.Environ())
	case "say":
		fmt.Print("out\nrest")
		fmt.Fprint(os.Stderr, "err\n")
	case "env":
		fmt.Println(os.Getenv("ROUND"))
		if os.Getenv("ROUND") == "2" {
			os.Exit(9)
		}
		time.Sleep(2 * patience)
	case "stdin":
		b, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%d bytes\n", len(b))
	case "orphan": // a grandchild loses its parent, and ends a little later
		out, _ := exec.Command("sh", "-c", "sleep 0.2 >/dev/null & echo $!").Output()
		zombie := "/proc/" + strings.TrimSpace(string(out))
		for until := time.Now().Add(patience); exists(zombie) && time.Now().Before(until); {
			time.Sleep(5 * time.Millisecond)
		}
		fmt.Println("buried:", len(out) > 1 && !exists(zombie))
	case "size":
		ch := make(chan os.Signal, 8)
		signal.Notify(ch, unix.SIGWINCH)
		fmt.Println("ready")
		<-ch
		w, h, _ := term.GetSize(0)
		fmt.Println(w, h)
	case "catch", "stubborn":
		ch := make(chan os.Signal, 8)
		signal.Notify(ch, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
		fmt.Println("ready")
		for s := range ch {
			fmt.Println(s)
			if args[0] == "catch" {
				time.Sleep(50 * time.Millisecond) // a second delivery would be counted too
				os.Exit(40 + len(ch))
			}
		}
	}
	os.Exit(0)
}

func start(t *testing.T, options string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "LAUNCH_TEST=wrapper", "LAUNCH_OPTIONS="+options)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal, whatever the tests run on
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewReader(out)
}

func wantLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	line, err := r.ReadString('\n')
	if got := strings.TrimRight(line, "\r\n"); got != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func wantCode(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	late := time.AfterFunc(patience, func() { t.Error("it does not end"); _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	late.Stop()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("got exit code %d, want %d", got, want)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"exit", "0"}, 0}, {[]string{"exit", "7"}, 7}, {[]string{"exit", "255"}, 255},
		{[]string{"die", "9"}, 137}, {[]string{"die", "15"}, 143}, {[]string{"die", "10"}, 138}, {[]string{"die", "1"}, 129},
	} {
		cmd, _ := start(t, "", c.args...)
		wantCode(t, cmd, c.want)
	}
	for program, want := range map[string]int{"no-such-program-here": 127, t.TempDir(): 126} {
		code, err := launch.Supervise(context.Background(), []string{program}, nil, launch.Options{})
		var start *launch.StartError
		if code != want || !errors.As(err, &start) {
			t.Errorf("%s: got %d, %v", program, code, err)
		}
	}
}

// TestSignalsReachTheProgramOnce sends each signal to the wrapper; the program counts what it gets.
func TestSignalsReachTheProgramOnce(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, out := start(t, "", "catch")
			wantLine(t, out, "ready")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			wantLine(t, out, sig.String())
			wantCode(t, cmd, 40)
		})
	}
}

func TestAStubbornProgramIsKilled(t *testing.T) {
	t.Run("after the grace period", func(t *testing.T) {
		cmd, out := start(t, "", "stubborn")
		wantLine(t, out, "ready")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		wantLine(t, out, "terminated")
		wantCode(t, cmd, 137)
	})
	t.Run("by a second SIGTERM", func(t *testing.T) {
		cmd, out := start(t, "patient", "stubborn")
		wantLine(t, out, "ready")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		wantLine(t, out, "terminated")
		_ = cmd.Process.Signal(syscall.SIGTERM)
		wantCode(t, cmd, 137)
	})
}

func TestOutputIsFiltered(t *testing.T) {
	cmd, out := start(t, "filter", "say")
	got, _ := io.ReadAll(out)
	wantCode(t, cmd, 0)
	if string(got) != "OUT\nREST" {
		t.Errorf("got %q", got)
	}
}

func TestRestartWithANewEnvironment(t *testing.T) {
	goOn := filepath.Join(t.TempDir(), "go")
	t.Setenv("LAUNCH_GO", goOn)
	cmd, out := start(t, "restart", "env")
	wantLine(t, out, "")
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantLine(t, out, "2")
	wantCode(t, cmd, 9)
}

func TestClosedStdin(t *testing.T) {
	cmd, out := start(t, "filter", "stdin")
	wantLine(t, out, "0 BYTES")
	wantCode(t, cmd, 0)
}

// TestOrphansAreBuried: as process 1 the wrapper waits for what others left behind; no zombie stays.
func TestOrphansAreBuried(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a reaper of orphans that is not process 1 is Linux's")
	}
	cmd, out := start(t, "first", "orphan")
	wantLine(t, out, "buried: true")
	wantCode(t, cmd, 0)
}

// TestStopAndContinue: the wrapper stops with the program, and both go on.
func TestStopAndContinue(t *testing.T) {
	cmd, out := start(t, "", "catch")
	wantLine(t, out, "ready")
	_ = cmd.Process.Signal(syscall.SIGTSTP)
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("got %v, %v; want the wrapper stopped", status, err)
	}
	_ = cmd.Process.Signal(syscall.SIGCONT)
	_ = cmd.Process.Signal(syscall.SIGUSR1)
	wantLine(t, out, "user defined signal 1")
	wantCode(t, cmd, 40)
}

// onTerminal starts the wrapper on a terminal of its own, as a shell would.
func onTerminal(t *testing.T, options string, args ...string) (*exec.Cmd, *os.File, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "LAUNCH_TEST=wrapper", "LAUNCH_OPTIONS="+options)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = tty.Close() })
	return cmd, tty, bufio.NewReader(tty)
}

func TestInterruptOnATerminal(t *testing.T) {
	for _, options := range []string{"", "filter", "pty"} {
		t.Run("options "+options, func(t *testing.T) {
			cmd, tty, out := onTerminal(t, options, "catch")
			word := func(s string) string {
				if options != "" {
					return strings.ToUpper(s)
				}
				return s
			}
			wantLine(t, out, word("ready"))
			if _, err := tty.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
			line, _ := out.ReadString('\n')
			if !strings.Contains(line, word("interrupt")) {
				t.Errorf("got %q", line)
			}
			wantCode(t, cmd, 40) // 41 if the signal came twice
		})
	}
}

func TestWindowSize(t *testing.T) {
	for _, options := range []string{"", "pty"} {
		t.Run("options "+options, func(t *testing.T) {
			cmd, tty, out := onTerminal(t, options, "size")
			if line, _ := out.ReadString('\n'); !strings.EqualFold(strings.TrimSpace(line), "ready") {
				t.Fatalf("got %q", line)
			}
			if err := pty.Setsize(tty, &pty.Winsize{Rows: 33, Cols: 99}); err != nil {
				t.Fatal(err)
			}
			wantLine(t, out, "99 33")
			wantCode(t, cmd, 0)
		})
	}
}

// TestALargeEnvironment: ten thousand variables, and the longest value that fits.
func TestALargeEnvironment(t *testing.T) {
	vars := []launch.Variable{value("LONG", strings.Repeat("x", 128<<10-7))}
	for i := range 10_000 {
		vars = append(vars, value("VARIABLE_"+strconv.Itoa(i), "v"))
	}
	environ, err := launch.Environment(launch.Merge{Set: vars})
	if err != nil {
		t.Fatal(err)
	}
	environ = append(environ, "LAUNCH_TEST=program")
	code, err := launch.Supervise(context.Background(), []string{os.Args[0], "exit", "5"}, environ, launch.Options{})
	if code != 5 || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
}

func TestEndOfContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	code, err := launch.Supervise(ctx, []string{"sleep", "20"}, os.Environ(), launch.Options{})
	if code != 143 || err != nil {
		t.Errorf("got %d, %v; want the program ended", code, err)
	}
}
