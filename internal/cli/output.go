package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// output is stdout, or the file of -o: one that only its owner may read, and that appears when the command succeeded. A device or
// a pipe is written to as it is, and stays what it is.
type output struct {
	w    io.Writer
	file *os.File
	path string
}

func (o *output) Write(b []byte) (int, error) { return o.w.Write(b) }

// open turns to the file at path; "" and "-" are stdout.
func (o *output) open(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return failf(exitCannotWrite, "-o: %w", err)
		}
		o.w, o.file = f, f
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return failf(exitCannotWrite, "-o: %w", err)
	}
	o.w, o.file, o.path = f, f, path
	return nil
}

// settle puts the file in its place already: what it holds is shown once, whatever fails after this.
func (env Env) settle() error {
	if out, ok := env.Stdout.(*output); ok {
		return out.finish(true)
	}
	return nil
}

// finish puts the file in its place, or removes what there is of it.
func (o *output) finish(keep bool) error {
	if o.file == nil {
		return nil
	}
	if o.path == "" {
		err := o.file.Close()
		if o.file = nil; err != nil {
			return failf(exitCannotWrite, "-o: %w", err)
		}
		return nil
	}
	if !keep {
		_ = errors.Join(o.file.Close(), os.Remove(o.file.Name())) // the command's own error is the one to report
		return nil
	}
	name := o.file.Name()
	err := errors.Join(o.file.Sync(), o.file.Close())
	o.file = nil
	if err == nil {
		err = os.Rename(name, o.path)
	}
	if err != nil {
		_ = os.Remove(name) // it may hold values
		return failf(exitCannotWrite, "cannot write %s: %w", o.path, err)
	}
	return nil
}

// terminal says whether what is written is seen by a person.
func (o *output) terminal() bool { return o.file == nil && isTerminal(o.w) }
