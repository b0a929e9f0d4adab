package store

import (
	"context"
	"iter"
	"sort"
	"sync"
	"time"
)

// DefaultFeed is how many changes a Feed remembers unless told otherwise.
const DefaultFeed = 16 << 10

// DefaultHeartbeat is how long a watcher waits at most for a sign of life.
const DefaultHeartbeat = time.Second

// Feed remembers the newest batches of an engine that lives in one process and hands them to watchers.
type Feed struct {
	keep      int
	heartbeat time.Duration

	mu      sync.Mutex
	batches []Batch       // guarded by mu; ascending by Upto
	changes int           // guarded by mu; in batches
	floor   Revision      // guarded by mu; changes up to here are forgotten
	last    Revision      // guarded by mu
	wake    chan struct{} // guarded by mu; closed and replaced at each publication
	end     error         // guarded by mu; why the feed ended
}

// NewFeed returns a feed of an engine that stands at the given revision.
func NewFeed(at Revision, keep int, heartbeat time.Duration) *Feed {
	if keep <= 0 {
		keep = DefaultFeed
	}
	if heartbeat <= 0 {
		heartbeat = DefaultHeartbeat
	}
	return &Feed{keep: keep, heartbeat: heartbeat, floor: at, last: at, wake: make(chan struct{})}
}

// Publish adds what was committed. The engine calls it in commit order, after the commit is durable and before it acknowledges.
func (f *Feed) Publish(b Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, b)
	f.changes += len(b.Changes)
	f.last = b.Upto
	drop := 0
	for f.changes > f.keep && drop < len(f.batches)-1 {
		f.changes -= len(f.batches[drop].Changes)
		f.floor = f.batches[drop].Upto
		f.batches[drop] = Batch{} // let go of the keys now, the array follows when it grows
		drop++
	}
	f.batches = f.batches[drop:]
	f.turn()
}

// Reset forgets everything and stands at the given revision, as after a Load.
func (f *Feed) Reset(at Revision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches, f.changes, f.floor, f.last = nil, 0, at, at
	f.turn()
}

// Close ends all watches with the error.
func (f *Feed) Close(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil {
		f.end = err
		f.turn()
	}
}

// turn wakes the watchers. The caller holds mu.
func (f *Feed) turn() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// Watch is Shared.Watch.
func (f *Feed) Watch(ctx context.Context, after Revision) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		beat := time.NewTimer(f.heartbeat)
		defer beat.Stop()
		for {
			batches, at, wake, err := f.since(after)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Batch{}, err)
				return
			}
			for _, b := range batches {
				if !yield(b, nil) {
					return
				}
				after = b.Upto
			}
			if len(batches) > 0 {
				continue
			}
			beat.Reset(f.heartbeat)
			select {
			case <-ctx.Done():
			case <-wake:
			case <-beat.C:
				if !yield(Batch{Upto: at}, nil) {
					return
				}
			}
		}
	}
}

// since returns what came after a revision, where the feed stands, and what to wait for when there is nothing.
func (f *Feed) since(after Revision) ([]Batch, Revision, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end != nil {
		return nil, 0, nil, f.end
	}
	if after < f.floor || after > f.last {
		return nil, 0, nil, ErrCompacted
	}
	i := sort.Search(len(f.batches), func(i int) bool { return f.batches[i].Upto > after })
	return append([]Batch(nil), f.batches[i:]...), f.last, f.wake, nil
}
