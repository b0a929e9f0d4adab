//go:build unix

package launch

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// terminal is the program's own terminal, between it and the filter. The methods of a nil terminal do nothing.
type terminal struct {
	outer  *os.File // what the person sits at
	master *os.File
	slave  *os.File
	raw    *term.State
	out    *stream
}

// withTerminal gives the program a terminal of its own, of the size of ours, and a session that it controls.
func (r *run) withTerminal(cmd *exec.Cmd) error {
	outer := r.options.Stdin
	if !term.IsTerminal(int(outer.Fd())) {
		return errors.New("no terminal to copy: a terminal for the program needs one on standard input")
	}
	master, slave, err := pty.Open()
	if err != nil {
		return err
	}
	filter := r.options.Filter
	if filter == nil {
		filter = func(w io.Writer) io.WriteCloser { return unfiltered{w} }
	}
	st := &stream{read: master, filter: filter(r.options.Stdout), done: make(chan struct{})}
	r.tty = &terminal{outer: outer, master: master, slave: slave, out: st}
	r.tty.resize()
	if modes, err := term.GetState(int(outer.Fd())); err == nil { // what stty was told holds for the program too
		_ = term.Restore(int(slave.Fd()), modes)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return nil
}

type unfiltered struct{ io.Writer }

func (unfiltered) Close() error { return nil }

// start carries bytes both ways.
func (t *terminal) start(keys *keyboard) {
	_ = t.slave.Close()
	t.raw, _ = term.MakeRaw(int(t.outer.Fd()))
	t.out.start()
	keys.lead(t.master)
}

func (t *terminal) resize() {
	if t != nil {
		_ = pty.InheritSize(t.outer, t.master)
	}
}

// pause gives the person their terminal back while the program is stopped.
func (t *terminal) pause() {
	if t != nil && t.raw != nil {
		_ = term.Restore(int(t.outer.Fd()), t.raw)
	}
}

func (t *terminal) resume() {
	if t != nil {
		_, _ = term.MakeRaw(int(t.outer.Fd()))
		t.resize()
	}
}

// restore shows the rest of the output and leaves the terminal as it was found.
func (t *terminal) restore() {
	if t == nil {
		return
	}
	if t.raw != nil {
		_ = t.out.finish()
	} else {
		_ = t.slave.Close()
		_ = t.master.Close()
	}
	t.pause()
	t.raw = nil
}
