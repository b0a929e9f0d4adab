package entity

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// kind is what entities and groups have in common: a record by its id, and a link to the id from a name.
type kind[T any] struct {
	word    string // what the API calls it
	key     func(ns secret.NamespaceID, id string) string
	nameKey func(ns secret.NamespaceID, name string) string
}

func entities() kind[auth.Entity] {
	return kind[auth.Entity]{"entity", auth.EntityKey, auth.EntityNameKey}
}

func groups() kind[auth.Group] { return kind[auth.Group]{"group", auth.GroupKey, auth.GroupNameKey} }

func (k kind[T]) need(verb string, c policy.Capability, n Name) record.Need {
	return need(verb, c, n.resource(k.word))
}

// read answers what n names in the namespace, or nil.
func (k kind[T]) read(ctx context.Context, v record.View, ns secret.NamespaceID, n Name) (*T, record.Record, error) {
	id := n.Text
	if n.ByName {
		link, err := record.Get1(ctx, v, k.nameKey(ns, n.Text))
		if err != nil {
			return nil, record.Record{}, err
		}
		id = string(link.Value)
	}
	t := new(T)
	r, err := record.LoadIf(ctx, v, k.key(ns, id), t)
	if err != nil || !r.Found() {
		return nil, r, err
	}
	return t, r, nil
}

// readOrMake answers what n names or, when n is empty or a name that nobody has, what made makes of a new id.
func (k kind[T]) readOrMake(ctx context.Context, v record.View, ns secret.NamespaceID, n Name, made func(id string) T) (*T, record.Record, error) {
	old, r, err := k.read(ctx, v, ns, n)
	switch {
	case err != nil:
		return nil, r, err
	case old != nil:
		return old, r, nil
	case n.Text != "" && !n.ByName:
		return nil, r, auth.Tell(secret.ErrNotFound, "%s not found from id", k.word)
	}
	id := auth.NewID()
	t := made(id)
	r, err = record.Get1(ctx, v, k.key(ns, id))
	return &t, r, err
}

// nameFor is the name of what has none yet: the one it was asked for by, or one made of its id.
func (k kind[T]) nameFor(n Name, id string) string {
	if n.Text != "" {
		return n.Text
	}
	return k.word + "_" + id[:8]
}

// rename moves the link from a name to an id.
func (k kind[T]) rename(ctx context.Context, v record.View, ns secret.NamespaceID, old, name, id string) ([]record.Change, error) {
	if len(name) == 0 || len(name) > 512 {
		return nil, invalid("name must be 1 to 512 bytes")
	}
	r, err := record.Get1(ctx, v, k.nameKey(ns, name))
	if err != nil {
		return nil, err
	}
	switch {
	case r.Found() && string(r.Value) == id:
		return nil, nil
	case r.Found():
		return nil, invalid("name %q is already in use", name)
	}
	changes := []record.Change{r.Put([]byte(id))}
	if old != "" {
		changes = append(changes, record.Change{Key: k.nameKey(ns, old), Delete: true})
	}
	return changes, nil
}

// page says which part of a list is wanted, and of what: ids, or names when ByName is set.
type page struct {
	ByName bool
	After  string
	Limit  int
}

func (k kind[T]) listNeed(p page) record.Need {
	by := "id"
	if p.ByName {
		by = "name"
	}
	return need("list", policy.List, "identity/"+k.word+"/"+by+"/")
}

func (k kind[T]) list(ctx context.Context, c auth.Caller, v record.View, p page) ([]string, []record.Change, error) {
	prefix := k.key(c.From().Namespace, "")
	if p.ByName {
		prefix = k.nameKey(c.From().Namespace, "")
	}
	names, err := auth.Names(ctx, v, prefix, p.After, p.Limit)
	return names, nil, err
}
