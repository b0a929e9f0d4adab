package redact

import (
	"io"
	"sync"

	"github.com/keephold/keephold/internal/leak"
)

// A Writer masks what passes through it. Close writes what was held back and must be called at the end; it does not
// close the writer below. Use one Writer for each stream: two streams through one Writer would hide each other's ends.
type Writer struct {
	mu   sync.Mutex // guards all below
	r    *Redactor
	w    io.Writer
	held []byte // could still grow into a secret
	done int    // leading bytes of held that a mask already written covers
	keys *keyLane
	line *lineLane
	out  []byte
	err  error
}

// Writer returns a writer that masks into w.
func (r *Redactor) Writer(w io.Writer) *Writer {
	x := &Writer{r: r, w: w}
	if r.rules != nil || len(r.opts.Rules) > 0 {
		x.line = &lineLane{r: r}
	}
	if !r.opts.ValueOnly {
		x.keys = &keyLane{r: r, names: newNames(r.opts.Names)}
	}
	return x
}

// Write implements io.Writer. After an error of the writer below, all writes return it.
func (x *Writer) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return 0, x.err
	}
	if err := x.pass(p, false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back.
func (x *Writer) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return x.err
	}
	return x.pass(nil, true)
}

// pass runs new bytes through the lanes: known values, then unknown tokens by line, then values of telling names.
func (x *Writer) pass(p []byte, last bool) error {
	x.out = x.out[:0]
	b := p
	if len(x.held) > 0 {
		x.held = append(x.held, p...)
		b = x.held
	}
	known := x.r.set.Load()
	live := len(b)
	if !last {
		live = known.Live(b)
	}
	end := x.emit(b, known.Spans(b), live)
	x.done = max(0, end-live)
	// held may be b's own array: move the rest to the front of it.
	x.held = append(x.held[:0], b[live:]...)
	out := x.out
	if x.line != nil {
		out = x.line.pass(out, last)
	}
	if x.keys != nil {
		out = x.keys.pass(out, last)
	}
	if len(out) == 0 {
		return nil
	}
	_, x.err = x.w.Write(out)
	return x.err
}

// emit appends b up to live to out, with one mask for each union of overlapping spans that begins before live, and
// returns where the last of them ends. A union that reaches beyond live is masked now; the bytes of it that remain
// held are remembered as done, so that they are neither printed nor masked again.
func (x *Writer) emit(b []byte, spans []leak.Span, live int) int {
	end := x.done // covered up to here by a mask that is written
	for _, s := range spans {
		if s.Start >= live {
			break
		}
		if s.Start < end {
			end = max(end, s.End)
			continue
		}
		x.out = append(x.out, b[end:s.Start]...)
		x.out = append(x.out, x.r.mask(s.Name)...)
		end = s.End
	}
	if end < live {
		x.out = append(x.out, b[end:live]...)
	}
	return end
}
