package custody

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/secret"
)

// A folder's children are read together: three questions to the engine (names, heads, values) instead of three for each
// child, and what is sealed is opened on all processors.

// fetch finds the entries of children: in the cache, else in the store. One that went away meanwhile stays nil.
func (t *turn) fetch(ctx context.Context, sp *secret.Space, children []*child) error {
	var missing []*child
	var keys []string
	var generations []uint64
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
	err = inParallel(len(names), func(i int) (err error) {
		if names[i].Rev != 0 {
			uids[i], err = t.d.openName(t.o, sp, names[i])
		}
		return err
	})
	if err != nil {
		return err
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
	err = inParallel(len(uids), func(i int) error {
		if heads[i].Rev == 0 {
			return nil
		}
		head, err := d.openHead(o, ns, uids[i], heads[i])
		out[i] = &entry{head: head, headRev: heads[i].Rev}
		return err
	})
	if err != nil {
		return nil, err
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

// inParallel calls do for each number below n, on as many processors as it is worth.
func inParallel(n int, do func(int) error) error {
	workers := min(runtime.GOMAXPROCS(0), n/fewAtOnce)
	if workers < 2 {
		for i := range n {
			if err := do(i); err != nil {
				return err
			}
		}
		return nil
	}
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
