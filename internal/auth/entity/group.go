package entity

import (
	"context"
	"slices"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// maxMoves is how many members one write of a group may add and remove together, so that it is one commit on every engine.
const maxMoves = 100

// WriteGroup makes a group or changes it: Change is called with it as it is, or with a new one.
type WriteGroup struct {
	Name   Name // of the zero Text: a new one
	Change func(*auth.Group) error
}

// Need of the act.
func (a WriteGroup) Need() record.Need {
	return groups().need("update", policy.Update, a.Name)
}

// Plan stores the group, and notes it in the records of members that come and go.
func (a WriteGroup) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.Group, []record.Change, error) {
	ns, now := c.From().Namespace, v.Now().UTC()
	old, r, err := groups().readOrMake(ctx, v, ns, a.Name, func(id string) auth.Group { return auth.Group{ID: id, Created: now} })
	if err != nil {
		return auth.Group{}, nil, err
	}
	g := *old
	g.Members, g.Groups = slices.Clone(old.Members), slices.Clone(old.Groups)
	if g.Name == "" {
		g.Name = groups().nameFor(a.Name, g.ID)
	}
	if a.Change != nil {
		if err := a.Change(&g); err != nil {
			return auth.Group{}, nil, err
		}
	}
	g.ID, g.Parents, g.Created, g.Updated = old.ID, old.Parents, old.Created, now
	slices.Sort(g.Members)
	slices.Sort(g.Groups)
	g.Members, g.Groups = slices.Compact(g.Members), slices.Compact(g.Groups)
	if g.Policies, err = policies(g.Policies); err != nil {
		return auth.Group{}, nil, err
	}
	changes, err := groups().rename(ctx, v, ns, old.Name, g.Name, g.ID)
	if err != nil {
		return auth.Group{}, nil, err
	}
	moves, err := move(ctx, v, ns, old, &g)
	if err != nil {
		return auth.Group{}, nil, err
	}
	nested, err := nest(ctx, v, ns, old, &g)
	if err != nil {
		return auth.Group{}, nil, err
	}
	return g, append(slices.Concat(changes, moves, nested), r.Put(record.Encode(&g))), nil
}

// nest notes the group as a parent of the groups that join it, and strikes it from those that leave. A group is never
// its own member, however far around.
func nest(ctx context.Context, v record.View, ns secret.NamespaceID, old, g *auth.Group) ([]record.Change, error) {
	above := []auth.Group{*g}
	if len(g.Parents) > 0 {
		all, _, err := auth.GroupsOf(ctx, v, ns, g.Parents)
		if err != nil {
			return nil, err
		}
		above = append(above, all...)
	}
	var changes []record.Change
	for _, id := range slices.Concat(old.Groups, g.Groups) {
		was, is := slices.Contains(old.Groups, id), slices.Contains(g.Groups, id)
		if was == is {
			continue
		}
		if is && slices.ContainsFunc(above, func(a auth.Group) bool { return a.ID == id }) {
			return nil, invalid("cyclic relationship detected for member group ID %q", id)
		}
		child, r, err := groups().read(ctx, v, ns, ByID(id))
		switch {
		case err != nil:
			return nil, err
		case child == nil && is:
			return nil, invalid("invalid group ID %q", id)
		case child == nil:
			continue
		}
		child.Parents = slices.DeleteFunc(child.Parents, func(s string) bool { return s == g.ID })
		if is {
			child.Parents = append(child.Parents, g.ID)
		}
		if changes = append(changes, r.Put(record.Encode(child))); len(changes) > maxMoves {
			return nil, invalid("more than %d groups come or go at once", maxMoves)
		}
	}
	return changes, nil
}

// move notes the group in the records of those who join and strikes it from those who leave.
func move(ctx context.Context, v record.View, ns secret.NamespaceID, old, g *auth.Group) ([]record.Change, error) {
	var changes []record.Change
	for _, id := range slices.Concat(old.Members, g.Members) {
		was, is := slices.Contains(old.Members, id), slices.Contains(g.Members, id)
		if was == is {
			continue
		}
		e, r, err := entities().read(ctx, v, ns, ByID(id))
		switch {
		case err != nil:
			return nil, err
		case e == nil && is:
			return nil, invalid("invalid entity ID %q", id)
		case e == nil:
			continue
		}
		e.Groups = slices.DeleteFunc(e.Groups, func(s string) bool { return s == g.ID })
		if is {
			e.Groups = append(e.Groups, g.ID)
		}
		if changes = append(changes, r.Put(record.Encode(e))); len(changes) > maxMoves {
			return nil, invalid("more than %d members come or go at once", maxMoves)
		}
	}
	return changes, nil
}

// ReadGroup answers a group.
type ReadGroup struct{ Name Name }

// Need of the act.
func (a ReadGroup) Need() record.Need { return groups().need("read", policy.Read, a.Name) }

// Plan reads the group.
func (a ReadGroup) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.Group, []record.Change, error) {
	g, _, err := groups().read(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return auth.Group{}, nil, err
	}
	if g == nil {
		return auth.Group{}, nil, errNotFound
	}
	return *g, nil, nil
}

// DeleteGroup removes a group. A group of more than maxMoves members is emptied first.
type DeleteGroup struct{ Name Name }

// Need of the act.
func (a DeleteGroup) Need() record.Need {
	return groups().need("delete", policy.Delete, a.Name)
}

// Plan removes the group, if there is one, from its members' records as well.
func (a DeleteGroup) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.None, []record.Change, error) {
	ns := c.From().Namespace
	g, r, err := groups().read(ctx, v, ns, a.Name)
	if err != nil || g == nil {
		return auth.None{}, nil, err
	}
	moves, err := move(ctx, v, ns, g, &auth.Group{ID: g.ID})
	if err != nil {
		return auth.None{}, nil, err
	}
	changes, err := nest(ctx, v, ns, g, &auth.Group{ID: g.ID})
	if err != nil {
		return auth.None{}, nil, err
	}
	for _, id := range g.Parents {
		p, r, err := groups().read(ctx, v, ns, ByID(id))
		if err != nil {
			return auth.None{}, nil, err
		}
		if p != nil {
			p.Groups = slices.DeleteFunc(p.Groups, func(s string) bool { return s == g.ID })
			changes = append(changes, r.Put(record.Encode(p)))
		}
	}
	return auth.None{}, append(slices.Concat(moves, changes), r.Remove(), record.Change{Key: auth.GroupNameKey(ns, g.Name), Delete: true}), nil
}

// ListGroups answers the ids of a namespace's groups or, when ByName is set, their names.
type ListGroups page

// Need of the act.
func (a ListGroups) Need() record.Need { return groups().listNeed(page(a)) }

// Plan lists them.
func (a ListGroups) Plan(ctx context.Context, c auth.Caller, v record.View) ([]string, []record.Change, error) {
	return groups().list(ctx, c, v, page(a))
}
