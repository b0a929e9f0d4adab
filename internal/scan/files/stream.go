package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/keephold/keephold/internal/scan"
)

// Stream is standard input or another reader as a source.
type Stream struct {
	Name     string
	Reader   io.Reader
	Archives bool // an archive, which is not opened here, counts as not scanned
}

var _ scan.Source = (*Stream)(nil)

// A long stream is looked at in windows, so that memory stays bounded. Each is seen with a margin of its neighbours on both
// sides, which hardly any secret exceeds.
const (
	window = 8 << 20
	margin = 64 << 10
)

// Each implements [scan.Source]. Who hands over a stream wants it to be looked at, so binary content is looked at as well.
func (s *Stream) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	var cover scan.Coverage
	in := scan.TextReader(s.Reader)
	buf := make([]byte, 0, window)
	from := 0                         // where new bytes begin
	line, column, first := 0, 0, true // where the window begins
	for {
		n, err := io.ReadFull(in, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if first && s.Archives && archiveOf(buf) != nil {
			cover.Skip("archive on stdin", s.Name)
		}
		first = false
		to := len(buf)
		if err == nil {
			to -= margin
		}
		if to > from {
			visit(scan.Chunk{ID: s.Name, Data: buf, Regions: []scan.Region{{Start: from, End: to}}, Line: line, Column: column})
		}
		if err != nil {
			return s.end(ctx, cover, err)
		}
		gone := buf[:to-margin]
		if i := bytes.LastIndexByte(gone, '\n'); i >= 0 {
			line, column = line+bytes.Count(gone, []byte("\n")), len(gone)-i-1
		} else {
			column += len(gone)
		}
		from = margin
		buf = buf[:copy(buf, buf[len(gone):])]
	}
}

// end is that of a stream: its own, an interrupt, or a failure.
func (s *Stream) end(ctx context.Context, cover scan.Coverage, err error) (scan.Coverage, error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return cover, nil
	case ctx.Err() != nil:
		cover.Skip("interrupted", s.Name)
		return cover, ctx.Err()
	}
	return cover, fmt.Errorf("read %s: %w", s.Name, err)
}

// Locate implements [scan.Source].
func (s *Stream) Locate(_ context.Context, ids []string) (map[string][]scan.Place, error) {
	return here(ids), nil
}
