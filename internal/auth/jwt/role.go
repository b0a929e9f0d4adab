package jwt

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Role is what tokens must say, and what they are given then.
type Role struct {
	Name      string              `json:"name"`
	UserClaim string              `json:"user_claim"` // its value is who signs in
	Audiences []string            `json:"audiences"`  // a token must be made out to one of them
	Subject   string              `json:"subject,omitempty"`
	Claims    map[string][]string `json:"claims,omitempty"` // each must hold one of these; a name may be a JSON pointer
	Globs     bool                `json:"globs,omitempty"`  // the values of Claims are patterns, in which * stands for any text
	Mappings  map[string]string   `json:"mappings,omitempty"`
	Leeway    Leeway              `json:"leeway,omitzero"`
	Token     auth.TokenTerms     `json:"token"`
}

// Leeway is how far clocks may differ.
type Leeway struct {
	Skew      time.Duration `json:"skew,omitempty"`       // 0: a minute
	Expires   time.Duration `json:"expires,omitempty"`    // 0: as Skew
	NotBefore time.Duration `json:"not_before,omitempty"` // 0: as Skew
}

// late is how long after its end a token is still taken.
func (l Leeway) late() time.Duration { return cmp.Or(l.Expires, l.Skew, time.Minute) }

func (r *Role) check() error {
	switch {
	case r.UserClaim == "":
		return invalid("a user claim must be defined on the role")
	case len(r.Audiences) == 0 || slices.Contains(r.Audiences, ""):
		return invalid("'bound_audiences' is needed: a token that was made for somebody else must not open this")
	case len(r.Claims) > 50 || len(r.Mappings) > 50:
		return invalid("more than 50 claims")
	}
	for name, values := range r.Claims {
		if name == "" || len(values) == 0 {
			return invalid("bound claim %q has no value", name)
		}
	}
	seen := map[string]bool{}
	for from, to := range r.Mappings {
		if from == "" || to == "" || to == "role" || seen[to] {
			return invalid("claim mapping to %q: each needs a metadata key of its own, and not \"role\"", to)
		}
		seen[to] = true
	}
	return r.Token.Check()
}

func roleKey(m auth.Mount, name string) string {
	return record.Key("jwr", m.Namespace, m.Accessor, name)
}

func loadRole(ctx context.Context, v record.View, m auth.Mount, name string) (*Role, error) {
	if err := auth.CheckName("role", name); err != nil {
		return nil, err
	}
	role := new(Role)
	_, err := record.Load(ctx, v, roleKey(m, name), role)
	if errors.Is(err, secret.ErrNotFound) {
		return nil, auth.Tell(secret.ErrNotFound, "role does not exist")
	}
	return role, err
}

func need(m auth.Mount, verb, role string, c policy.Capability) record.Need {
	return record.Need{Action: "jwt.role." + verb, Resource: m.Resource("role/" + role), Capability: c}
}

// WriteRole makes a role, or changes one.
type WriteRole struct {
	Mount  auth.Mount
	Role   string
	Change func(*Role) error
}

var _ auth.Upsert = WriteRole{}

// Need of the act.
func (a WriteRole) Need() record.Need { return need(a.Mount, "update", a.Role, policy.Update) }

// Exists says whether the role is there already.
func (a WriteRole) Exists(ctx context.Context, _ auth.Caller, v record.View) (bool, error) {
	r, err := record.Get1(ctx, v, roleKey(a.Mount, a.Role))
	return r.Found(), err
}

// Plan stores the role.
func (a WriteRole) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.None, []record.Change, error) {
	if err := auth.CheckName("role", a.Role); err != nil {
		return auth.None{}, nil, err
	}
	role := Role{}
	r, err := record.LoadIf(ctx, v, roleKey(a.Mount, a.Role), &role)
	if err != nil {
		return auth.None{}, nil, err
	}
	role.Name = a.Role
	if err := a.Change(&role); err != nil {
		return auth.None{}, nil, err
	}
	if err := role.check(); err != nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{r.Put(record.Encode(&role))}, nil
}

// ReadRole answers a role.
type ReadRole struct {
	Mount auth.Mount
	Role  string
}

// Need of the act.
func (a ReadRole) Need() record.Need { return need(a.Mount, "read", a.Role, policy.Read) }

// Plan reads the role.
func (a ReadRole) Plan(ctx context.Context, _ auth.Caller, v record.View) (Role, []record.Change, error) {
	role, err := loadRole(ctx, v, a.Mount, a.Role)
	if err != nil {
		return Role{}, nil, err
	}
	return *role, nil, nil
}

// DeleteRole removes a role. Tokens already given live on until they end; they are not renewed.
type DeleteRole struct {
	Mount auth.Mount
	Role  string
}

// Need of the act.
func (a DeleteRole) Need() record.Need { return need(a.Mount, "delete", a.Role, policy.Delete) }

// Plan removes the role, if there is one.
func (a DeleteRole) Plan(_ context.Context, _ auth.Caller, _ record.View) (auth.None, []record.Change, error) {
	if err := auth.CheckName("role", a.Role); err != nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{{Key: roleKey(a.Mount, a.Role), Delete: true}}, nil
}

// ListRoles answers the names of the roles.
type ListRoles struct {
	Mount auth.Mount
	After string
	Limit int
}

// Need of the act.
func (a ListRoles) Need() record.Need { return need(a.Mount, "list", "", policy.List) }

// Plan reads the names.
func (a ListRoles) Plan(ctx context.Context, _ auth.Caller, v record.View) ([]string, []record.Change, error) {
	names, err := auth.Names(ctx, v, roleKey(a.Mount, ""), a.After, cmp.Or(a.Limit, 0))
	return names, nil, err
}

// Renew answers what a token of this method may have now; nothing when its role is gone.
func Renew(ctx context.Context, v record.View, t *auth.Token) (auth.TokenTerms, error) {
	role, err := loadRole(ctx, v, auth.Mount{Namespace: t.Namespace, Accessor: t.Mount}, t.Role)
	if errors.Is(err, secret.ErrNotFound) {
		return auth.TokenTerms{}, invalid("role does not exist during renewal")
	}
	if err != nil {
		return auth.TokenTerms{}, err
	}
	return role.Token, nil
}
