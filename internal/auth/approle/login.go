package approle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Login is a sign-in by role-id and secret-id.
type Login struct {
	Mount    auth.Mount
	RoleID   string
	SecretID auth.Proof
}

var _ auth.Method = Login{}

// errSignIn reads the same for an unknown role-id, an unknown secret-id, a used one and an expired one.
var errSignIn = auth.Tell(secret.ErrSignIn, "invalid role or secret ID")

// maxID is the length of the longest role-id and secret-id.
const maxID = 4096

// SignIn checks the ids and spends one use of a limited secret-id. An unknown role-id costs the same look-ups as a known
// one: the index, then a role and a secret-id that are not there.
func (l Login) SignIn(ctx context.Context, v record.View, from auth.From) (auth.SignIn, []record.Change, error) {
	roleID := strings.TrimSpace(l.RoleID)
	presented := trim(l.SecretID.Bytes())
	switch {
	case roleID == "":
		return auth.SignIn{}, nil, invalid("missing role_id")
	case len(roleID) > maxID || len(presented) > maxID:
		return auth.SignIn{}, nil, errSignIn
	}
	role, id, r, err := l.find(ctx, v, roleID, presented)
	switch {
	case err != nil:
		return auth.SignIn{}, nil, err
	case len(presented) == 0 && (role == nil || role.BindSecretID):
		return auth.SignIn{}, nil, invalid("missing secret_id")
	case role == nil:
		return auth.SignIn{}, nil, errSignIn
	}
	var changes []record.Change
	terms := role.Token
	meta := map[string]string{}
	if role.BindSecretID {
		if id == nil || id.Role != role.UID || id.expired(v.Now()) {
			return auth.SignIn{}, nil, errSignIn
		}
		if err := admits(role, id, from); err != nil {
			return auth.SignIn{}, nil, err
		}
		changes = spend(v, l.Mount, r, id)
		if len(id.TokenCIDRs) > 0 {
			terms.CIDRs = id.TokenCIDRs
		}
		for _, p := range id.Meta {
			meta[p.Key] = p.Value
		}
	}
	if !auth.Allows(role.SecretIDCIDRs, from.Addr) {
		return auth.SignIn{}, nil, auth.Tell(secret.ErrSignIn, "source address %q unauthorized by CIDR restrictions on the role", from.Addr)
	}
	meta["role_name"] = role.Name // always, and not to be overridden
	pairs := auth.Pairs(meta)
	return auth.SignIn{
		Mount: l.Mount, Method: Method, Path: "login", Role: role.Name, Meta: pairs,
		Alias: auth.AliasName{Name: role.RoleID, Meta: pairs}, Token: terms,
	}, changes, nil
}

// find answers the role and the secret-id, nil for what is not there.
func (l Login) find(ctx context.Context, v record.View, roleID string, presented []byte) (*Role, *SecretID, record.Record, error) {
	index, err := record.Get1(ctx, v, roleIDKey(v, l.Mount, roleID))
	if err != nil {
		return nil, nil, record.Record{}, err
	}
	o := owner{Name: "-", UID: "-"} // no role is called so
	if index.Found() {
		if err := decode(index, &o); err != nil {
			return nil, nil, record.Record{}, err
		}
	}
	rs, err := v.Get(ctx, roleKey(l.Mount, o.Name), secretIDKey(l.Mount, o.UID, secretIDIndex(v, l.Mount, o.UID, presented)))
	if err != nil {
		return nil, nil, record.Record{}, err
	}
	if !rs[0].Found() {
		return nil, nil, rs[1], nil
	}
	role := &Role{}
	if err := decode(rs[0], role); err != nil {
		return nil, nil, rs[1], err
	}
	if role.UID != o.UID || role.RoleID != roleID || role.Mount != l.Mount.Accessor {
		return nil, nil, rs[1], nil // the role was made anew, or got another id, between the two reads
	}
	if !rs[1].Found() {
		return role, nil, rs[1], nil
	}
	id := &SecretID{}
	return role, id, rs[1], decode(rs[1], id)
}

func admits(role *Role, id *SecretID, from auth.From) error {
	switch {
	case !auth.Narrows(id.CIDRs, role.SecretIDCIDRs):
		return errNotSubset(role, id.CIDRs)
	case !auth.Allows(id.CIDRs, from.Addr):
		return auth.Tell(secret.ErrSignIn, "source address %q unauthorized through CIDR restrictions on the secret ID", from.Addr)
	}
	return nil
}

// spend takes one use; the last one removes the secret-id.
func spend(v record.View, m auth.Mount, r record.Record, id *SecretID) []record.Change {
	switch id.Uses {
	case 0:
		return nil
	case 1:
		return []record.Change{r.Remove(), {Key: accessorKey(m, id.Role, id.Accessor), Delete: true}}
	}
	left := *id
	left.Uses--
	left.Updated = v.Now().UTC()
	return []record.Change{r.Put(record.Encode(&left))}
}

func trim(b []byte) []byte { return []byte(strings.TrimSpace(string(b))) }

func decode(r record.Record, dst any) error {
	if err := json.Unmarshal(r.Value, dst); err != nil {
		return fmt.Errorf("%s: %w: not readable", r.Key, secret.ErrDamaged)
	}
	switch x := dst.(type) {
	case *Role:
		if x.UID == "" || x.Name == "" {
			return fmt.Errorf("%s: %w: role without a name", r.Key, secret.ErrDamaged)
		}
	case *SecretID:
		if x.Role == "" || x.Uses < 0 || slices.Contains([]string{"", "-"}, x.Accessor) {
			return fmt.Errorf("%s: %w: secret-id without an owner", r.Key, secret.ErrDamaged)
		}
	}
	return nil
}
