//go:build unix

package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Supervise runs a program and returns the code to exit with: its own, 128+n if a signal ended it, 126 or 127 with a
// *StartError if it could not be started. When ctx ends, the program is ended as by SIGTERM.
//
// On a terminal the program stays in the group of this process: the kernel delivers ^C, ^\ and ^Z to both, and they are
// not forwarded a second time. This process stops when the program does, and goes on with it. Otherwise it leads a group of its own, which gets every signal that this
// process gets. A second SIGTERM, or the end of the grace period, kills it.
func Supervise(ctx context.Context, argv, environ []string, o Options) (int, error) {
	s := &supervisor{options: o.withStreams(), first: o.first || os.Getpid() == 1}
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0); err == nil {
		s.control = tty
		defer func() { _ = tty.Close() }()
	}
	s.signals = make(chan os.Signal, 64)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGCONT,
		unix.SIGTSTP} {
		if !signal.Ignored(sig) { // nohup and shells ignore some for the program's sake
			signal.Notify(s.signals, sig)
		}
	}
	defer signal.Stop(s.signals)
	for {
		code, next, err := s.once(ctx, argv, environ)
		if next == nil {
			return code, err
		}
		environ = next
	}
}

// isForeground says whether the terminal's foreground group is this process's: then the kernel delivers its keys to the
// program as well.
func (s *supervisor) isForeground() bool {
	if s.control == nil {
		return false
	}
	group, err := unix.IoctlGetInt(int(s.control.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

type supervisor struct {
	options Options
	control *os.File // the terminal that controls this process's session; nil without one
	first   bool     // this is process 1: orphans are ours to bury
	signals chan os.Signal
	keys    *keyboard // nil until a program has a terminal of its own
}

// run is one start of the program.
type run struct {
	*supervisor
	pid     int
	streams []*stream
	tty     *terminal
	monitor *monitored // nil unless the program has a terminal of its own
	events  chan unix.WaitStatus
	kill    <-chan time.Time
	ending  bool     // SIGTERM was sent
	next    []string // start again with this environment
}

// once runs the program to its end. next is not nil if it is to be started again.
func (s *supervisor) once(ctx context.Context, argv, environ []string) (code int, next []string, err error) {
	r, err := s.start(argv, environ)
	if err != nil {
		var start *StartError
		if errors.As(err, &start) {
			return start.Code, nil, err
		}
		return CodeNotExecutable, nil, err
	}
	defer r.tty.restore()
	status := r.loop(ctx)
	for _, st := range r.streams {
		if e := st.finish(); err == nil {
			err = e
		}
	}
	if status.Signaled() {
		code = CodeSignal + int(status.Signal())
	} else {
		code = status.ExitStatus()
	}
	return code, r.next, err
}

func (s *supervisor) start(argv, environ []string) (*run, error) {
	path, err := find(argv[0])
	if err != nil {
		return nil, err
	}
	r := &run{supervisor: s, events: make(chan unix.WaitStatus)}
	cmd := &exec.Cmd{Path: path, Args: argv, Env: environ, Stdin: s.options.Stdin, Stdout: s.options.Stdout, Stderr: s.options.Stderr}
	if environ == nil {
		cmd.Env = []string{}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: s.control == nil}
	switch {
	case s.options.PTY:
		if err = r.withTerminal(cmd); err == nil && r.options.Monitor != nil {
			err = r.withMonitor(cmd)
		}
	case s.options.Filter != nil:
		err = r.withPipes(cmd)
	}
	if err == nil {
		err = r.begin(cmd)
	}
	if err != nil {
		r.abandon()
		return nil, &StartError{argv[0], CodeNotExecutable, withoutPath(err)}
	}
	for _, st := range r.streams {
		st.start()
	}
	if r.tty != nil {
		if s.keys == nil {
			s.keys = new(keyboard)
			go func() { _, _ = io.Copy(s.keys, r.tty.outer) }() // ends with the process
		}
		r.tty.start(s.keys)
	}
	if r.monitor != nil {
		go r.follow()
	}
	if s.options.Started != nil {
		s.options.Started(r.pid)
	}
	return r, nil
}

// begin starts the program, or its monitor, which is waited for here for the sake of stops and orphans.
func (r *run) begin(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	child := cmd.Process.Pid
	_ = cmd.Process.Release()
	r.pid = child
	go r.wait(child)
	if r.monitor == nil {
		return nil
	}
	pid, err := r.monitor.begun()
	if err == nil {
		r.pid = pid
	}
	return err
}

func withoutPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (r *run) withPipes(cmd *exec.Cmd) error {
	for _, w := range []struct {
		to   *os.File
		into func(*os.File)
	}{
		{r.options.Stdout, func(f *os.File) { cmd.Stdout = f }},
		{r.options.Stderr, func(f *os.File) { cmd.Stderr = f }},
	} {
		st, err := newStream(w.to, r.options.Filter)
		if err != nil {
			return err
		}
		w.into(st.write)
		r.streams = append(r.streams, st)
	}
	return nil
}

// abandon lets go of what a start that failed had opened.
func (r *run) abandon() {
	for _, st := range r.streams {
		st.start()
		_ = st.finish()
	}
	if r.monitor != nil {
		_ = r.monitor.write.Close()
		_ = r.monitor.report.Close()
	}
	r.tty.restore()
}

// wait reports every change of the child's state; it ends with the child. As process 1 it buries orphans too. Of a monitor
// only the end matters, and nobody waits for the news of it.
func (r *run) wait(child int) {
	target := child
	if r.first {
		target = -1
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(target, &status, unix.WUNTRACED|unix.WCONTINUED, nil)
		if err == unix.EINTR || err == nil && pid != child {
			continue
		}
		if err != nil { // somebody else has waited for it: its code is lost
			status = unix.WaitStatus(1 << 8)
		}
		if r.monitor == nil {
			r.events <- status
		}
		if status.Exited() || status.Signaled() {
			return
		}
	}
}

// loop passes signals on until the program has ended.
func (r *run) loop(ctx context.Context) unix.WaitStatus {
	done, restart := ctx.Done(), r.options.Restart
	for {
		select {
		case status := <-r.events:
			switch {
			case status.Exited() || status.Signaled():
				return status
			case status.Stopped():
				r.stopped(status.StopSignal())
			}
		case sig := <-r.signals:
			r.forward(sig.(unix.Signal))
		case <-r.kill:
			r.send(unix.SIGKILL)
		case <-done:
			done = nil
			r.end()
		case environ, ok := <-restart:
			switch {
			case !ok:
				restart = nil
			case r.options.Reload != nil:
				r.send(r.options.Reload.(unix.Signal))
			default:
				r.next = environ
				r.end()
			}
		}
	}
}

// forward passes a signal on as the contract says.
func (r *run) forward(sig unix.Signal) {
	switch sig {
	case unix.SIGTERM:
		if r.ending {
			r.send(unix.SIGKILL)
			return
		}
		r.next = nil
		r.end()
		return
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP:
		if r.tty == nil && r.isForeground() {
			return // the kernel has delivered it to the program as well
		}
	case unix.SIGWINCH:
		if r.tty != nil {
			r.tty.resize()
			return
		}
		if r.isForeground() {
			return
		}
	}
	r.send(sig)
}

// end asks the program to end and sets the time after which it is killed.
func (r *run) end() {
	if r.ending {
		return
	}
	r.ending = true
	r.kill = time.After(r.options.grace())
	r.send(unix.SIGTERM)
	r.send(unix.SIGCONT) // a stopped program could not end
}

// send reaches the program, and its group where it leads one.
func (r *run) send(sig unix.Signal) {
	target := r.pid
	if r.control == nil || r.tty != nil {
		target = -r.pid
	}
	if unix.Kill(target, sig) != nil {
		_ = unix.Kill(r.pid, sig)
	}
}

// stopped stops this process too, so that the shell sees the job stop, and lets both go on together.
func (r *run) stopped(sig unix.Signal) {
	if r.first || r.control == nil && sig == unix.SIGSTOP {
		return // nobody is there who would wake this process up
	}
	r.tty.pause()
	// The stop reaches some thread a little after kill returns. What follows must not happen before somebody says to go on:
	// it would wake the program, which then fights with the shell over the terminal.
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, unix.SIGCONT)
	_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
	<-goOn
	signal.Stop(goOn)
	r.tty.resume()
	r.send(unix.SIGCONT)
}
