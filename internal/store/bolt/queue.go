package bolt

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/keephold/keephold/internal/store"
)

// What one transaction takes from the queue at most.
const (
	maxRequests = 256
	maxBytes    = 4 << 20
)

// The life of a request: the committer takes it, or its caller gives up first. Whoever wins the step from waiting decides.
const (
	waiting int32 = iota
	taken
	dropped
)

// request is one Apply, or one job that wants the file for itself.
type request struct {
	ops   []store.Op
	size  int
	job   func() error // instead of ops
	state atomic.Int32
	done  chan struct{} // closed by the committer; then rev and err are set
	rev   store.Revision
	err   error
}

func (r *request) finish(rev store.Revision, err error) {
	r.rev, r.err = rev, err
	close(r.done)
}

// queue holds what waits for the committer. It is as long as there are callers.
type queue struct {
	mu     sync.Mutex
	list   []*request    // guarded by mu
	closed bool          // guarded by mu
	wake   chan struct{} // holds one token when there may be something to do
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// run hands a request to the committer and waits for the outcome. When ctx ends first, the request is taken back, unless the committer
// already has it: then its outcome is worth the wait.
func (q *queue) run(ctx context.Context, r *request) (store.Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return 0, store.ErrClosed
	}
	q.list = append(q.list, r)
	q.mu.Unlock()
	q.signal()
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, dropped) {
			return 0, ctx.Err()
		}
		<-r.done
	}
	return r.rev, r.err
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for requests and returns the next batch: several Applies, or one job. It returns nil when the queue is closed and empty.
func (q *queue) take(batch []*request) []*request {
	if len(batch) > 1 {
		q.gather()
	}
	for {
		q.mu.Lock()
		batch = q.next(batch[:0])
		closed, more := q.closed, len(q.list) > 0
		q.mu.Unlock()
		switch {
		case len(batch) > 0:
			return batch
		case more:
			continue
		case closed:
			return nil
		}
		<-q.wake
	}
}

// gather lets the callers that were just answered come back with their next request, as long as every other look finds more of them.
// Without it each transaction would hold half of them: those that were quicker than the committer, and then the rest. It
// is no timer: it gives the processor away and returns as soon as nobody comes.
func (q *queue) gather() {
	for seen, idle := 0, 0; idle < 2 && seen < maxRequests; {
		runtime.Gosched()
		q.mu.Lock()
		n := len(q.list)
		q.mu.Unlock()
		if n > seen {
			seen, idle = n, 0
		} else {
			idle++
		}
	}
}

// next moves a batch out of the list. The caller holds mu.
func (q *queue) next(batch []*request) []*request {
	bytes, used := 0, 0
	for _, r := range q.list {
		if len(batch) > 0 && (r.job != nil || bytes+r.size > maxBytes) {
			break
		}
		used++
		if !r.state.CompareAndSwap(waiting, taken) {
			continue
		}
		batch = append(batch, r)
		bytes += r.size
		if r.job != nil || len(batch) == maxRequests {
			break
		}
	}
	rest := copy(q.list, q.list[used:])
	clear(q.list[rest:])
	q.list = q.list[:rest]
	return batch
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}
