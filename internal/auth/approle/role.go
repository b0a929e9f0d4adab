package approle

import (
	"context"
	"net/netip"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Resource paths below the mount. Field is "" for the role itself, else the vendor's name of one of its fields
// ("token-ttl"), which is a resource of its own.
func resource(m auth.Mount, role, field string) string {
	path := "role/" + role
	if field != "" {
		path += "/" + field
	}
	return m.Resource(path)
}

// WriteRole makes a role or changes it: Change is called with the role as it is, or with a new one that has the vendor's
// defaults and a fresh role-id.
type WriteRole struct {
	Mount  auth.Mount
	Role   string
	Field  string // a field that is written alone; then the role must exist
	Change func(r *Role, isNew bool) error
}

var _ auth.Upsert = WriteRole{}

// Need of the act.
func (a WriteRole) Need() record.Need {
	action := "approle.role.update"
	if a.Field != "" {
		action = "approle.field.update"
	}
	return record.Need{Action: action, Resource: resource(a.Mount, a.Role, a.Field), Capability: policy.Update}
}

// Exists says whether the role is there already; a field never makes one.
func (a WriteRole) Exists(ctx context.Context, _ auth.Caller, v record.View) (bool, error) {
	if a.Field != "" {
		return true, nil
	}
	r, err := record.Get1(ctx, v, roleKey(a.Mount, canonical(a.Role)))
	return r.Found(), err
}

// Plan stores the role and what leads to it. It answers warnings.
func (a WriteRole) Plan(ctx context.Context, c auth.Caller, v record.View) ([]string, []record.Change, error) {
	if err := auth.CheckName("role_name", a.Role); err != nil {
		return nil, nil, err
	}
	old := Role{}
	r, err := record.LoadIf(ctx, v, roleKey(a.Mount, canonical(a.Role)), &old)
	if err != nil {
		return nil, nil, err
	}
	if !r.Found() && a.Field != "" {
		return nil, nil, auth.Tell(secret.ErrNotFound, "role %q does not exist", a.Role)
	}
	role := old
	if !r.Found() {
		role = Role{BindSecretID: true, RoleID: auth.NewID(), UID: auth.NewID()}
	}
	if err := a.Change(&role, !r.Found()); err != nil {
		return nil, nil, err
	}
	role.Name, role.Mount = canonical(a.Role), a.Mount.Accessor
	if r.Found() {
		role.UID = old.UID
		if role.LocalSecretIDs != old.LocalSecretIDs {
			return nil, nil, invalid("local_secret_ids can only be modified during role creation")
		}
	}
	warnings, err := role.check(a.Mount, c, old.RoleID)
	if err != nil {
		return nil, nil, err
	}
	changes := []record.Change{r.Put(record.Encode(&role))}
	if role.RoleID == old.RoleID {
		return warnings, changes, nil
	}
	index, err := record.Get1(ctx, v, roleIDKey(v, a.Mount, role.RoleID))
	if err != nil {
		return nil, nil, err
	}
	if index.Found() {
		return nil, nil, invalid("role_id already in use")
	}
	changes = append(changes, index.Put(record.Encode(owner{role.Name, role.UID})))
	if old.RoleID != "" {
		changes = append(changes, record.Change{Key: roleIDKey(v, a.Mount, old.RoleID), Delete: true})
	}
	return warnings, changes, nil
}

func (r *Role) check(m auth.Mount, c auth.Caller, oldID string) (warnings []string, err error) {
	switch r.Token.Type {
	case "default-service":
		r.Token.Type = "service"
		warnings = append(warnings, "default-service has no useful meaning; adjusting to service")
	case "default-batch":
		r.Token.Type = "batch"
		warnings = append(warnings, "default-batch has no useful meaning; adjusting to batch")
	}
	if err := r.Token.Check(); err != nil {
		return nil, err
	}
	most := m.Limits.Max
	if most == 0 {
		most = c.Limits().Max
	}
	switch {
	case r.RoleID == "":
		return nil, invalid("invalid role_id supplied, or failed to generate a role_id")
	case r.RoleID != oldID && len(r.RoleID) > maxID, strings.TrimSpace(r.RoleID) != r.RoleID:
		return nil, invalid("role_id must be at most %d bytes without space at its ends", maxID)
	case r.RoleID != oldID && weak(r.RoleID) && !c.AllowsWeakIDs():
		return nil, invalid("role_id can be guessed: it must have at least 128 bits, for instance 32 hexadecimal digits")
	case r.SecretIDUses < 0:
		return nil, invalid("secret_id_num_uses cannot be negative")
	case r.SecretIDTTL < 0:
		return nil, invalid("secret_id_ttl cannot be negative")
	case r.Token.Period > most:
		return nil, invalid("period of %q is greater than the backend's maximum lease TTL of %q", r.Token.Period, most)
	case !r.BindSecretID && len(r.SecretIDCIDRs) == 0 && len(r.Token.CIDRs) == 0:
		return nil, invalid("at least one constraint should be enabled on the role")
	}
	if r.Token.MaxTTL > most {
		warnings = append(warnings, "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated")
	}
	return warnings, nil
}

// ReadRole answers a role.
type ReadRole struct {
	Mount auth.Mount
	Role  string
	Field string // the field that is asked for; policy goes by it
}

// Need of the act.
func (a ReadRole) Need() record.Need {
	action := "approle.role.read"
	if a.Field != "" {
		action = "approle.field.read"
	}
	return record.Need{Action: action, Resource: resource(a.Mount, a.Role, a.Field), Capability: policy.Read}
}

// Plan reads the role.
func (a ReadRole) Plan(ctx context.Context, _ auth.Caller, v record.View) (Role, []record.Change, error) {
	role, _, err := load(ctx, v, a.Mount, a.Role)
	if err != nil {
		return Role{}, nil, err
	}
	return *role, nil, nil
}

// ClearField sets one field of a role back to the vendor's default: DELETE of role/ROLE/FIELD.
type ClearField struct {
	Mount auth.Mount
	Role  string
	Field string
}

// Need of the act.
func (a ClearField) Need() record.Need {
	return record.Need{Action: "approle.field.delete", Resource: resource(a.Mount, a.Role, a.Field), Capability: policy.Delete}
}

// Plan sets the field back.
func (a ClearField) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.None, []record.Change, error) {
	w := WriteRole{Mount: a.Mount, Role: a.Role, Field: a.Field, Change: func(r *Role, _ bool) error { return r.clear(a.Field) }}
	_, changes, err := w.Plan(ctx, c, v)
	return auth.None{}, changes, err
}

func (r *Role) clear(field string) error {
	switch field {
	case "policies", "token-policies":
		r.Token.Policies = nil
	case "bound-cidr-list", "secret-id-bound-cidrs":
		r.SecretIDCIDRs = nil
	case "token-bound-cidrs":
		r.Token.CIDRs = nil
	case "bind-secret-id":
		r.BindSecretID = true
	case "secret-id-num-uses":
		r.SecretIDUses = 0
	case "secret-id-ttl":
		r.SecretIDTTL = 0
	case "period", "token-period":
		r.Token.Period = 0
	case "token-num-uses":
		r.Token.Uses = 0
	case "token-ttl":
		r.Token.TTL = 0
	case "token-max-ttl":
		r.Token.MaxTTL = 0
	default:
		return auth.Tell(secret.ErrUnsupported, "unsupported path")
	}
	return nil
}

// DeleteRole removes a role and, with it and at once, every secret-id of it.
type DeleteRole struct {
	Mount auth.Mount
	Role  string
}

// Need of the act.
func (a DeleteRole) Need() record.Need {
	return record.Need{Action: "approle.role.delete", Resource: resource(a.Mount, a.Role, ""), Capability: policy.Delete}
}

// Plan removes the role. Its secret-ids are dead without it; Tidy gives back their space.
func (a DeleteRole) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.None, []record.Change, error) {
	var role Role
	r, err := record.LoadIf(ctx, v, roleKey(a.Mount, canonical(a.Role)), &role)
	if err != nil || !r.Found() {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{
		r.Remove(),
		{Key: roleIDKey(v, a.Mount, role.RoleID), Delete: true},
		{Key: goneKey(a.Mount, role.UID), Value: []byte(role.Name)},
	}, nil
}

// ListRoles answers the names of the roles.
type ListRoles struct {
	Mount auth.Mount
	After string
	Limit int
}

// Need of the act.
func (a ListRoles) Need() record.Need {
	return record.Need{Action: "approle.role.list", Resource: a.Mount.Resource("role/"), Capability: policy.List}
}

// Plan lists the names.
func (a ListRoles) Plan(ctx context.Context, _ auth.Caller, v record.View) ([]string, []record.Change, error) {
	names, err := auth.Names(ctx, v, roleKey(a.Mount, ""), a.After, a.Limit)
	return names, nil, err
}

func errNotSubset(role *Role, inner []netip.Prefix) error {
	return invalid("failed to verify subset relationship between CIDR blocks on the role %q and CIDR blocks on the secret ID %q",
		cidrStrings(role.SecretIDCIDRs), cidrStrings(inner))
}
