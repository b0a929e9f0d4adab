package launch

import (
	"io"
	"os"
	"time"
)

// drain bounds how long the output of a program is awaited after its end: a grandchild in the background may keep the
// pipe open for ever.
const drain = time.Second

// stream carries what a program writes through a filter.
type stream struct {
	read   *os.File
	write  *os.File // the program's end; closed here once it is started
	filter io.WriteCloser
	done   chan struct{}
}

// newStream makes a pipe whose far end is filtered into to.
func newStream(to io.Writer, filter func(io.Writer) io.WriteCloser) (*stream, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stream{read: r, write: w, filter: filter(to), done: make(chan struct{})}, nil
}

// start begins to copy; the goroutine ends when the last writer is gone or finish gives up.
func (s *stream) start() {
	if s.write != nil {
		_ = s.write.Close()
	}
	go func() {
		defer close(s.done)
		_, _ = io.Copy(struct{ io.Writer }{s.filter}, s.read)
	}()
}

// finish waits for the rest of the output and flushes the filter.
func (s *stream) finish() error {
	select {
	case <-s.done:
	case <-time.After(drain):
		_ = s.read.SetReadDeadline(time.Now())
		select {
		case <-s.done:
		case <-time.After(drain):
		}
	}
	_ = s.read.Close()
	<-s.done
	return s.filter.Close()
}
