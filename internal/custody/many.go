package custody

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/secret"
)

// A folder's children are read together, in as many parts as there are processors: three questions to the engine for a part
// (names, heads, values) instead of three for each child.

// fetch finds the entries of children: in the cache, else in the store. One that went away meanwhile stays nil.
func (t *turn) fetch(ctx context.Context, sp *secret.Space, children []*child) error {
	return inParts(children, func(part []*child) error { return t.fetchPart(ctx, sp, part) })
}

func (t *turn) fetchPart(ctx context.Context, sp *secret.Space, children []*child) error {
	missing, keys, generations := make([]*child, 0, len(children)), make([]string, 0, len(children)), make([]uint64, 0, len(children))
	for _, c := range children {
		key := nameKey(sp, c.ref.Path)
		var generation uint64
		if c.entry, generation = t.d.cache.get(key); c.entry == nil {
			missing, keys, generations = append(missing, c), append(keys, key), append(generations, generation)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// The names are read after the generations were noted, as the cache demands of who fills it.
	names, _, err := t.d.engine.Get(ctx, 0, keys...)
	if err != nil {
		return storeError(err)
	}
	uids := make([]secret.UID, len(names))
	for i := range names {
		if names[i].Rev == 0 {
			continue
		}
		if uids[i], err = t.d.openName(t.o, sp, names[i]); err != nil {
			return err
		}
	}
	entries, err := t.d.loadAll(ctx, t.o, sp.Namespace, uids)
	if err != nil {
		return err
	}
	for i, c := range missing {
		if c.entry = entries[i]; c.entry != nil {
			c.entry.nameRev = names[i].Rev
			t.d.cache.fill(keys[i], c.entry, generations[i])
		}
	}
	return nil
}

// loadAll is load of many: nil where a head is gone. An empty uid has none.
func (d *Desk) loadAll(ctx context.Context, o *opened, ns secret.NamespaceID, uids []secret.UID) ([]*entry, error) {
	keys := make([]string, len(uids))
	for i, uid := range uids {
		keys[i] = headKey(ns, uid)
	}
	heads, at, err := d.engine.Get(ctx, 0, keys...)
	if err != nil {
		return nil, storeError(err)
	}
	out := make([]*entry, len(uids))
	for i := range heads {
		if heads[i].Rev == 0 {
			continue
		}
		head, err := d.openHead(o, ns, uids[i], heads[i])
		if err != nil {
			return nil, err
		}
		out[i] = &entry{head: head, headRev: heads[i].Rev}
	}
	which := make([]int, 0, len(out)) // of each key: the entry that wants it
	wanted := make([]string, 0, len(out))
	for i, e := range out {
		if e == nil {
			continue
		}
		if v := e.head.Find(e.head.Current); v != nil && v.State != secret.Destroyed {
			which, wanted = append(which, i), append(wanted, valueKey(ns, uids[i], v.Number))
		}
	}
	values, _, err := d.engine.Get(ctx, at, wanted...)
	if err != nil {
		return nil, storeError(err)
	}
	for j, i := range which {
		if values[j].Rev != 0 {
			out[i].number, out[i].sealed = out[i].head.Current, values[j].Value
			continue
		}
		if out[i], err = d.load(ctx, o, ns, uids[i]); err != nil { // pruned since its head was read, or damaged
			return nil, err
		}
	}
	return out, nil
}

// fewAtOnce is how many records one goroutine opens at least: below it, starting another takes longer.
const fewAtOnce = 64

// inParts calls do for parts of children that are all of them together, on as many processors as it is worth.
func inParts(children []*child, do func([]*child) error) error {
	n := len(children)
	workers := min(runtime.GOMAXPROCS(0), n/fewAtOnce)
	if workers < 2 {
		return do(children)
	}
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error { return do(children[w*n/workers : (w+1)*n/workers]) })
	}
	return g.Wait()
}
