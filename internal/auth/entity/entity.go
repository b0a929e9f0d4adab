// Package entity administers who people and programs are: entities, the aliases by which sign-in mounts know them, and
// groups, as far as policies and their templates speak of them (https://openbao.org/api-docs/secret/identity/).
package entity

import (
	"context"
	"slices"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Name names an entity or a group: by its id or, when ByName is set, by its name.
type Name struct {
	ByName bool
	Text   string
}

// ByID and ByName name by one or the other.
func ByID(id string) Name     { return Name{Text: id} }
func ByName(name string) Name { return Name{ByName: true, Text: name} }

func (n Name) resource(kind string) string {
	switch {
	case n.Text == "":
		return "identity/" + kind
	case n.ByName:
		return "identity/" + kind + "/name/" + n.Text
	}
	return "identity/" + kind + "/id/" + n.Text
}

func need(verb string, c policy.Capability, resource string) record.Need {
	return record.Need{Action: "identity." + verb, Resource: resource, Capability: c}
}

// Write makes an entity or changes it: Change is called with it as it is, or with a new one. It answers the id.
type Write struct {
	Name   Name // of the zero Text: a new one
	Change func(*auth.Entity) error
}

// Need of the act.
func (a Write) Need() record.Need {
	return entities().need("update", policy.Update, a.Name)
}

// Plan stores the entity. Its id, aliases and groups are changed by acts of their own.
func (a Write) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.Entity, []record.Change, error) {
	ns, now := c.From().Namespace, v.Now().UTC()
	old, r, err := entities().readOrMake(ctx, v, ns, a.Name, func(id string) auth.Entity { return auth.Entity{ID: id, Created: now} })
	if err != nil {
		return auth.Entity{}, nil, err
	}
	e := *old
	if e.Name == "" {
		e.Name = entities().nameFor(a.Name, e.ID)
	}
	if a.Change != nil {
		if err := a.Change(&e); err != nil {
			return auth.Entity{}, nil, err
		}
	}
	e.ID, e.Aliases, e.Groups, e.Merged, e.Created, e.Updated = old.ID, old.Aliases, old.Groups, old.Merged, old.Created, now
	if e.Policies, err = policies(e.Policies); err != nil {
		return auth.Entity{}, nil, err
	}
	changes, err := entities().rename(ctx, v, ns, old.Name, e.Name, e.ID)
	if err != nil {
		return auth.Entity{}, nil, err
	}
	return e, append(changes, r.Put(record.Encode(&e))), nil
}

// policies makes names canonical. Root is not to be had by who somebody is.
func policies(names []string) ([]string, error) {
	out, err := auth.CanonicalPolicies(names, false)
	if err == nil && slices.Contains(out, policy.NameRoot) {
		return nil, invalid("policies cannot contain root")
	}
	return out, err
}

// Known is an entity, and the groups that it is in through others.
type Known struct {
	auth.Entity
	Inherited []string // ids
}

func known(ctx context.Context, v record.View, ns secret.NamespaceID, e *auth.Entity) (*Known, error) {
	if e == nil {
		return nil, nil
	}
	k := &Known{Entity: *e}
	groups, _, err := auth.GroupsOf(ctx, v, ns, e.Groups)
	for _, g := range groups {
		if !slices.Contains(e.Groups, g.ID) {
			k.Inherited = append(k.Inherited, g.ID)
		}
	}
	return k, err
}

// Read answers an entity.
type Read struct{ Name Name }

// Need of the act.
func (a Read) Need() record.Need { return entities().need("read", policy.Read, a.Name) }

// Plan reads the entity.
func (a Read) Plan(ctx context.Context, c auth.Caller, v record.View) (Known, []record.Change, error) {
	ns := c.From().Namespace
	e, _, err := entities().read(ctx, v, ns, a.Name)
	if err != nil {
		return Known{}, nil, err
	}
	if e == nil {
		return Known{}, nil, errNotFound
	}
	k, err := known(ctx, v, ns, e)
	if err != nil {
		return Known{}, nil, err
	}
	return *k, nil, nil
}

var errNotFound = auth.Tell(secret.ErrNotFound, "not found")

// Delete removes an entity with its aliases; its tokens open nothing from then on.
type Delete struct{ Name Name }

// Need of the act.
func (a Delete) Need() record.Need { return entities().need("delete", policy.Delete, a.Name) }

// Plan removes the entity, if there is one.
func (a Delete) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.None, []record.Change, error) {
	ns := c.From().Namespace
	e, r, err := entities().read(ctx, v, ns, a.Name)
	if err != nil || e == nil {
		return auth.None{}, nil, err
	}
	changes := []record.Change{r.Remove(), {Key: auth.EntityNameKey(ns, e.Name), Delete: true}}
	for _, x := range e.Aliases {
		changes = append(changes, record.Change{Key: auth.AliasKey(ns, x.Mount, x.Name), Delete: true}, record.Change{Key: auth.AliasIDKey(ns, x.ID), Delete: true})
	}
	for _, id := range e.Merged {
		changes = append(changes, record.Change{Key: auth.MergedKey(ns, id), Delete: true})
	}
	for _, id := range e.Groups {
		g, r, err := groups().read(ctx, v, ns, ByID(id))
		if err != nil {
			return auth.None{}, nil, err
		}
		if g != nil {
			g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == e.ID })
			changes = append(changes, r.Put(record.Encode(g)))
		}
	}
	return auth.None{}, changes, nil
}

// List answers the ids of a namespace's entities or, when ByName is set, their names.
type List page

// Need of the act.
func (a List) Need() record.Need { return entities().listNeed(page(a)) }

// Plan lists them.
func (a List) Plan(ctx context.Context, c auth.Caller, v record.View) ([]string, []record.Change, error) {
	return entities().list(ctx, c, v, page(a))
}

// Lookup finds an entity by its id, its name, an alias's id, or an alias's name and mount: what is not empty.
type Lookup struct {
	ID, Name, AliasID, AliasName, AliasMount string
}

// Need of the act.
func (a Lookup) Need() record.Need { return need("lookup", policy.Update, "identity/lookup/entity") }

// Plan finds the entity; nil when there is none.
func (a Lookup) Plan(ctx context.Context, c auth.Caller, v record.View) (*Known, []record.Change, error) {
	ns := c.From().Namespace
	n := ByID(a.ID)
	var link string
	switch {
	case a.ID != "":
	case a.Name != "":
		n = ByName(a.Name)
	case a.AliasID != "":
		link = auth.AliasIDKey(ns, a.AliasID)
	case a.AliasName != "" && a.AliasMount != "":
		link = auth.AliasKey(ns, a.AliasMount, a.AliasName)
	default:
		return nil, nil, invalid("query parameter not supplied")
	}
	if link != "" {
		r, err := record.Get1(ctx, v, link)
		if err != nil || !r.Found() {
			return nil, nil, err
		}
		n = ByID(string(r.Value))
	}
	e, _, err := entities().read(ctx, v, ns, n)
	if err != nil {
		return nil, nil, err
	}
	k, err := known(ctx, v, ns, e)
	return k, nil, err
}

func invalid(format string, args ...any) error { return auth.Tell(secret.ErrInvalid, format, args...) }
