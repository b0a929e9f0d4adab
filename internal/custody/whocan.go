package custody

import (
	"context"
	"slices"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
)

// Reach says who can do something: the policies that give it, and the names of those whose tokens carry one of them.
// Tokens that were made by hand with such a policy are not listed one by one; the policy is.
type Reach struct {
	Policies   []string `json:"policies"`
	TokenRoles []string `json:"token_roles"`
	AppRoles   []string `json:"approles"`   // MOUNT/ROLE
	Users      []string `json:"users"`      // MOUNT/USER
	JWTRoles   []string `json:"jwt_roles"`  // MOUNT/ROLE, those too whose tokens take an identity that can
	Identities []string `json:"identities"` // machine identities, by what their clients call them
	Entities   []string `json:"entities"`   // by name
	Groups     []string `json:"groups"`
	More       bool     `json:"more"` // there are more names than were looked at
}

// maxNames bounds how many roles, users, entities of one kind are looked at.
const maxNames = 10_000

// WhoCan answers who can do what the question says. What somebody else's policies deny is taken into account for each
// holder, because it is their whole set that is asked.
func (d *Desk) WhoCan(ctx context.Context, c auth.Caller, q Question) (Reach, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "who-can", Resource: "keephold/who-can", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return Reach{}, err
	}
	r, err := t.whoCan(ctx, q)
	return r, t.done(err)
}

func (t *turn) whoCan(ctx context.Context, q Question) (Reach, error) {
	ns := t.caller.From().Namespace
	r := Reach{Policies: []string{policy.NameRoot}, TokenRoles: []string{}, AppRoles: []string{}, Users: []string{}, JWTRoles: []string{}, Identities: []string{}, Entities: []string{}, Groups: []string{}}
	request := t.question(q)
	can := func(names ...string) bool {
		set, err := t.compile(slices.Clone(names))
		return err == nil && set.Decide(request).Allowed
	}
	for _, name := range append(t.table.Policies(ns), policy.NameDefault) {
		if can(name) && !slices.Contains(r.Policies, name) {
			r.Policies = append(r.Policies, name)
		}
	}
	if err := t.identitiesWho(ctx, &r, request); err != nil {
		return Reach{}, err
	}
	steps := []func(context.Context, *Reach, func(...string) bool) error{t.tokenRolesWho, t.entitiesWho, t.groupsWho}
	for _, step := range steps {
		if err := step(ctx, &r, can); err != nil {
			return Reach{}, err
		}
	}
	for _, m := range t.table.Mounts(ns) {
		if err := t.mountWho(ctx, m, &r, can); err != nil {
			return Reach{}, err
		}
	}
	return r, nil
}

// each calls f with every name that an act of listing answers.
func each(t *turn, ctx context.Context, list func(after string) Act[[]string], r *Reach, f func(string) error) error {
	const page = 500
	after := ""
	for looked := 0; ; looked += page {
		names, _, err := list(after).Plan(ctx, t.caller, t.o.view)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := f(name); err != nil {
				return err
			}
			after = name
		}
		if len(names) < page {
			return nil
		}
		if looked+page >= maxNames {
			r.More = true
			return nil
		}
	}
}

func (t *turn) tokenRolesWho(ctx context.Context, r *Reach, can func(...string) bool) error {
	list := func(after string) Act[[]string] { return auth.ListRoles{After: after, Limit: 500} }
	return each(t, ctx, list, r, func(name string) error {
		role, _, err := auth.ReadRole{Name: name}.Plan(ctx, t.caller, t.o.view)
		if err == nil && len(role.Allowed) > 0 && can(role.Allowed...) {
			r.TokenRoles = append(r.TokenRoles, name)
		}
		return err
	})
}

func (t *turn) entitiesWho(ctx context.Context, r *Reach, can func(...string) bool) error {
	list := func(after string) Act[[]string] { return entity.List{After: after, Limit: 500} }
	return each(t, ctx, list, r, func(id string) error {
		e, _, err := entity.Read{Name: entity.ByID(id)}.Plan(ctx, t.caller, t.o.view)
		if err == nil && !e.Disabled && len(e.Policies) > 0 && can(e.Policies...) {
			r.Entities = append(r.Entities, e.Name)
		}
		return err
	})
}

func (t *turn) groupsWho(ctx context.Context, r *Reach, can func(...string) bool) error {
	list := func(after string) Act[[]string] { return entity.ListGroups{After: after, Limit: 500} }
	return each(t, ctx, list, r, func(id string) error {
		g, _, err := entity.ReadGroup{Name: entity.ByID(id)}.Plan(ctx, t.caller, t.o.view)
		if err == nil && len(g.Policies) > 0 && can(g.Policies...) {
			r.Groups = append(r.Groups, g.Name)
		}
		return err
	})
}

// identitiesWho looks at the machine identities: at their policies, at what was granted to themselves, and at what stands on the resource for them.
func (t *turn) identitiesWho(ctx context.Context, r *Reach, request policy.Request) error {
	const page = 500
	after := ""
	for looked := page; ; looked += page {
		all, _, err := machine.List{After: after, Limit: page}.Plan(ctx, t.caller, t.o.view)
		if err != nil {
			return err
		}
		for i := range all {
			s := all[i].Standing(nil, nil)
			facts := policy.Facts{Principals: append([]string{policy.Everyone}, s.Principals...)}
			set, err := t.o.sets.get(t.d.now(), t.o.table.Load, s.Namespace, append(s.Policies, policy.NameDefault), facts)
			if err != nil {
				return err
			}
			if set.Decide(request).Allowed {
				r.Identities = append(r.Identities, all[i].Public)
				if err := t.takersWho(ctx, &all[i], r); err != nil {
					return err
				}
			}
			after = all[i].Name
		}
		if len(all) < page {
			return nil
		}
		if looked >= maxNames {
			r.More = true
			return nil
		}
	}
}

// takersWho adds the roles whose tokens take an identity.
func (t *turn) takersWho(ctx context.Context, id *machine.Identity, r *Reach) error {
	for _, trust := range id.Trust {
		stands, _, err := trust.Stands(ctx, t.o.view, id.Namespace)
		if err != nil {
			return err
		}
		if name := trust.Mount + "/" + trust.Role; stands && !slices.Contains(r.JWTRoles, name) {
			r.JWTRoles = append(r.JWTRoles, name)
		}
	}
	return nil
}

// mountWho looks at the roles or users of one sign-in mount. Their tokens carry the default policy unless they say no.
func (t *turn) mountWho(ctx context.Context, m *registry.Mount, r *Reach, can func(...string) bool) error {
	at := auth.Mount{Path: m.Name, Accessor: m.Accessor, Namespace: m.Namespace}
	carries := func(terms auth.TokenTerms) bool {
		names := slices.Clone(terms.Policies)
		if !terms.NoDefaultPolicy {
			names = append(names, policy.NameDefault)
		}
		return len(names) > 0 && can(names...)
	}
	switch m.Type {
	case "approle":
		list := func(after string) Act[[]string] { return approle.ListRoles{Mount: at, After: after, Limit: 500} }
		return each(t, ctx, list, r, func(name string) error {
			role, _, err := approle.ReadRole{Mount: at, Role: name}.Plan(ctx, t.caller, t.o.view)
			if err == nil && carries(role.Token) {
				r.AppRoles = append(r.AppRoles, m.Name+"/"+name)
			}
			return err
		})
	case jwt.Method:
		list := func(after string) Act[[]string] { return jwt.ListRoles{Mount: at, After: after, Limit: 500} }
		return each(t, ctx, list, r, func(name string) error {
			role, _, err := jwt.ReadRole{Mount: at, Role: name}.Plan(ctx, t.caller, t.o.view)
			if err == nil && carries(role.Token) && !slices.Contains(r.JWTRoles, m.Name+"/"+name) {
				r.JWTRoles = append(r.JWTRoles, m.Name+"/"+name)
			}
			return err
		})
	case "userpass":
		list := func(after string) Act[[]string] { return userpass.ListUsers{Mount: at, After: after, Limit: 500} }
		return each(t, ctx, list, r, func(name string) error {
			terms, _, err := userpass.ReadUser{Mount: at, Name: name}.Plan(ctx, t.caller, t.o.view)
			if err == nil && carries(terms) {
				r.Users = append(r.Users, m.Name+"/"+name)
			}
			return err
		})
	}
	return nil
}
