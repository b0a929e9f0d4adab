package git

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/keephold/keephold/internal/scan"
)

// History is all content of a repository as a source: every blob, and the messages of commits and tags.
type History struct {
	Repo *Repo
	Seen *Seen // blobs looked at by earlier scans; may be nil

	clean   cleanTable
	layouts []*layout
	loose   []looseObject
	mu      sync.Mutex
	commits []commit // guarded by mu until Each returns
}

var _ scan.Source = (*History)(nil)

// messagePrefix marks the ids of chunks that are messages.
const messagePrefix = "message:"

// Each implements [scan.Source].
func (h *History) Each(ctx context.Context, visit func(scan.Chunk) int) (scan.Coverage, error) {
	r := h.Repo
	h.clean = newCleanTable()
	var cover scan.Coverage
	for _, p := range r.packs {
		l := p.layout()
		if l.bad > 0 {
			cover.SkipN("corrupt object", p.name, l.bad)
		}
		h.layouts = append(h.layouts, l)
	}
	h.loose = r.loose()
	cover.Add(r.walk(ctx, h.layouts, kindBlob, func(w *walker, id, data []byte, changed []scan.Region, whole bool) bool {
		return h.blob(visit, id, data, changed)
	}))
	cover.Add(r.walk(ctx, h.layouts, kindCommit, func(_ *walker, id, data []byte, _ []scan.Region, _ bool) bool {
		h.commit(visit, id, data)
		return true
	}))
	cover.Add(r.walk(ctx, h.layouts, kindTag, func(_ *walker, id, data []byte, _ []scan.Region, _ bool) bool {
		h.message(visit, id, data)
		return true
	}))
	cover.Add(h.eachLoose(ctx, visit))
	cover.Commits = int64(len(h.commits))
	if r.partial {
		n, example := h.missing(ctx)
		if n > 0 {
			cover.SkipN("object not in this clone", example, n)
		}
	}
	if r.shallow > 0 {
		cover.SkipN("history before a shallow boundary", "", int64(r.shallow))
	}
	if err := ctx.Err(); err != nil {
		return cover, fmt.Errorf("scan of %s: %w", r.common, err)
	}
	return cover, nil
}

// blob hands a blob on, as text. It reports whether something was found.
func (h *History) blob(visit func(scan.Chunk) int, id, data []byte, changed []scan.Region) bool {
	if changed != nil && len(changed) == 0 || h.Seen.has(id) {
		return false
	}
	if head := data[:min(len(data), 8000)]; bytes.IndexByte(head, 0) >= 0 {
		text, ok := scan.Text(data)
		if !ok {
			return false
		}
		data, changed = text, nil
	}
	if changed != nil {
		if changed = h.clean.drop(data, changed); len(changed) == 0 {
			h.Seen.add(id)
			return false
		}
	}
	found := visit(scan.Chunk{ID: hex.EncodeToString(id), Data: data, Regions: changed}) > 0
	if !found {
		h.Seen.add(id)
		h.clean.add(data, changed)
	}
	return found
}

func (h *History) commit(visit func(scan.Chunk) int, id, data []byte) {
	c, ok := h.Repo.parseCommit(id, data)
	if !ok {
		return
	}
	h.mu.Lock()
	h.commits = append(h.commits, c)
	h.mu.Unlock()
	h.message(visit, id, data)
}

// message hands on the message of a commit or tag, its headers left out but its signature too: that is no secret.
func (h *History) message(visit func(scan.Chunk) int, id, data []byte) {
	if _, text, ok := bytes.Cut(data, []byte("\n\n")); ok && len(text) > 0 {
		visit(scan.Chunk{ID: messagePrefix + hex.EncodeToString(id), Data: text})
	}
}

func (h *History) eachLoose(ctx context.Context, visit func(scan.Chunk) int) scan.Coverage {
	var mu sync.Mutex
	var cover scan.Coverage
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
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
					h.blob(visit, x, data, nil)
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

// missing counts the blobs that trees name and a partial clone does not hold.
func (h *History) missing(ctx context.Context) (int64, string) {
	var n atomic.Int64
	var once sync.Once
	example := ""
	here := map[id]bool{}
	for _, o := range h.loose {
		here[o.id] = true
	}
	check := func(data []byte) {
		_ = h.Repo.eachEntry(data, func(mode uint32, _, x []byte) {
			if mode == modeSubmodule || h.has(x) || here[makeID(x)] {
				return
			}
			n.Add(1)
			once.Do(func() { example = hex.EncodeToString(x) })
		})
	}
	h.Repo.walk(ctx, h.layouts, kindTree, func(_ *walker, _, data []byte, _ []scan.Region, _ bool) bool {
		check(data)
		return true
	})
	return n.Load(), example
}

func (h *History) has(x []byte) bool {
	for _, p := range h.Repo.packs {
		if p.find(x) >= 0 {
			return true
		}
	}
	return false
}
