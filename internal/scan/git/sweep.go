package git

import (
	"context"
	"encoding/hex"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/keephold/keephold/internal/scan"
)

// visitor is called with each object of a walk. changed lists what differs from the base (nil: everything counts). The
// result, ordered and apart, is what has to be looked at again where a delta copies it: finds, and what was not looked at.
type visitor func(w *walker, at object, data []byte, changed []scan.Region) []scan.Region

// object is an entry of a pack: the number of it in the walk's packs, and its id.
type object struct {
	number int32
	id     []byte
}

// walker rebuilds delta trees. Each goroutine has its own.
type walker struct {
	inflater
	job
	visit   visitor
	delta   []byte
	free    [][]byte // buffers for objects
	spare   int      // bytes of them
	changes changes
	cover   scan.Coverage
	worker  int // which goroutine
}

// job is the root of a delta tree.
type job struct {
	l     *layout
	first int32 // number of the pack's first object
	root  int32
}

const (
	maxChain   = 5000    // deltas one on another; git itself writes at most 4095
	freeMost   = 8       // buffers that a walker keeps
	freeLength = 4 << 20 // bytes of all of them: giants must not stay
)

// walk visits all objects of a kind in all packs, on all processors.
func (r *Repo) walk(ctx context.Context, layouts []*layout, kind uint8, visit visitor) scan.Coverage {
	var jobs []job
	first := int32(0)
	for _, l := range layouts {
		for _, k := range l.roots(kind) {
			jobs = append(jobs, job{l, first, k})
		}
		first += int32(len(l.offs))
	}
	walkers := make([]*walker, workers())
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range walkers {
		w := &walker{visit: visit, worker: i, changes: changes{regions: make([]scan.Region, 0, 64)}}
		walkers[i] = w
		wg.Go(func() {
			for ctx.Err() == nil {
				const batch = 16
				from := int(next.Add(batch)) - batch
				if from >= len(jobs) {
					return
				}
				for _, j := range jobs[from:min(len(jobs), from+batch)] {
					w.job = j
					w.tree()
				}
			}
		})
	}
	wg.Wait()
	var c scan.Coverage
	for _, w := range walkers {
		c.Add(w.cover)
	}
	if ctx.Err() != nil {
		c.SkipN("interrupted", "", max(0, int64(len(jobs))-next.Load()))
	}
	return c
}

// take returns a buffer for an object, and give takes it back.
func (w *walker) take() []byte {
	n := len(w.free)
	if n == 0 {
		return nil
	}
	b := w.free[n-1]
	w.free = w.free[:n-1]
	w.spare -= cap(b)
	return b
}

func (w *walker) give(b []byte) {
	if len(w.free) < freeMost && w.spare+cap(b) <= freeLength {
		w.free = append(w.free, b)
		w.spare += cap(b)
	}
}

// tree walks the delta tree of the job.
func (w *walker) tree() {
	l, k := w.l, w.root
	if l.size[k] > maxObject {
		w.skip(k, errTooBig)
		return
	}
	data, err := w.inflate(l.pack.data[l.body[k]:], l.size[k], w.take())
	if err != nil {
		w.give(data)
		w.skip(k, err)
		return
	}
	again := w.visit(w, w.object(k), data, nil)
	w.children(k, data, again, 1)
}

func (w *walker) object(k int32) object { return object{w.first + k, w.l.id(k)} }

// children walks the deltas on an object, whose buffer it gives back: before the last of them, so that a chain needs two
// buffers however long it is.
func (w *walker) children(k int32, base []byte, again []scan.Region, depth int) {
	l := w.l
	for c := l.first[k]; c >= 0; {
		data, ok := w.child(c, base, again, depth)
		last := l.next[c] < 0
		if last {
			w.give(base)
		}
		if !ok {
			w.give(data)
			if last {
				return
			}
			c = l.next[c]
			continue
		}
		more := w.visit(w, w.object(c), data, w.changes.regions)
		if !last {
			w.children(c, data, more, depth+1)
			c = l.next[c]
			continue
		}
		base, again, c = data, more, l.first[c]
		depth++
	}
	w.give(base)
}

// child rebuilds the object that the delta c makes of base, and notes in w.changes what differs, and what of base counts
// again.
func (w *walker) child(c int32, base []byte, again []scan.Region, depth int) ([]byte, bool) {
	l := w.l
	if depth > maxChain || l.size[c] > maxObject {
		w.skip(c, errTooBig)
		return nil, false
	}
	var err error
	if w.delta, err = w.inflate(l.pack.data[l.body[c]:], l.size[c], w.delta); err != nil {
		w.skip(c, err)
		return nil, false
	}
	if cap(w.delta) > freeLength {
		defer func() { w.delta = nil }()
	}
	w.changes.regions, w.changes.again = w.changes.regions[:0], again
	data, err := patch(base, w.delta, w.take(), &w.changes)
	if err != nil {
		w.skip(c, err)
		return data, false
	}
	return data, true
}

// skip counts an object, and its deltas, that cannot be rebuilt.
func (w *walker) skip(k int32, err error) {
	n := int64(0)
	stack := []int32{k}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n++
		for c := w.l.first[e]; c >= 0; c = w.l.next[c] {
			stack = append(stack, c)
		}
	}
	w.cover.SkipN(reason(err), hex.EncodeToString(w.l.id(k)), n)
}

func reason(err error) string {
	switch {
	case errors.Is(err, errTooBig):
		return "object larger than the bound"
	case errors.Is(err, errMissing):
		return "object not in this clone"
	}
	return "corrupt object"
}

// workers is how many goroutines a walk has.
func workers() int { return runtime.GOMAXPROCS(0) }
