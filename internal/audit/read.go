package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/keephold/keephold/internal/audit/segment"
)

// followEvery is how often a follower looks for more records.
const followEvery = 50 * time.Millisecond

// Events yields the records from number from on, to the present end of the log.
func (l *Log) Events(ctx context.Context, from uint64) iter.Seq2[Entry, error] {
	return Events(ctx, l.cfg.Dir, from)
}

// Tail yields the records from number from on and waits for more until ctx ends.
func (l *Log) Tail(ctx context.Context, from uint64) iter.Seq2[Entry, error] {
	return Tail(ctx, l.cfg.Dir, from)
}

// Events reads a directory, also one that another process appends to. It takes no lock.
func Events(ctx context.Context, dir string, from uint64) iter.Seq2[Entry, error] {
	return decoded(Records(ctx, dir, from, false))
}

// Tail is Events and then what is appended later, until ctx ends.
func Tail(ctx context.Context, dir string, from uint64) iter.Seq2[Entry, error] {
	return decoded(Records(ctx, dir, from, true))
}

func decoded(records iter.Seq2[Record, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for r, err := range records {
			e := Entry{Seq: r.Seq}
			if err == nil {
				if e.Event, err = DecodeEvent(r.Data); err != nil {
					err = fmt.Errorf("%d: %w", r.Seq, err)
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Records yields undecoded records; each Data is the caller's. An error ends the sequence.
func Records(ctx context.Context, dir string, from uint64, follow bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r, err := readerAt(dir, from)
		for errors.Is(err, io.EOF) && follow && wait(ctx) {
			r, err = readerAt(dir, from)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				yield(Record{}, err)
			}
			return
		}
		defer r.Close()
		for ctx.Err() == nil {
			seq := r.Pos().Seq
			rec, err := r.Next()
			switch {
			case err == nil:
				if seq >= from && !yield(Record{Seq: seq, Data: append([]byte(nil), rec...)}, nil) {
					return
				}
			case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
				yield(Record{Seq: seq}, err)
				return
			case !follow || !wait(ctx):
				return
			}
		}
		if !follow {
			yield(Record{}, ctx.Err())
		}
	}
}

func wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(followEvery):
		return true
	}
}

// readerAt returns a reader that stands at or before record seq, as near as the index of bundles allows.
func readerAt(dir string, seq uint64) (*segment.Reader, error) {
	files, err := segment.List(dir)
	if err != nil && !errors.Is(err, segment.ErrGap) {
		return nil, err
	}
	var start segment.Position
	for i, f := range files {
		if i == 0 || f.Start.Seq <= seq {
			start = f.Start
		}
	}
	if start.Seq > seq {
		return nil, fmt.Errorf("audit record %d: %w: the first one here is %d", seq, segment.ErrGap, start.Seq)
	}
	if len(files) == 0 && seq > 0 {
		return nil, io.EOF
	}
	f, err := segment.OpenRegular(filepath.Join(dir, bundleName), os.O_RDONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if n := min(seq/bundleSize, uint64(max(info.Size()/8, 1))-1); info.Size() >= 8 && n*bundleSize > start.Seq {
			off, err := bundleOffset(f, n)
			if err != nil {
				return nil, err
			}
			start = segment.Position{Seq: n * bundleSize, Offset: off}
		}
	}
	return segment.NewReader(dir, start), nil
}
