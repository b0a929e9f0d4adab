package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// headsAtOnce is how many heads a listing reads with one question to the engine.
const headsAtOnce = 100

// Stocktaking asks for a page of a Space's secrets with what is known of each.
type Stocktaking struct {
	Namespace secret.NamespaceID
	Space     string
	After     string                               // paths behind this one
	Limit     int                                  // 0: 100
	Keep      func(secret.Path, *secret.Head) bool // nil: all
	Count     bool                                 // count the secrets that the caller may see, too; Keep is not asked
}

// Item is one secret of a listing. Its Head is not to be changed.
type Item struct {
	Path secret.Path
	Head *secret.Head
}

// Stock is a page. Next is what the next one comes after, "" when there is none; a page may hold fewer than asked for,
// or none, and still have a next. Count is -1 when it was not asked for, or there are too many to count for one page.
type Stock struct {
	Items []Item
	Next  string
	Count int
}

// Inventory answers a page of the secrets in a Space whose metadata the caller may read, by path.
func (d *Desk) Inventory(ctx context.Context, c auth.Caller, q Stocktaking) (Stock, error) {
	t, sp, err := d.enter(ctx, c, secret.Ref{Namespace: q.Namespace, Space: q.Space}, verbList)
	if err != nil {
		return Stock{}, err
	}
	s, err := t.inventory(ctx, sp, q)
	if err == nil && q.Count {
		s.Count, err = t.count(ctx, sp)
	}
	if err != nil {
		return Stock{}, t.done(err)
	}
	return s, t.done(nil)
}

func (t *turn) inventory(ctx context.Context, sp *secret.Space, q Stocktaking) (Stock, error) {
	s := Stock{Count: -1}
	limit := pageLimit(q.Limit)
	after, left := q.After, lookAtMost
	for {
		names, err := t.namesAfter(ctx, sp, after, false)
		if err != nil {
			return s, err
		}
		seen := make([]string, 0, len(names))
		for _, e := range names {
			seen = append(seen, e.Key[len(spacePrefix(namePrefix, sp)):])
		}
		items, err := t.heads(ctx, sp, names)
		if err != nil {
			return s, err
		}
		for i, item := range items {
			after = seen[i]
			left--
			if item.Head != nil && (q.Keep == nil || q.Keep(item.Path, item.Head)) {
				s.Items = append(s.Items, item)
			}
			if len(s.Items) == limit || left <= 0 {
				s.Next = after
				return s, nil
			}
		}
		if len(names) < headsAtOnce {
			return s, nil
		}
	}
}

func (t *turn) namesAfter(ctx context.Context, sp *secret.Space, after string, keysOnly bool) ([]store.Entry, error) {
	prefix := spacePrefix(namePrefix, sp)
	q := store.Query{Prefix: prefix, Limit: headsAtOnce, KeysOnly: keysOnly}
	if keysOnly {
		q.Limit = lookAtOnce
	}
	if after != "" {
		q.After = prefix + after
	}
	entries, _, err := t.d.engine.List(ctx, q)
	return entries, storeError(err)
}

// heads reads what the names lead to. An item that the caller may not see, or that went away meanwhile, has no Head.
func (t *turn) heads(ctx context.Context, sp *secret.Space, names []store.Entry) ([]Item, error) {
	items := make([]Item, len(names))
	uids := make([]secret.UID, len(names))
	var keys []string
	var which []int
	for i, e := range names {
		name := e.Key[len(spacePrefix(namePrefix, sp)):]
		path, err := secret.ParsePath(name)
		if err != nil || !t.maySee(sp, name) {
			continue
		}
		if uids[i], err = t.d.openName(t.o, sp, e); err != nil {
			return nil, err
		}
		items[i].Path = path
		keys, which = append(keys, headKey(sp.Namespace, uids[i])), append(which, i)
	}
	if len(keys) == 0 {
		return items, nil
	}
	found, _, err := t.d.engine.Get(ctx, 0, keys...)
	if err != nil {
		return nil, storeError(err)
	}
	for n, e := range found {
		if e.Rev == 0 {
			continue
		}
		i := which[n]
		if items[i].Head, err = t.d.openHead(t.o, sp.Namespace, uids[i], e); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// count counts the secrets that the caller may see, up to what one page looks at.
func (t *turn) count(ctx context.Context, sp *secret.Space) (int, error) {
	n, after := 0, ""
	prefix := len(spacePrefix(namePrefix, sp))
	for left := lookAtMost; left > 0; left -= lookAtOnce {
		entries, err := t.namesAfter(ctx, sp, after, true)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			after = e.Key[prefix:]
			if t.maySee(sp, after) {
				n++
			}
		}
		if len(entries) < lookAtOnce {
			return n, nil
		}
	}
	return -1, nil
}
