// Package approle signs programs in by a role-id and a secret-id, and administers both, as the vendor's AppRole method
// does (https://openbao.org/api-docs/auth/approle/).
package approle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Method is the name of this method.
const Method = "approle"

// Role is what one program, or one kind of program, may sign in as.
type Role struct {
	Name           string          `json:"name"`
	UID            string          `json:"uid"` // its secret-ids hang on this; a role made again has another
	RoleID         string          `json:"role_id"`
	Mount          string          `json:"mount"` // accessor
	BindSecretID   bool            `json:"bind_secret_id"`
	SecretIDCIDRs  []netip.Prefix  `json:"secret_id_cidrs,omitempty"`
	SecretIDUses   int             `json:"secret_id_uses,omitempty"`
	SecretIDTTL    time.Duration   `json:"secret_id_ttl,omitempty"`
	LocalSecretIDs bool            `json:"local_secret_ids,omitempty"`
	Token          auth.TokenTerms `json:"token"`
}

// SecretID is what is kept of a secret-id. Its text is not: the record's key holds its keyed index.
type SecretID struct {
	Accessor   string         `json:"accessor"`
	Role       string         `json:"role"`           // UID
	Uses       int            `json:"uses,omitempty"` // left; 0: not limited
	TTL        time.Duration  `json:"ttl,omitempty"`
	Created    time.Time      `json:"created"`
	Expires    time.Time      `json:"expires,omitzero"`
	Updated    time.Time      `json:"updated"`
	Meta       []secret.Pair  `json:"meta,omitempty"`
	CIDRs      []netip.Prefix `json:"cidrs,omitempty"`
	TokenCIDRs []netip.Prefix `json:"token_cidrs,omitempty"`
}

func (s *SecretID) expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// Every key holds the namespace, the mount's accessor and, for what a role owns, the role's UID, so that nothing can be
// reached by way of another owner. docs/format-auth.md draws them.
func roleKey(m auth.Mount, name string) string {
	return record.Key("apr", m.Namespace, m.Accessor, name)
}
func roleIDKey(v record.View, m auth.Mount, id string) string {
	return record.Key("api", m.Namespace, m.Accessor, v.Index([]byte("approle role-id\x00"+m.Accessor+"\x00"+id)))
}
func secretIDKey(m auth.Mount, role, index string) string {
	return record.Key("aps", m.Namespace, m.Accessor, role, index)
}
func accessorKey(m auth.Mount, role, accessor string) string {
	return record.Key("apa", m.Namespace, m.Accessor, role, accessor)
}
func goneKey(m auth.Mount, role string) string {
	return record.Key("apg", m.Namespace, m.Accessor, role)
}

// secretIDIndex binds a secret-id to its mount and role.
func secretIDIndex(v record.View, m auth.Mount, role string, id []byte) string {
	b := make([]byte, 0, 64+len(id))
	b = append(b, "approle secret-id\x00"...)
	b = append(b, m.Accessor...)
	b = append(append(b, 0), role...)
	return v.Index(append(append(b, 0), id...))
}

// owner is what a role-id leads to.
type owner struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// canonical is the one spelling of a role's name.
func canonical(name string) string { return strings.ToLower(name) }

// load reads a role; secret.ErrNotFound with the vendor's text when there is none.
func load(ctx context.Context, v record.View, m auth.Mount, name string) (*Role, record.Record, error) {
	role := &Role{}
	if err := auth.CheckName("role_name", name); err != nil {
		return nil, record.Record{}, err
	}
	r, err := record.Load(ctx, v, roleKey(m, canonical(name)), role)
	if errors.Is(err, secret.ErrNotFound) {
		return nil, r, auth.Tell(secret.ErrNotFound, "role %q does not exist", name)
	}
	return role, r, err
}

// Renew answers what a token of this method may have now: the present settings of its role.
func Renew(ctx context.Context, v record.View, t *auth.Token) (auth.TokenTerms, error) {
	m := auth.Mount{Namespace: t.Namespace, Accessor: t.Mount}
	role, _, err := load(ctx, v, m, t.Role)
	if errors.Is(err, secret.ErrNotFound) {
		return auth.TokenTerms{}, auth.Tell(secret.ErrInvalid, "role %q does not exist during renewal", t.Role)
	}
	if err != nil {
		return auth.TokenTerms{}, err
	}
	return role.Token, nil
}

var _ auth.Renewer = Renew

func invalid(format string, args ...any) error {
	return auth.Tell(secret.ErrInvalid, format, args...)
}

func cidrStrings(ps []netip.Prefix) string { return fmt.Sprint(ps) }
