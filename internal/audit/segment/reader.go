package segment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// What can be wrong with the files.
var (
	ErrGap        = errors.New("a part of the log is missing")
	ErrNotRegular = errors.New("not a regular file")
	ErrReplaced   = errors.New("the file was replaced by another")
)

const readChunk = 128 << 10

// Reader reads records in order, across segments, also while they are written. It is not safe for concurrent use.
type Reader struct {
	dir  string
	pos  Position
	f    *os.File
	base int64 // offset of the first byte of f
	buf  []byte
	lo   int // buf[lo:hi] has been read and not been returned
	hi   int
}

// NewReader returns a reader whose first record is the one at p. Nothing is opened before the first Next.
func NewReader(dir string, p Position) *Reader { return &Reader{dir: dir, pos: p} }

// Pos is the place of the record that Next returns next.
func (r *Reader) Pos() Position { return r.pos }

// Close lets go of the open file. The reader may be used again; it opens the file anew.
func (r *Reader) Close() error {
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f, r.lo, r.hi = nil, 0, 0
	return err
}

// Next returns the next record; the slice is valid until the next call. At the present end of the log it
// returns io.EOF, or io.ErrUnexpectedEOF when a part of a record stands there; calling again later is allowed.
func (r *Reader) Next() ([]byte, error) {
	for {
		if r.f == nil {
			if err := r.open(); err != nil {
				return nil, err
			}
		}
		if r.lo < r.hi {
			rec, _, err := Cut(r.buf[r.lo:r.hi])
			if err == nil {
				r.lo += FrameHead + len(rec)
				r.pos.Seq++
				r.pos.Offset += int64(FrameHead + len(rec))
				return rec, nil
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, fmt.Errorf("audit record %d at byte %d: %w", r.pos.Seq, r.pos.Offset, err)
			}
		}
		n, err := r.fill()
		if err != nil {
			return nil, err
		}
		if n > 0 {
			continue
		}
		if r.hi > r.lo {
			return nil, io.ErrUnexpectedEOF
		}
		if err := r.next(); err != nil {
			return nil, err
		}
	}
}

// fill reads more of the open file behind what is buffered; 0 means the file ends here at present.
func (r *Reader) fill() (int, error) {
	if r.buf == nil {
		r.buf = make([]byte, readChunk)
	}
	if r.lo > 0 {
		r.hi = copy(r.buf, r.buf[r.lo:r.hi])
		r.lo = 0
	}
	at := r.pos.Offset + int64(r.hi) - r.base
	n, err := r.f.ReadAt(r.buf[r.hi:], at)
	r.hi += n
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("read audit segment: %w", err)
	}
	return n, nil
}

// next moves on to the segment that begins where this one ends, or returns io.EOF when there is none yet.
func (r *Reader) next() error {
	if r.pos.Offset == r.base {
		return io.EOF // an empty segment is its own successor
	}
	f, err := OpenRegular(filepath.Join(r.dir, r.pos.Name()), os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("open audit segment: %w", err)
	}
	_ = r.f.Close()
	r.f, r.base, r.lo, r.hi = f, r.pos.Offset, 0, 0
	return nil
}

// open finds the segment that holds the present position.
func (r *Reader) open() error {
	files, err := List(r.dir)
	if err != nil && !errors.Is(err, ErrGap) {
		return err
	}
	for i := len(files) - 1; i >= 0; i-- {
		if files[i].Start.Offset > r.pos.Offset {
			continue
		}
		if i+1 < len(files) && files[i].Start.Offset+files[i].Size < r.pos.Offset {
			break
		}
		f, err := OpenRegular(filepath.Join(r.dir, files[i].Start.Name()), os.O_RDONLY, 0)
		if err != nil {
			return fmt.Errorf("open audit segment: %w", err)
		}
		r.f, r.base, r.lo, r.hi = f, files[i].Start.Offset, 0, 0
		return nil
	}
	if len(files) == 0 && r.pos.Offset == 0 {
		return io.EOF
	}
	return fmt.Errorf("audit record %d at byte %d: %w", r.pos.Seq, r.pos.Offset, ErrGap)
}
