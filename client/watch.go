package client

import (
	"context"
	"crypto/rand"
	"iter"
	"math/big"
	"time"
)

// The pause between two questions of Watch.
const (
	leastPause = time.Second
	mostPause  = time.Minute
)

// Watch asks for the settings every so often and yields them at the start and whenever they changed. An error is yielded
// once when it begins, and the watch goes on, with growing pauses, until the server answers again: a program keeps the
// settings it has. It ends when ctx ends or the loop is left. Each question is a read in the server's audit log; every is at
// least a second.
func (s *Space) Watch(ctx context.Context, every time.Duration) iter.Seq2[*Values, error] {
	return func(yield func(*Values, error) bool) {
		every = max(every, leastPause)
		var last *Values
		failing := false
		for pause := every; ; {
			v, err := s.ask(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				pause = min(pause*2, max(mostPause, every))
				if !failing && !yield(nil, err) {
					return
				}
			case last == nil || !v.equal(last):
				last, pause = v, every
				if !yield(v, nil) {
					return
				}
			default:
				pause = every
			}
			failing = err != nil
			if !sleep(ctx, pause) {
				return
			}
		}
	}
}

// ask is Refresh without the bridge over a server that is away: what was not asked did not change.
func (s *Space) ask(ctx context.Context) (*Values, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.fetch(ctx)
	if err == nil {
		s.held = v
	}
	return v, err
}

// sleep waits for a pause and up to a tenth of it, so that a fleet does not ask in step.
func sleep(ctx context.Context, pause time.Duration) bool {
	more, err := rand.Int(rand.Reader, big.NewInt(int64(pause)/10+1))
	if err != nil {
		panic("client: internal error: no randomness: " + err.Error())
	}
	t := time.NewTimer(pause + time.Duration(more.Int64()))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
