package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/keephold/keephold/internal/audit/segment"
)

// Sink takes records somewhere else. Append returns nil only when the place holds all of them; records come in
// order, and again after a failure or a crash: Seq tells them apart. The slices belong to the caller after the
// return. A sink is called by one goroutine at a time, never by one that serves a request.
type Sink interface {
	Append(ctx context.Context, records []Record) error
}

// Follower reads the durable records of an open log, for sinks. It is not safe for concurrent use.
type Follower struct {
	l    *Log
	from uint64
	r    *segment.Reader
}

// Follow begins at record from.
func (l *Log) Follow(from uint64) *Follower { return &Follower{l: l, from: from} }

// Next waits for durable records and returns at most limit of them.
func (f *Follower) Next(ctx context.Context, limit int) ([]Record, error) {
	for f.from >= f.l.tree.hashed.Load() {
		if err := f.l.Err(); errors.Is(err, ErrClosed) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(followEvery):
		}
	}
	durable := f.l.tree.hashed.Load()
	if f.r == nil {
		r, err := readerAt(f.l.cfg.Dir, f.from)
		if err != nil {
			return nil, err
		}
		f.r = r
	}
	var out []Record
	for len(out) < limit {
		seq := f.r.Pos().Seq
		if seq >= durable {
			break
		}
		rec, err := f.r.Next()
		if err != nil {
			_ = f.Close()
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("follow audit log at record %d: %w", seq, err)
		}
		if seq >= f.from {
			out = append(out, Record{Seq: seq, Data: append([]byte(nil), rec...)})
			f.from = seq + 1
		}
	}
	return out, nil
}

// Close lets go of the open file; Next may be called again.
func (f *Follower) Close() error {
	if f.r == nil {
		return nil
	}
	err := f.r.Close()
	f.r = nil
	return err
}

// AppendLine appends the record with its number as first member, as people and sinks see it.
func (r Record) AppendLine(dst []byte) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, r.Seq, 10)
	if len(r.Data) > 1 {
		dst = append(dst, ',')
		dst = append(dst, r.Data[1:]...)
	}
	return dst
}
