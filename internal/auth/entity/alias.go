package entity

import (
	"context"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

func aliasResource(id string) string {
	if id == "" {
		return "identity/entity-alias"
	}
	return "identity/entity-alias/id/" + id
}

// findAlias answers an alias of this namespace and its entity; nil when there is none.
func findAlias(ctx context.Context, v record.View, ns secret.NamespaceID, id string) (*auth.Entity, record.Record, int, error) {
	link, err := record.Get1(ctx, v, auth.AliasIDKey(ns, id))
	if err != nil || !link.Found() {
		return nil, link, 0, err
	}
	e, r, err := entities().read(ctx, v, ns, ByID(string(link.Value)))
	if err != nil || e == nil {
		return nil, r, 0, err
	}
	i := slices.IndexFunc(e.Aliases, func(a auth.Alias) bool { return a.ID == id })
	if i < 0 {
		return nil, r, 0, nil
	}
	return e, r, i, nil
}

// WriteAlias gives an entity an alias, or changes what people say of one that it has. The mount must exist: who calls
// knows the mounts, and says the method's name.
type WriteAlias struct {
	ID     string // "": by mount and name
	Entity string // id
	Mount  string // accessor
	Method string
	Name   string // in the method's canonical spelling
	Custom []secret.Pair
}

// Need of the act.
func (a WriteAlias) Need() record.Need { return need("update", policy.Update, aliasResource(a.ID)) }

// Plan stores the alias in its entity's record, and the links to it. It answers the alias.
func (a WriteAlias) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.Alias, []record.Change, error) {
	ns, now := c.From().Namespace, v.Now().UTC()
	if a.ID != "" {
		e, r, i, err := findAlias(ctx, v, ns, a.ID)
		if err != nil {
			return auth.Alias{}, nil, err
		}
		if e == nil {
			return auth.Alias{}, nil, errNotFound
		}
		e.Aliases[i].Custom, e.Aliases[i].Updated = a.Custom, now
		return e.Aliases[i], []record.Change{r.Put(record.Encode(e))}, nil
	}
	if a.Name == "" || len(a.Name) > 512 || a.Mount == "" || strings.Contains(a.Mount, "/") {
		return auth.Alias{}, nil, invalid("missing alias name or mount_accessor")
	}
	e, r, err := entities().read(ctx, v, ns, ByID(a.Entity))
	if err != nil {
		return auth.Alias{}, nil, err
	}
	if e == nil {
		return auth.Alias{}, nil, invalid("invalid canonical ID")
	}
	link, err := record.Get1(ctx, v, auth.AliasKey(ns, a.Mount, a.Name))
	switch {
	case err != nil:
		return auth.Alias{}, nil, err
	case link.Found() && string(link.Value) != e.ID:
		return auth.Alias{}, nil, invalid("alias is already tied to a different entity")
	}
	i := slices.IndexFunc(e.Aliases, func(x auth.Alias) bool { return x.Mount == a.Mount })
	switch {
	case i >= 0 && e.Aliases[i].Name != a.Name:
		return auth.Alias{}, nil, invalid("entity already has an alias for this mount")
	case i >= 0:
		e.Aliases[i].Custom, e.Aliases[i].Updated = a.Custom, now
		return e.Aliases[i], []record.Change{r.Put(record.Encode(e))}, nil
	}
	x := auth.Alias{ID: auth.NewID(), Mount: a.Mount, Method: a.Method, Name: a.Name, Custom: a.Custom, Created: now, Updated: now}
	e.Aliases = append(e.Aliases, x)
	return x, []record.Change{r.Put(record.Encode(e)), link.Put([]byte(e.ID)), {Key: auth.AliasIDKey(ns, x.ID), Value: []byte(e.ID)}}, nil
}

// AliasOf is an alias with its entity's id.
type AliasOf struct {
	auth.Alias
	Entity string
}

// ReadAlias answers an alias.
type ReadAlias struct{ ID string }

// Need of the act.
func (a ReadAlias) Need() record.Need { return need("read", policy.Read, aliasResource(a.ID)) }

// Plan reads the alias.
func (a ReadAlias) Plan(ctx context.Context, c auth.Caller, v record.View) (AliasOf, []record.Change, error) {
	e, _, i, err := findAlias(ctx, v, c.From().Namespace, a.ID)
	if err != nil {
		return AliasOf{}, nil, err
	}
	if e == nil {
		return AliasOf{}, nil, errNotFound
	}
	return AliasOf{e.Aliases[i], e.ID}, nil, nil
}

// DeleteAlias takes an alias from its entity: who signs in by it from then on is somebody else.
type DeleteAlias struct{ ID string }

// Need of the act.
func (a DeleteAlias) Need() record.Need { return need("delete", policy.Delete, aliasResource(a.ID)) }

// Plan removes the alias, if there is one.
func (a DeleteAlias) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.None, []record.Change, error) {
	ns := c.From().Namespace
	e, r, i, err := findAlias(ctx, v, ns, a.ID)
	if err != nil || e == nil {
		return auth.None{}, nil, err
	}
	x := e.Aliases[i]
	e.Aliases = slices.Delete(e.Aliases, i, i+1)
	return auth.None{}, []record.Change{
		r.Put(record.Encode(e)),
		{Key: auth.AliasKey(ns, x.Mount, x.Name), Delete: true},
		{Key: auth.AliasIDKey(ns, x.ID), Delete: true},
	}, nil
}

// ListAliases answers the ids of a namespace's aliases.
type ListAliases struct {
	After string
	Limit int
}

// Need of the act.
func (a ListAliases) Need() record.Need {
	return need("list", policy.List, "identity/entity-alias/id/")
}

// Plan lists them.
func (a ListAliases) Plan(ctx context.Context, c auth.Caller, v record.View) ([]string, []record.Change, error) {
	names, err := auth.Names(ctx, v, auth.AliasIDKey(c.From().Namespace, ""), a.After, a.Limit)
	return names, nil, err
}
