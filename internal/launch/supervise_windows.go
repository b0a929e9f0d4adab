//go:build windows

package launch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Supervise runs a program in a job object, so that it ends with this process, and returns the code to exit with. ^C
// and the end of ctx become CTRL_BREAK for the program's group; after the grace period the job is ended.
//
// BUG(launch): built, but not yet run on Windows by our tests; PTY and Reload are not supported there.
func Supervise(ctx context.Context, argv, environ []string, o Options) (int, error) {
	o = o.withStreams()
	if o.PTY || o.Reload != nil {
		return CodeNotExecutable, &StartError{argv[0], CodeNotExecutable, errors.ErrUnsupported}
	}
	for {
		code, next, err := superviseOnce(ctx, argv, environ, o)
		if next == nil {
			return code, err
		}
		environ = next
	}
}

func superviseOnce(ctx context.Context, argv, environ []string, o Options) (code int, next []string, err error) {
	path, err := find(argv[0])
	if err != nil {
		var start *StartError
		errors.As(err, &start)
		return start.Code, nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: argv, Env: environ, Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr,
		SysProcAttr: &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}}
	var streams []*stream
	if o.Filter != nil {
		for _, w := range []*os.File{o.Stdout, o.Stderr} {
			st, err := newStream(w, o.Filter)
			if err != nil {
				return CodeNotExecutable, nil, err
			}
			streams = append(streams, st)
		}
		cmd.Stdout, cmd.Stderr = streams[0].write, streams[1].write
	}
	if err := cmd.Start(); err != nil {
		return CodeNotExecutable, nil, &StartError{argv[0], CodeNotExecutable, err}
	}
	job, err := newJob(cmd.Process.Pid)
	if err == nil {
		defer func() { _ = windows.CloseHandle(job) }()
	}
	for _, st := range streams {
		st.start()
	}
	if o.Started != nil {
		o.Started(cmd.Process.Pid)
	}
	next = awaitWindows(ctx, cmd, job, o)
	for _, st := range streams {
		_ = st.finish()
	}
	return cmd.ProcessState.ExitCode(), next, nil
}

func awaitWindows(ctx context.Context, cmd *exec.Cmd, job windows.Handle, o Options) (next []string) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	done, restart := ctx.Done(), o.Restart
	var kill <-chan time.Time
	end := func() {
		_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(cmd.Process.Pid))
		if kill == nil {
			kill = time.After(o.grace())
		}
	}
	for {
		select {
		case <-ended:
			return next
		case <-signals:
			end()
		case <-done:
			done = nil
			end()
		case <-kill:
			_ = windows.TerminateJobObject(job, 1)
			_ = cmd.Process.Kill()
		case environ, ok := <-restart:
			if !ok {
				restart = nil
				continue
			}
			next = environ
			end()
		}
	}
}

// newJob puts a process into a job that ends when its last handle is closed.
func newJob(pid int) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)),
		uint32(unsafe.Sizeof(info)))
	if err == nil {
		var process windows.Handle
		process, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
		if err == nil {
			err = windows.AssignProcessToJobObject(job, process)
			_ = windows.CloseHandle(process)
		}
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return 0, err
	}
	return job, nil
}
