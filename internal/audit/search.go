package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/keephold/keephold/internal/audit/segment"
)

// Search yields the records that answer q, oldest first.
func (l *Log) Search(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return Search(ctx, l.cfg.Dir, q)
}

// Search reads a directory. Bundles of which the index says that they hold no answer are passed over; those that
// the index does not know yet are read and, when nobody else does so, put into it.
func Search(ctx context.Context, dir string, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := &search{ctx: ctx, dir: dir, q: q, terms: q.terms(), yield: yield}
		if err := s.run(); err != nil && !errors.Is(err, errStopped) {
			yield(Entry{}, err)
		}
	}
}

// errStopped: the caller wants no more.
var errStopped = errors.New("search was stopped")

type search struct {
	ctx   context.Context
	dir   string
	q     Query
	terms [][]uint32
	yield func(Entry, error) bool
	r     *segment.Reader
}

func (s *search) run() error {
	x := openIndex(s.dir)
	defer x.close()
	defer func() {
		if s.r != nil {
			_ = s.r.Close()
		}
	}()
	files, err := segment.List(s.dir)
	if err != nil && !errors.Is(err, segment.ErrGap) {
		return err
	}
	if len(files) == 0 {
		return nil
	}
	first := files[0].Start.Seq
	var failed error
	x.each(func(n uint64, b *block) bool {
		if (n+1)*bundleSize <= first || !s.q.mayHold(b, s.terms) {
			return true
		}
		failed = s.scan(max(n*bundleSize, first), (n+1)*bundleSize, nil)
		return failed == nil
	})
	for n := x.blocks; failed == nil && n < x.have && n*bundleSize >= first; n++ {
		h, err := x.hashes.Read(1, n, 1)
		if err != nil {
			return err
		}
		b := newBlock(h[0])
		if failed = s.scan(n*bundleSize, (n+1)*bundleSize, b); failed == nil {
			x.append(b)
		}
		x.blocks = n + 1
	}
	if failed != nil {
		return failed
	}
	return s.scan(max(x.blocks*bundleSize, first), ^uint64(0), nil)
}

// scan yields the answers among the records from one number up to another, and adds all of them to b.
func (s *search) scan(from, to uint64, b *block) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.r == nil || s.r.Pos().Seq != from {
		if s.r != nil {
			_ = s.r.Close()
		}
		r, err := readerAt(s.dir, from)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.r = r
	}
	for s.r.Pos().Seq < to {
		seq := s.r.Pos().Seq
		rec, err := s.r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if seq < from {
			continue
		}
		e, err := DecodeEvent(rec)
		if err != nil {
			return fmt.Errorf("%d: %w", seq, err)
		}
		if b != nil {
			b.add(&e)
		}
		if s.q.Matches(&e) && !s.yield(Entry{seq, e}, nil) {
			return errStopped
		}
	}
	return nil
}
