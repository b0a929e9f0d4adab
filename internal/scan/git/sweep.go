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

// visitor is called with each object of a walk. changed lists what differs from the base (nil: everything counts);
// the result says whether children have to be looked at whole, because the base holds a find that they may share.
type visitor func(w *walker, id []byte, data []byte, changed []scan.Region, whole bool) bool

// walker rebuilds delta trees. Each goroutine has its own.
type walker struct {
	inflater
	l       *layout
	visit   visitor
	delta   []byte
	levels  [][]byte // one buffer for each depth of the tree
	regions []scan.Region
	cover   scan.Coverage
	number  int // of the goroutine
}

// maxDepth bounds the recursion; git itself writes chains of at most 4095.
const maxDepth = 5000

// walk visits all objects of a kind in all packs, on all processors.
func (r *Repo) walk(ctx context.Context, layouts []*layout, kind uint8, visit visitor) scan.Coverage {
	type job struct {
		l    *layout
		root int32
	}
	var jobs []job
	for _, l := range layouts {
		for _, k := range l.roots(kind) {
			jobs = append(jobs, job{l, k})
		}
	}
	workers := runtime.GOMAXPROCS(0)
	walkers := make([]*walker, workers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range workers {
		w := &walker{visit: visit, number: i}
		walkers[i] = w
		wg.Go(func() {
			for ctx.Err() == nil {
				const batch = 16
				from := int(next.Add(batch)) - batch
				if from >= len(jobs) {
					return
				}
				for _, j := range jobs[from:min(len(jobs), from+batch)] {
					w.l = j.l
					w.root(j.root)
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

func (w *walker) level(depth int) *[]byte {
	for len(w.levels) <= depth {
		w.levels = append(w.levels, nil)
	}
	return &w.levels[depth]
}

func (w *walker) root(k int32) {
	l := w.l
	if l.size[k] > maxObject {
		w.skip(k, errTooBig)
		return
	}
	buf := w.level(0)
	data, err := w.inflate(l.pack.data[l.body[k]:], l.size[k], *buf)
	if err != nil {
		w.skip(k, err)
		return
	}
	*buf = data
	whole := w.visit(w, l.id(k), data, nil, true)
	w.children(k, data, whole, 1)
	if cap(*buf) > 16<<20 { // one giant must not stay
		*buf = nil
	}
}

func (w *walker) children(k int32, base []byte, whole bool, depth int) {
	l := w.l
	for c := l.first[k]; c >= 0; c = l.next[c] {
		if depth > maxDepth || l.size[c] > maxObject {
			w.skip(c, errTooBig)
			continue
		}
		var err error
		if w.delta, err = w.inflate(l.pack.data[l.body[c]:], l.size[c], w.delta); err != nil {
			w.skip(c, err)
			continue
		}
		w.regions = w.regions[:0]
		buf := w.level(depth)
		data, err := patch(base, w.delta, *buf, w.change)
		*buf = data
		if err != nil {
			w.skip(c, err)
			continue
		}
		var changed []scan.Region
		if !whole {
			changed = margins(data, w.regions)
		}
		more := w.visit(w, l.id(c), data, changed, whole)
		w.children(c, data, more, depth+1)
		if cap(*w.level(depth)) > 16<<20 {
			*w.level(depth) = nil
		}
	}
}

func (w *walker) change(start, end int) {
	if n := len(w.regions); n > 0 && start <= w.regions[n-1].End+margin {
		w.regions[n-1].End = end
		return
	}
	w.regions = append(w.regions, scan.Region{Start: start, End: end})
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

// margin is how much of the surroundings a change is looked at with, at least; it is then extended to whole lines.
const (
	margin   = 192
	lineMost = 1024
)

// margins widens the changed stretches of data and joins those that meet. An empty, non-nil result means that nothing
// is new.
func margins(data []byte, changed []scan.Region) []scan.Region {
	out := make([]scan.Region, 0, len(changed))
	for _, c := range changed {
		start, end := max(0, c.Start-margin), min(len(data), c.End+margin)
		for n := 0; start > 0 && n < lineMost && data[start-1] != '\n'; n++ {
			start--
		}
		for n := 0; end < len(data) && n < lineMost && data[end-1] != '\n'; n++ {
			end++
		}
		if n := len(out); n > 0 && start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, end)
			continue
		}
		out = append(out, scan.Region{Start: start, End: end})
	}
	return out
}
