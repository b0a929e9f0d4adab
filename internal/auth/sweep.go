package auth

import (
	"context"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// What a mark of a revoked token says is left to do: all that hangs on it, or only what it kept for itself.
const (
	goneAll = "all"
	goneOwn = "own"
)

const kindHollow = "hol" // hol/INDEX: a token that was revoked alone; it goes when its last child has gone

func hollowKey(index string) string { return kindHollow + "/" + index }

// sweepPage is how many tokens one Sweep looks at: few enough that its Changes, at most six a token, are one commit on
// every engine.
const sweepPage = 20

// Swept is what one Sweep did.
type Swept struct {
	Removed int  // tokens
	More    bool // call again
}

// Sweep gives back the space of tokens that expired or hung on one that is no more, one page at a time. It decides
// nothing: all of them are refused already. Custody runs it as the house itself, now and then, and again while there is
// More; a start needs to look at nothing.
type Sweep struct{}

// Need of the act.
func (Sweep) Need() record.Need {
	return record.Need{Action: "token.sweep", Resource: "sys/leases/tidy", Capability: policy.Update, Sudo: true}
}

// Plan removes one page.
func (Sweep) Plan(ctx context.Context, _ Caller, v record.View) (Swept, []record.Change, error) {
	s := sweep{v: v}
	done, err := s.gone(ctx)
	if err == nil && !done {
		err = s.expired(ctx)
	}
	if err != nil {
		return Swept{}, nil, err
	}
	return s.out, s.changes, nil
}

type sweep struct {
	v       record.View
	out     Swept
	changes []record.Change
}

// change adds one, unless its key has one already.
func (s *sweep) change(cs ...record.Change) {
	for _, c := range cs {
		if !slices.ContainsFunc(s.changes, func(o record.Change) bool { return o.Key == c.Key }) {
			s.changes = append(s.changes, c)
		}
	}
}

// gone works on one revoked token: first its children, then what it kept.
func (s *sweep) gone(ctx context.Context) (bool, error) {
	marks, err := s.v.List(ctx, record.Query{Prefix: goneKey(""), Limit: 1})
	if err != nil || len(marks) == 0 {
		return false, err
	}
	s.out.More = true
	mark, err := record.Get1(ctx, s.v, marks[0])
	if err != nil {
		return false, err
	}
	index := record.Last(mark.Key)
	if string(mark.Value) != goneOwn {
		kids, err := s.v.List(ctx, record.Query{Prefix: childKey(index, ""), Limit: sweepPage})
		if err != nil {
			return false, err
		}
		if len(kids) > 0 {
			return true, s.kids(ctx, kids)
		}
	}
	kept, err := s.v.List(ctx, record.Query{Prefix: CubbyholeKey(index), Limit: 4 * sweepPage})
	if err != nil {
		return false, err
	}
	for _, k := range kept {
		s.change(record.Change{Key: k, Delete: true})
	}
	if len(kept) == 0 {
		s.change(mark.Remove())
	}
	return true, nil
}

func (s *sweep) kids(ctx context.Context, links []string) error {
	for _, link := range links {
		index := record.Last(link)
		r, t, err := readToken(ctx, s.v, index)
		if err != nil {
			return err
		}
		if t != nil {
			if err := s.remove(ctx, r, t); err != nil {
				return err
			}
		}
		s.change(record.Change{Key: link, Delete: true})
	}
	return nil
}

func (s *sweep) remove(ctx context.Context, r record.Record, t *Token) error {
	changes, err := revoke(ctx, s.v, r, t)
	s.change(changes...)
	s.out.Removed++
	return err
}

// expired works on the first page of the buckets that have passed.
func (s *sweep) expired(ctx context.Context) error {
	keys, err := s.v.List(ctx, record.Query{Prefix: kindExpiry + "/", Limit: sweepPage})
	if err != nil {
		return err
	}
	end := expiryKey(bucketOf(s.v.Now()), "")
	for i, k := range keys {
		if k >= end {
			keys = keys[:i]
			break
		}
	}
	s.out.More = len(keys) == sweepPage
	for _, k := range keys {
		if err := s.bucketed(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// bucketed removes the token that a passed bucket names, or moves it on when it was renewed meanwhile.
func (s *sweep) bucketed(ctx context.Context, key string) error {
	r, t, err := readToken(ctx, s.v, record.Last(key))
	if err != nil {
		return err
	}
	switch {
	case t == nil || t.Hollow:
	case t.expired(s.v.Now()):
		if err := s.remove(ctx, r, t); err != nil {
			return err
		}
	default:
		moved := *t
		moved.Life.Bucket = bucketOf(t.Life.Expires)
		s.change(r.Put(record.Encode(&moved)), record.Change{Key: expiryKey(moved.Life.Bucket, t.index), Value: []byte(t.index)})
	}
	s.change(record.Change{Key: key, Delete: true})
	return nil
}

// Tidy looks for what no revocation or expiry leads to: children without a parent, links without a child, hollow tokens
// without children. It goes page by page: custody calls it again with the cursor it answered until that is empty.
type Tidy struct{ Cursor string }

// Need of the act.
func (Tidy) Need() record.Need {
	return record.Need{Action: "token.tidy", Resource: "auth/token/tidy", Capability: policy.Update}
}

// Plan works on one page.
func (a Tidy) Plan(ctx context.Context, _ Caller, v record.View) (string, []record.Change, error) {
	s := sweep{v: v}
	if !strings.HasPrefix(a.Cursor, kindHollow+"/") {
		next, err := s.links(ctx, a.Cursor)
		return next, s.changes, err
	}
	next, err := s.hollows(ctx, a.Cursor)
	return next, s.changes, err
}

func (s *sweep) links(ctx context.Context, cursor string) (string, error) {
	keys, err := s.v.List(ctx, record.Query{Prefix: kindChild + "/", After: cursor, Limit: sweepPage})
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return hollowKey(""), nil
	}
	for _, k := range keys {
		parent, index, _ := strings.Cut(strings.TrimPrefix(k, kindChild+"/"), "/")
		r, t, err := readToken(ctx, s.v, index)
		if err != nil {
			return "", err
		}
		above, err := record.Get1(ctx, s.v, tokenKey(parent))
		if err != nil {
			return "", err
		}
		switch {
		case t == nil:
			s.change(record.Change{Key: k, Delete: true})
		case !above.Found():
			if err := s.remove(ctx, r, t); err != nil {
				return "", err
			}
			s.change(record.Change{Key: k, Delete: true})
		}
	}
	return keys[len(keys)-1], nil
}

func (s *sweep) hollows(ctx context.Context, cursor string) (string, error) {
	keys, err := s.v.List(ctx, record.Query{Prefix: hollowKey(""), After: cursor, Limit: sweepPage})
	if err != nil || len(keys) == 0 {
		return "", err
	}
	for _, k := range keys {
		index := record.Last(k)
		kids, err := s.v.List(ctx, record.Query{Prefix: childKey(index, ""), Limit: 1})
		if err != nil {
			return "", err
		}
		if len(kids) == 0 {
			s.change(record.Change{Key: tokenKey(index), Delete: true}, record.Change{Key: k, Delete: true})
		}
	}
	return keys[len(keys)-1], nil
}
