package auth

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Role is a token role: what tokens made by auth/token/create/NAME may and shall be.
type Role struct {
	Name            string         `json:"name"`
	Allowed         []string       `json:"allowed,omitempty"`
	AllowedGlob     []string       `json:"allowed_glob,omitempty"`
	Disallowed      []string       `json:"disallowed,omitempty"`
	DisallowedGlob  []string       `json:"disallowed_glob,omitempty"`
	Orphan          bool           `json:"orphan,omitempty"`
	Renewable       bool           `json:"renewable"`
	PathSuffix      string         `json:"path_suffix,omitempty"`
	EntityAliases   []string       `json:"entity_aliases,omitempty"` // lower case, globs
	CIDRs           []netip.Prefix `json:"cidrs,omitempty"`
	ExplicitMax     time.Duration  `json:"explicit_max,omitempty"`
	Period          time.Duration  `json:"period,omitempty"`
	NoDefaultPolicy bool           `json:"no_default_policy,omitempty"`
	Uses            int            `json:"uses,omitempty"`
	Type            string         `json:"type,omitempty"` // "service", "batch", "default-service" or "default-batch"
}

// NewRole is a role with the vendor's defaults.
func NewRole(name string) Role { return Role{Name: name, Renewable: true, Type: "default-service"} }

// decides says that the role alone says which policies its tokens have.
func (r *Role) decides() bool {
	return len(r.Allowed)+len(r.AllowedGlob)+len(r.Disallowed)+len(r.DisallowedGlob) > 0
}

func roleKey(ns secret.NamespaceID, name string) string { return record.Key(kindRole, ns, name) }

func roleResource(name string) string { return "auth/token/roles/" + name }

// WriteRole makes a token role or changes it: Change is called with the role as it is, or with a new one.
type WriteRole struct {
	Name   string
	Change func(*Role) error
}

// Need of the act.
func (a WriteRole) Need() record.Need {
	return record.Need{Action: "token.role.write", Resource: roleResource(a.Name), Capability: policy.Update}
}

// Exists says whether the role is there already.
func (a WriteRole) Exists(ctx context.Context, c Caller, v record.View) (bool, error) {
	r, err := record.Get1(ctx, v, roleKey(c.from.Namespace, a.Name))
	return r.Found(), err
}

// Plan stores the role. It answers warnings.
func (a WriteRole) Plan(ctx context.Context, c Caller, v record.View) ([]string, []record.Change, error) {
	if err := CheckName("role name", a.Name); err != nil {
		return nil, nil, err
	}
	role := NewRole(a.Name)
	r, err := record.LoadIf(ctx, v, roleKey(c.from.Namespace, a.Name), &role)
	if err != nil {
		return nil, nil, err
	}
	if err := a.Change(&role); err != nil {
		return nil, nil, err
	}
	role.Name = a.Name
	if err := role.check(); err != nil {
		return nil, nil, err
	}
	var warnings []string
	if most := c.Limits().Max; role.ExplicitMax > most {
		warnings = []string{"Given explicit max TTL of " + human(role.ExplicitMax) + " is greater than system/mount allowed value of " + human(most)}
	}
	return warnings, []record.Change{r.Put(record.Encode(&role))}, nil
}

var pathSuffix = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\w[\w-.]+\w$`)
})

func (r *Role) check() error {
	var err error
	for _, list := range []*[]string{&r.Allowed, &r.Disallowed} {
		if *list, err = canonicalList(*list); err != nil {
			return err
		}
	}
	for _, list := range []*[]string{&r.AllowedGlob, &r.DisallowedGlob, &r.EntityAliases} {
		*list = lowerList(*list)
	}
	switch {
	case r.PathSuffix != "" && (!pathSuffix().MatchString(r.PathSuffix) || strings.Contains(r.PathSuffix, "..")):
		return invalid("given role path suffix contains invalid characters; must match %s", pathSuffix())
	case r.Period < 0:
		return invalid("'token_period' cannot be negative")
	case r.ExplicitMax < 0:
		return invalid("'token_explicit_max_ttl' cannot be negative")
	case r.Uses < 0:
		return invalid("'token_num_uses' cannot be negative")
	}
	switch r.Type {
	case "":
		r.Type = "default-service"
	case "service", "default-service", "default-batch":
	case "batch":
		switch {
		case !r.Orphan:
			return invalid("'token_type' cannot be 'batch' when role is set to generate non-orphan tokens")
		case r.Period != 0:
			return invalid("'token_type' cannot be 'batch' when role is set to generate periodic tokens")
		case r.Renewable:
			return invalid("'token_type' cannot be 'batch' when role is set to generate renewable tokens")
		case r.ExplicitMax != 0:
			return invalid("'token_type' cannot be 'batch' when role is set to generate tokens with an explicit max TTL")
		}
	default:
		return invalid("invalid 'token_type' value %q", r.Type)
	}
	return nil
}

// canonicalList is CanonicalPolicies where root stands beside others: a role may forbid it.
func canonicalList(names []string) ([]string, error) {
	var out []string
	for _, s := range lowerList(names) {
		n, err := policy.NormalizeName(s)
		if err != nil {
			return nil, invalid("%v", err)
		}
		out = append(out, n.String())
	}
	return out, nil
}

func lowerList(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.ToLower(strings.TrimSpace(s)); s != "" {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReadRole answers a token role.
type ReadRole struct{ Name string }

// Need of the act.
func (a ReadRole) Need() record.Need {
	return record.Need{Action: "token.role.read", Resource: roleResource(a.Name), Capability: policy.Read}
}

// Plan reads the role.
func (a ReadRole) Plan(ctx context.Context, c Caller, v record.View) (Role, []record.Change, error) {
	var role Role
	_, err := record.Load(ctx, v, roleKey(c.from.Namespace, a.Name), &role)
	return role, nil, err
}

// DeleteRole removes a token role; its tokens stay.
type DeleteRole struct{ Name string }

// Need of the act.
func (a DeleteRole) Need() record.Need {
	return record.Need{Action: "token.role.delete", Resource: roleResource(a.Name), Capability: policy.Delete}
}

// Plan removes the role, if there is one.
func (a DeleteRole) Plan(_ context.Context, c Caller, _ record.View) (None, []record.Change, error) {
	return None{}, []record.Change{{Key: roleKey(c.from.Namespace, a.Name), Delete: true}}, nil
}

// ListRoles answers the names of the token roles.
type ListRoles struct {
	After string
	Limit int
}

// Need of the act.
func (a ListRoles) Need() record.Need {
	return record.Need{Action: "token.role.list", Resource: "auth/token/roles/", Capability: policy.List}
}

// Plan lists the names.
func (a ListRoles) Plan(ctx context.Context, c Caller, v record.View) ([]string, []record.Change, error) {
	names, err := Names(ctx, v, record.Key(kindRole, c.from.Namespace, ""), a.After, a.Limit)
	return names, nil, err
}

// Names lists the last parts of the keys below prefix, after the name given.
func Names(ctx context.Context, v record.View, prefix, after string, limit int) ([]string, error) {
	q := record.Query{Prefix: prefix, Limit: max(limit, 0)}
	if after != "" {
		q.After = prefix + after
	}
	keys, err := v.List(ctx, q)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k[len(prefix):]
	}
	return names, nil
}
