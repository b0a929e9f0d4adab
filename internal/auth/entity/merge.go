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

// maxMerged is how many entities one act merges, so that it is one commit on every engine.
const maxMerged = 10

// Merge makes one entity of several: To takes over the aliases, policies and groups of those in From, which are no more. Tokens
// that stand for one of them stand for To from then on (https://openbao.org/api-docs/secret/identity/entity/#merge-entities).
type Merge struct {
	From []string // ids
	To   string   // id
	Keep []string // ids of the aliases that stay where two are of one mount
}

// Need of the act.
func (a Merge) Need() record.Need {
	return need("merge", policy.Update, "identity/entity/merge")
}

// Plan merges them.
func (a Merge) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.None, []record.Change, error) {
	ns := c.From().Namespace
	from := slices.Compact(slices.Sorted(slices.Values(a.From)))
	switch {
	case len(from) == 0:
		return auth.None{}, nil, invalid("missing entity ids to merge from")
	case a.To == "":
		return auth.None{}, nil, invalid("missing entity id to merge to")
	case slices.Contains(from, a.To):
		return auth.None{}, nil, invalid("to_entity_id should not be present in from_entity_ids")
	case len(from) > maxMerged:
		return auth.None{}, nil, invalid("more than %d entities to merge at once", maxMerged)
	}
	to, r, err := entities().read(ctx, v, ns, ByID(a.To))
	if err != nil {
		return auth.None{}, nil, err
	}
	if to == nil {
		return auth.None{}, nil, invalid("entity id to merge to is invalid")
	}
	m := merging{Merge: a, v: v, ns: ns, to: to, groups: map[string]*group{}}
	for _, id := range from {
		if err := m.take(ctx, id); err != nil {
			return auth.None{}, nil, err
		}
	}
	to.Updated = v.Now().UTC()
	if to.Policies, err = policies(to.Policies); err != nil {
		return auth.None{}, nil, err
	}
	changes := append(m.changes, r.Put(record.Encode(to)))
	for _, id := range to.Groups {
		if g := m.groups[id]; g != nil {
			changes = append(changes, g.record.Put(record.Encode(g.Group)))
		}
	}
	if len(changes) > maxMoves {
		return auth.None{}, nil, invalid("the entities have too many aliases and groups to be merged at once: merge fewer")
	}
	return auth.None{}, changes, nil
}

// merging is a Merge on its way.
type merging struct {
	Merge
	v       record.View
	ns      secret.NamespaceID
	to      *auth.Entity
	groups  map[string]*group // by id; those that somebody is taken over in
	changes []record.Change
}

type group struct {
	*auth.Group
	record record.Record
}

// take moves all of one entity to the other.
func (m *merging) take(ctx context.Context, id string) error {
	e, r, err := entities().read(ctx, m.v, m.ns, ByID(id))
	switch {
	case err != nil:
		return err
	case e == nil:
		return invalid("entity id to merge from is invalid")
	case e.Disabled: // or its tokens would open again
		return invalid("entity %s is disabled: enable or delete it", id)
	}
	for _, x := range e.Aliases {
		if err := m.alias(x, e.ID); err != nil {
			return err
		}
	}
	for _, id := range e.Groups {
		if err := m.member(ctx, id, e.ID); err != nil {
			return err
		}
	}
	m.to.Policies = append(m.to.Policies, e.Policies...)
	m.changes = append(m.changes, r.Remove(), record.Change{Key: auth.EntityNameKey(m.ns, e.Name), Delete: true})
	for _, id := range append(e.Merged, e.ID) { // each leads to the one that stands, none to another that was merged
		m.to.Merged = append(m.to.Merged, id)
		m.changes = append(m.changes, record.Change{Key: auth.MergedKey(m.ns, id), Value: []byte(m.to.ID)})
	}
	return nil
}

// alias takes one over, or drops one of two that are of one mount: an entity has one name there.
func (m *merging) alias(x auth.Alias, from string) error {
	drop := func(x auth.Alias) {
		m.changes = append(m.changes,
			record.Change{Key: auth.AliasKey(m.ns, x.Mount, x.Name), Delete: true},
			record.Change{Key: auth.AliasIDKey(m.ns, x.ID), Delete: true})
	}
	i := slices.IndexFunc(m.to.Aliases, func(a auth.Alias) bool { return a.Mount == x.Mount })
	if i >= 0 {
		mine, other := slices.Contains(m.Keep, m.to.Aliases[i].ID), slices.Contains(m.Keep, x.ID)
		switch {
		case mine == other:
			return invalid("both entities have an alias of the mount %s: name the one to keep, %s or %s, in conflicting_alias_ids_to_keep",
				x.Mount, m.to.Aliases[i].ID, x.ID)
		case mine:
			drop(x)
			return nil
		}
		gone := m.to.Aliases[i]
		m.to.Aliases = slices.Delete(m.to.Aliases, i, i+1)
		if slices.ContainsFunc(m.changes, func(c record.Change) bool { return strings.HasSuffix(c.Key, "/"+gone.ID) }) {
			return invalid("more than two entities have an alias of the mount %s: merge one after the other", x.Mount)
		}
		drop(gone)
	}
	x.MergedFrom = append(x.MergedFrom, from)
	m.to.Aliases = append(m.to.Aliases, x)
	m.changes = append(m.changes,
		record.Change{Key: auth.AliasKey(m.ns, x.Mount, x.Name), Value: []byte(m.to.ID)},
		record.Change{Key: auth.AliasIDKey(m.ns, x.ID), Value: []byte(m.to.ID)})
	return nil
}

// member puts the one entity into a group in the place of the other.
func (m *merging) member(ctx context.Context, id, from string) error {
	g := m.groups[id]
	if g == nil {
		read, r, err := groups().read(ctx, m.v, m.ns, ByID(id))
		if err != nil || read == nil {
			return err
		}
		g = &group{read, r}
		m.groups[id] = g
	}
	g.Members = slices.DeleteFunc(g.Members, func(s string) bool { return s == from || s == m.to.ID })
	g.Members = append(g.Members, m.to.ID)
	slices.Sort(g.Members)
	if !slices.Contains(m.to.Groups, id) {
		m.to.Groups = append(m.to.Groups, id)
	}
	return nil
}
