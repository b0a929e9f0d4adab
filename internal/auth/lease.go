package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// Lease is what a look-up says of a lease. The leases of this house are its tokens'.
type Lease struct {
	ID        string
	Issued    time.Time
	Expires   time.Time // zero: never
	Renewed   time.Time
	Renewable bool
	Left      time.Duration
}

var errLease = invalid("invalid lease")

// leased reads the token of a lease in the Caller's namespace.
func leased(ctx context.Context, c Caller, v record.View, id string) (record.Record, *Token, error) {
	link, err := record.Get1(ctx, v, leaseKey(c.from.Namespace, id))
	if err != nil {
		return link, nil, err
	}
	if id == "" || !link.Found() {
		return link, nil, errLease
	}
	r, t, err := readToken(ctx, v, string(link.Value))
	switch {
	case err != nil:
		return r, nil, err
	case t == nil || t.Hollow || t.Namespace != c.from.Namespace || t.expired(v.Now()):
		return r, nil, errLease
	}
	return r, t, nil
}

// LookupLease answers what is known of a lease.
type LookupLease struct{ ID string }

// Need of the act.
func (a LookupLease) Need() record.Need {
	return record.Need{Action: "sys.leases.lookup", Resource: "sys/leases/lookup", Capability: policy.Update}
}

// Plan reads the lease.
func (a LookupLease) Plan(ctx context.Context, c Caller, v record.View) (Lease, []record.Change, error) {
	_, t, err := leased(ctx, c, v, a.ID)
	if err != nil {
		return Lease{}, nil, err
	}
	return Lease{
		ID: a.ID, Issued: t.Life.Created, Expires: t.Life.Expires, Renewed: t.Life.Renewed, Left: t.Left(v.Now()),
		Renewable: t.Life.Renewable && !t.Life.Expires.IsZero(),
	}, nil, nil
}

// ListLeases answers the next level of lease ids below a prefix; a folder ends in '/'.
type ListLeases struct{ Prefix string }

// Need of the act.
func (a ListLeases) Need() record.Need {
	return record.Need{Action: "sys.leases.list", Resource: "sys/leases/lookup/" + folder(a.Prefix), Capability: policy.List, Sudo: true}
}

// Plan lists the level.
func (a ListLeases) Plan(ctx context.Context, c Caller, v record.View) ([]string, []record.Change, error) {
	prefix := leaseKey(c.from.Namespace, folder(a.Prefix))
	keys, err := v.List(ctx, record.Query{Prefix: prefix, OneLevel: true})
	for i := range keys {
		keys[i] = keys[i][len(prefix):]
	}
	return keys, nil, err
}

// folder is a prefix that ends in '/', or nothing.
func folder(prefix string) string {
	if prefix = strings.Trim(prefix, "/"); prefix == "" {
		return ""
	}
	return prefix + "/"
}

// RenewLease is refused as at the vendor: a token's lease is renewed through the token.
type RenewLease struct {
	ID        string
	Increment time.Duration
}

// Need of the act.
func (a RenewLease) Need() record.Need {
	return record.Need{Action: "sys.leases.renew", Resource: "sys/leases/renew", Capability: policy.Update}
}

// Plan refuses.
func (a RenewLease) Plan(ctx context.Context, c Caller, v record.View) (Lease, []record.Change, error) {
	if _, _, err := leased(ctx, c, v, a.ID); err != nil {
		return Lease{}, nil, invalid("lease not found")
	}
	return Lease{}, nil, invalid("tokens cannot be renewed through this endpoint")
}

// RevokeLease ends the token of a lease, and all that hang on it.
type RevokeLease struct{ ID string }

// Need of the act.
func (a RevokeLease) Need() record.Need {
	return record.Need{Action: "sys.leases.revoke", Resource: "sys/leases/revoke", Capability: policy.Update}
}

// Plan removes the token. A lease that is not there is revoked already.
func (a RevokeLease) Plan(ctx context.Context, c Caller, v record.View) (None, []record.Change, error) {
	r, t, err := leased(ctx, c, v, a.ID)
	if errors.Is(err, errLease) {
		return None{}, nil, nil
	}
	if err != nil {
		return None{}, nil, err
	}
	changes, err := revoke(ctx, v, r, t)
	return None{}, changes, err
}

// RevokePrefix ends the tokens whose lease ids lie below a prefix, one page at a time: custody calls it again while there
// is more. It is one path segment at least, so that one slip does not revoke everything.
type RevokePrefix struct {
	Prefix string
	Force  bool // sys/leases/revoke-force; the same here, where revoking asks nothing of anybody else
}

// Need of the act.
func (a RevokePrefix) Need() record.Need {
	verb := "revoke-prefix"
	if a.Force {
		verb = "revoke-force"
	}
	return record.Need{Action: "sys.leases." + verb, Resource: "sys/leases/" + verb + "/" + strings.Trim(a.Prefix, "/"), Capability: policy.Update, Sudo: true}
}

// Plan removes one page.
func (a RevokePrefix) Plan(ctx context.Context, c Caller, v record.View) (Swept, []record.Change, error) {
	prefix := folder(a.Prefix)
	if prefix == "" {
		return Swept{}, nil, invalid("prefix must not be empty")
	}
	keys, err := v.List(ctx, record.Query{Prefix: leaseKey(c.from.Namespace, prefix), Limit: sweepPage})
	if err != nil {
		return Swept{}, nil, err
	}
	links, err := v.Get(ctx, keys...)
	if err != nil {
		return Swept{}, nil, err
	}
	s := sweep{v: v, out: Swept{More: len(keys) == sweepPage}}
	for _, link := range links {
		r, t, err := readToken(ctx, v, string(link.Value))
		if err != nil {
			return Swept{}, nil, err
		}
		if t != nil && t.Namespace == c.from.Namespace {
			if err := s.remove(ctx, r, t); err != nil {
				return Swept{}, nil, err
			}
		}
		s.change(record.Change{Key: link.Key, Delete: true})
	}
	return s.out, s.changes, nil
}

// Count is a number of leases, and by the path that gave them.
type Count struct {
	Total int
	By    map[string]int
}

// CountLeases counts the leases of a namespace below a prefix. It reads names only, a page at a time.
type CountLeases struct{ Prefix string }

// Need of the act.
func (a CountLeases) Need() record.Need {
	return record.Need{Action: "sys.leases.count", Resource: "sys/leases/count", Capability: policy.Read}
}

// Plan counts.
func (a CountLeases) Plan(ctx context.Context, c Caller, v record.View) (Count, []record.Change, error) {
	const page = 1000
	n := Count{By: map[string]int{}}
	root := leaseKey(c.from.Namespace, "")
	q := record.Query{Prefix: root + folder(a.Prefix), Limit: page}
	for {
		keys, err := v.List(ctx, q)
		if err != nil {
			return Count{}, nil, err
		}
		for _, k := range keys {
			path := k[len(root):strings.LastIndexByte(k, '/')]
			n.By[path]++
			n.Total++
		}
		if len(keys) < page {
			return n, nil, nil
		}
		q.After = keys[len(keys)-1]
	}
}
