package git

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/keephold/keephold/internal/scan"
)

// History is all content of a repository as a source: every blob, and the messages of commits and tags.
type History struct {
	Repo   *Repo
	Seen   *Seen                  // blobs looked at by earlier scans; may be nil
	Prefix string                 // stands before each path: the submodule's
	Wanted func(path string) bool // the paths that are looked for by name; may be nil

	layouts []*layout
	loose   []looseObject
	numbers *numbers
	mu      sync.Mutex
	commits []step // guarded by mu until Each returns
}

var _ scan.Source = (*History)(nil)

// step is what is kept of each commit.
type step struct {
	id, tree id
	parents  []id
	date     int64
}

// messagePrefix marks the ids of chunks that are messages.
const messagePrefix = "message:"

// Each implements [scan.Source].
func (h *History) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	r := h.Repo
	var cover scan.Coverage
	size := uint64(0)
	for _, p := range r.packs {
		l := p.layout()
		if l.bad > 0 {
			cover.SkipN("corrupt object", p.name, l.bad)
		}
		h.layouts = append(h.layouts, l)
		size += l.bytes(kindBlob)
	}
	h.loose = r.loose()
	table := newCleanTable(size)
	sieves := make([]sieve, workers()) // one for each goroutine
	for i := range sieves {
		sieves[i].table = table
	}
	cover.Add(r.walk(ctx, h.layouts, kindBlob, func(w *walker, at object, data []byte, changed []scan.Region) []scan.Region {
		return h.blob(visit, &sieves[w.worker], at.id, data, changed)
	}))
	cover.Add(r.walk(ctx, h.layouts, kindCommit, func(_ *walker, at object, data []byte, _ []scan.Region) []scan.Region {
		h.commit(visit, at.id, data)
		return nil
	}))
	cover.Add(r.walk(ctx, h.layouts, kindTag, func(_ *walker, at object, data []byte, _ []scan.Region) []scan.Region {
		h.message(visit, at.id, data)
		return nil
	}))
	cover.Add(h.eachLoose(ctx, visit, sieves))
	cover.Commits = int64(len(h.commits))
	if h.Wanted != nil {
		h.named(ctx, visit)
	}
	if r.partial {
		h.number()
		n, example := h.missing(ctx)
		if n > 0 {
			cover.SkipN("object not in this clone", example, n)
		}
	} else {
		cover.Add(h.lost(ctx))
	}
	if r.shallow > 0 {
		cover.SkipN(beforeShallow, "", int64(r.shallow))
	}
	if err := ctx.Err(); err != nil {
		return cover, fmt.Errorf("scan of %s: %w", r.common, err)
	}
	return cover, nil
}

// blob hands a blob on, as text, and returns what deltas on it have to be looked at for again.
func (h *History) blob(visit scan.Visit, s *sieve, id, data []byte, changed []scan.Region) []scan.Region {
	if changed != nil && len(changed) == 0 || h.Seen.has(id) {
		return nil
	}
	whole := []scan.Region{{Start: 0, End: len(data)}}
	if head := data[:min(len(data), 8000)]; bytes.IndexByte(head, 0) >= 0 {
		text, ok := scan.Text(data)
		if ok {
			visit(scan.Chunk{ID: hex.EncodeToString(id), Data: text})
		}
		return whole
	}
	if changed == nil {
		changed = whole
	}
	fresh := s.fresh(data, changed)
	if len(fresh) == 0 {
		h.Seen.add(id)
		return nil
	}
	finds := visit(scan.Chunk{ID: hex.EncodeToString(id), Data: data, Regions: fresh})
	s.remember(finds)
	if len(finds) == 0 {
		h.Seen.add(id)
	}
	return joined(finds)
}

func (h *History) commit(visit scan.Visit, id, data []byte) {
	c, ok := h.Repo.parseCommit(id, data)
	if !ok {
		return
	}
	h.mu.Lock()
	h.commits = append(h.commits, step{c.id, c.tree, c.parents, c.date.Unix()})
	h.mu.Unlock()
	h.message(visit, id, data)
}

// message hands on the message of a commit or tag, its headers left out but its signature too: that is no secret.
func (h *History) message(visit scan.Visit, id, data []byte) {
	if _, text, ok := bytes.Cut(data, []byte("\n\n")); ok && len(text) > 0 {
		visit(scan.Chunk{ID: messagePrefix + hex.EncodeToString(id), Data: text})
	}
}

func (h *History) eachLoose(ctx context.Context, visit scan.Visit, sieves []sieve) scan.Coverage {
	var mu sync.Mutex
	var cover scan.Coverage
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range sieves {
		s := &sieves[i]
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(h.loose) {
					return
				}
				o := h.loose[i]
				kind, data, err := o.read()
				x := o.id[:h.Repo.size]
				switch {
				case err != nil:
					mu.Lock()
					cover.Skip(reason(err), hex.EncodeToString(x))
					mu.Unlock()
				case kind == kindBlob:
					h.blob(visit, s, x, data, nil)
				case kind == kindCommit:
					h.commit(visit, x, data)
				case kind == kindTag:
					h.message(visit, x, data)
				}
			}
		})
	}
	wg.Wait()
	return cover
}

// missing counts what commits and trees name and a partial clone does not hold.
func (h *History) missing(ctx context.Context) (int64, string) {
	var n atomic.Int64
	var once sync.Once
	example := ""
	check := func(data []byte) {
		_ = h.Repo.eachEntry(data, func(mode uint32, _, x []byte) {
			if mode == modeSubmodule || h.numbers.find(x) >= 0 {
				return
			}
			n.Add(1)
			once.Do(func() { example = hex.EncodeToString(x) })
		})
	}
	h.Repo.walk(ctx, h.layouts, kindTree, func(_ *walker, _ object, data []byte, _ []scan.Region) []scan.Region {
		check(data)
		return nil
	})
	for _, c := range h.commits {
		if x := c.tree[:h.Repo.size]; h.numbers.find(x) < 0 {
			n.Add(1)
			once.Do(func() { example = hex.EncodeToString(x) })
		}
	}
	return n.Load(), example
}
