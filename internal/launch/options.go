package launch

import (
	"io"
	"os"
	"time"
)

// MonitorArgument is the first argument of a process that has to call Monitor at once.
const MonitorArgument = "terminal-of-a-program"

// Options of Supervise. The zero value runs a program on the standard streams.
type Options struct {
	Stdin, Stdout, Stderr *os.File // nil: those of this process
	// Filter wraps what the program writes, for redaction. The two streams are filtered apart, unless PTY joins them.
	// Close is called once, after the last byte, and must write what it still holds.
	Filter func(io.Writer) io.WriteCloser
	// PTY gives the program a terminal of its own between it and the filter. It needs a terminal on Stdin.
	PTY bool
	// Monitor is how to call this program itself, its path first, so that it calls Monitor. Without it a program on a
	// terminal of its own cannot be stopped by ^Z.
	Monitor []string
	// Grace is how long a program may take to end after SIGTERM before it is killed; 0 means 10 s.
	Grace time.Duration
	// Restart delivers a new environment: the program is ended and started again with it. Closing it means no more.
	Restart <-chan []string
	// Reload, if set, is sent to the program in place of a restart.
	Reload os.Signal
	// Started is told the process id of every start.
	Started func(pid int)

	first bool // process 1's duties, for tests
}

func (o Options) grace() time.Duration {
	if o.Grace <= 0 {
		return 10 * time.Second
	}
	return o.Grace
}

func (o Options) withStreams() Options {
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	return o
}
