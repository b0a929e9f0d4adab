//go:build unix

package launch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A program that leads the session of its own terminal cannot be stopped from the keyboard: its group has no parent in the
// session, and the kernel stops no such group by ^Z. So a monitor leads the session, and the program is its child:
//
//	supervisor → monitor (leads the session) → program (leads the terminal's foreground group)
//	           ←── "pid N", "status N" … ───
//
// The monitor reports; signals go from the supervisor to the program's group. The monitor is this binary, called with
// MonitorArgument.

// reportFile is the monitor's end of the pipe to the supervisor.
const reportFile = 3

// Monitor starts the program at args[0] with the argv that follows, in the foreground of its terminal, and reports every
// change of its state. It answers the code to exit with.
func Monitor(args []string) int {
	var st unix.Stat_t
	if unix.Fstat(reportFile, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO || len(args) < 2 {
		return 64 // a person typed it
	}
	unix.CloseOnExec(reportFile)
	report := os.NewFile(reportFile, "report")
	ignored := make(chan os.Signal, 1) // caught and dropped; ignoring them would be handed on to the program
	signal.Notify(ignored, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	cmd := &exec.Cmd{Path: args[0], Args: args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}}
	if err := cmd.Start(); err != nil {
		_, _ = fmt.Fprintf(report, "error %v\n", withoutPath(err))
		return CodeNotExecutable
	}
	_, _ = fmt.Fprintf(report, "pid %d\n", cmd.Process.Pid)
	for { // the supervisor may be gone; the terminal's end then ends the program, and that this
		var status unix.WaitStatus
		_, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED|unix.WCONTINUED, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return CodeNotExecutable
		}
		_, _ = fmt.Fprintf(report, "status %d\n", uint32(status))
		if status.Exited() || status.Signaled() {
			return 0
		}
	}
}

// monitored is the supervisor's side.
type monitored struct {
	report *os.File
	lines  *bufio.Reader
	write  *os.File // the monitor's end, until it is started
}

// withMonitor puts the monitor between this process and the program.
func (r *run) withMonitor(cmd *exec.Cmd) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	r.monitor = &monitored{report: read, lines: bufio.NewReader(read), write: write}
	cmd.Args = append(append([]string{}, r.options.Monitor[1:]...), append([]string{MonitorArgument, cmd.Path}, cmd.Args...)...)
	cmd.Path = r.options.Monitor[0]
	cmd.ExtraFiles = []*os.File{write}
	return nil
}

// begun waits until the program is started, and gives its process id.
func (m *monitored) begun() (pid int, err error) {
	_ = m.write.Close()
	line, err := m.lines.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the monitor of its terminal: %w", err)
	}
	if text, failed := strings.CutPrefix(line, "error "); failed {
		return 0, fmt.Errorf("%s", strings.TrimSpace(text))
	}
	_, err = fmt.Sscanf(line, "pid %d\n", &pid)
	return pid, err
}

// follow reports what the monitor does; if it ends without a word, the program counts as killed.
func (r *run) follow() {
	defer func() { _ = r.monitor.report.Close() }()
	for {
		var n uint32
		line, err := r.monitor.lines.ReadString('\n')
		if err == nil {
			_, err = fmt.Sscanf(line, "status %d\n", &n)
		}
		if err != nil {
			n = uint32(unix.SIGKILL)
		}
		status := unix.WaitStatus(n)
		r.events <- status
		if status.Exited() || status.Signaled() {
			return
		}
	}
}

// keyboard carries what is typed to whichever terminal the program has now. There is one for the life of the process,
// since a read of a terminal cannot be taken back.
type keyboard struct {
	mu sync.Mutex
	to io.Writer
}

func (k *keyboard) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.to != nil {
		_, _ = k.to.Write(b) // what is typed between two programs is lost
	}
	return len(b), nil
}

// lead makes w the one that is typed to.
func (k *keyboard) lead(w io.Writer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.to = w
}
