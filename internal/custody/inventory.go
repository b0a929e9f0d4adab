package custody

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

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
	Named     func(secret.Path) bool               // nil: all; asked before anything is read of a secret
	Keep      func(secret.Path, *secret.Head) bool // nil: all
	From      Shelf                                // where to look
	Count     bool                                 // count the secrets that the caller may see, too; Keep is not asked
	Seen      bool                                 // say when each was last read
	Order     func(a, b Item) int                  // nil: by path; else the Space is looked at as a whole, for each page anew
	Skip      int                                  // of what comes in that Order
}

// Shelf says which secrets of a Space a listing shows.
type Shelf uint8

// The shelves.
const (
	Standing Shelf = 1 << iota // those that are there; the zero Shelf is this one
	Trashed                    // those that can be recovered
)

func (s Shelf) prefixes(sp *secret.Space) (out []string) {
	if s == 0 || s&Standing != 0 {
		out = append(out, spacePrefix(namePrefix, sp))
	}
	if s&Trashed != 0 {
		out = append(out, spacePrefix(tombPrefix, sp))
	}
	return out
}

// Item is one secret of a listing. Its Head is not to be changed.
type Item struct {
	Path secret.Path
	Head *secret.Head
	Seen time.Time // the day on which it was last read; zero where that is not known
}

// Stock is a page. Next is what the next one comes after, or in an Order how many come before it, "" when there is none; a page may hold fewer than asked for,
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
		s.Count, err = t.count(ctx, sp, q.From, q.Named)
	}
	if err != nil {
		return Stock{}, t.done(err)
	}
	return s, t.done(nil)
}

func (t *turn) inventory(ctx context.Context, sp *secret.Space, q Stocktaking) (Stock, error) {
	limit := pageLimit(q.Limit)
	if q.Order != nil {
		return t.ordered(ctx, sp, q, limit)
	}
	s, err := t.stock(ctx, sp, q, limit)
	if err == nil && q.Seen {
		err = t.lastRead(ctx, sp, s.Items)
	}
	return s, err
}

// ordered answers a page in another order than by path. It looks at as much as a page may look at, and at no more.
func (t *turn) ordered(ctx context.Context, sp *secret.Space, q Stocktaking, limit int) (Stock, error) {
	q.After = ""
	s, err := t.stock(ctx, sp, q, lookAtMost)
	if err == nil && q.Seen {
		err = t.lastRead(ctx, sp, s.Items)
	}
	if err != nil {
		return s, err
	}
	slices.SortStableFunc(s.Items, q.Order)
	s.Items, s.Next = s.Items[min(q.Skip, len(s.Items)):], ""
	if len(s.Items) > limit {
		s.Items, s.Next = s.Items[:limit], strconv.Itoa(q.Skip+limit)
	}
	return s, nil
}

func (t *turn) stock(ctx context.Context, sp *secret.Space, q Stocktaking, limit int) (Stock, error) {
	s := Stock{Count: -1}
	after, left := q.After, lookAtMost
	for {
		names, err := t.namesAfter(ctx, sp, q.From, after, false)
		if err != nil {
			return s, err
		}
		items, err := t.heads(ctx, sp, names, q.Named)
		if err != nil {
			return s, err
		}
		for i, item := range items {
			after = names[i].path
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

// named is a name of a Space with the path it stands for.
type named struct {
	store.Entry
	path string
}

// namesAfter answers a page of the shelf's names, by path. A path stands on one shelf at a time.
func (t *turn) namesAfter(ctx context.Context, sp *secret.Space, shelf Shelf, after string, keysOnly bool) ([]named, error) {
	limit := headsAtOnce
	if keysOnly {
		limit = lookAtOnce
	}
	var page []named
	for _, prefix := range shelf.prefixes(sp) {
		q := store.Query{Prefix: prefix, Limit: limit, KeysOnly: keysOnly}
		if after != "" {
			q.After = prefix + after
		}
		entries, _, err := t.d.engine.List(ctx, q)
		if err != nil {
			return nil, storeError(err)
		}
		for _, e := range entries {
			page = append(page, named{e, e.Key[len(prefix):]})
		}
	}
	slices.SortStableFunc(page, func(a, b named) int { return strings.Compare(a.path, b.path) })
	return page[:min(len(page), limit)], nil
}

// heads reads what the names lead to. An item that the caller may not see, or that went away meanwhile, has no Head.
func (t *turn) heads(ctx context.Context, sp *secret.Space, names []named, shows func(secret.Path) bool) ([]Item, error) {
	items := make([]Item, len(names))
	uids := make([]secret.UID, len(names))
	var keys []string
	var which []int
	for i, e := range names {
		path, err := secret.ParsePath(e.path)
		if err != nil || shows != nil && !shows(path) || !t.maySee(sp, e.path) {
			continue
		}
		if uids[i], err = t.d.openName(t.o, sp, e.Entry); err != nil {
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
func (t *turn) count(ctx context.Context, sp *secret.Space, shelf Shelf, shows func(secret.Path) bool) (int, error) {
	n, after := 0, ""
	for left := lookAtMost; left > 0; left -= lookAtOnce {
		entries, err := t.namesAfter(ctx, sp, shelf, after, true)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			after = e.path
			path, err := secret.ParsePath(after)
			if err == nil && (shows == nil || shows(path)) && t.maySee(sp, after) {
				n++
			}
		}
		if len(entries) < lookAtOnce {
			return n, nil
		}
	}
	return -1, nil
}
