// Package userpass signs people in by a user name and a password, and administers both, as the vendor's userpass method
// does (https://openbao.org/api-docs/auth/userpass/). Unlike the vendor's, a lock-out cannot be told from a wrong password,
// nor an unknown user from a known one.
package userpass

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Method is the name of this method.
const Method = "userpass"

// User is somebody who may sign in.
type User struct {
	Name  string          `json:"name"` // canonical
	Hash  string          `json:"hash"`
	Token auth.TokenTerms `json:"token"`
}

// failures is what is known of failed sign-ins of one user.
type failures struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
}

// Lockout is when a user is locked out, and for how long. Zero fields are the vendor's defaults.
type Lockout struct {
	Disabled  bool
	Threshold int           // failures; 5
	Duration  time.Duration // 15 minutes
	Reset     time.Duration // without a failure, after which they are forgotten; 15 minutes
}

func (l Lockout) filled() Lockout {
	if l.Threshold <= 0 {
		l.Threshold = 5
	}
	if l.Duration <= 0 {
		l.Duration = 15 * time.Minute
	}
	if l.Reset <= 0 {
		l.Reset = 15 * time.Minute
	}
	return l
}

// locked says whether the failures lock the user out at now.
func (l Lockout) locked(f failures, now time.Time) bool {
	return !l.Disabled && f.Count >= l.Threshold && now.Sub(f.Last) < l.Duration
}

// after is the failures after one more.
func (l Lockout) after(f failures, now time.Time) failures {
	if l.locked(f, now) {
		return f // trying on does not lock longer, else anybody could keep a user out for ever
	}
	if f.Count >= l.Threshold || now.Sub(f.Last) >= l.Reset {
		f.Count = 0
	}
	return failures{f.Count + 1, now.UTC()}
}

// Every key holds the namespace and the mount's accessor; docs/format-auth.md draws them.
func userKey(m auth.Mount, name string) string {
	return record.Key("upu", m.Namespace, m.Accessor, name)
}
func failuresKey(m auth.Mount, name string) string {
	return record.Key("upf", m.Namespace, m.Accessor, name)
}

// strangerKey is where a failure of an unknown user is counted: it costs the same durable write as a known one's, and
// 4,096 records at most.
func strangerKey(v record.View, m auth.Mount, name string) string {
	index := v.Index([]byte("userpass stranger\x00" + m.Accessor + "\x00" + name))
	return record.Key("upx", m.Namespace, m.Accessor, index[:min(3, len(index))])
}

// canonical is the one spelling of a user's name.
func canonical(name string) string { return strings.ToLower(name) }

func load(ctx context.Context, v record.View, m auth.Mount, name string) (*User, record.Record, error) {
	if err := auth.CheckName("username", name); err != nil {
		return nil, record.Record{}, err
	}
	u := &User{}
	r, err := record.Load(ctx, v, userKey(m, canonical(name)), u)
	if errors.Is(err, secret.ErrNotFound) {
		return nil, r, auth.Tell(secret.ErrNotFound, "username does not exist")
	}
	return u, r, err
}

func decode(r record.Record, dst any) error {
	if !r.Found() {
		return nil
	}
	if err := json.Unmarshal(r.Value, dst); err != nil {
		return fmt.Errorf("%s: %w: not readable", r.Key, secret.ErrDamaged)
	}
	return nil
}

// Renew answers what a token of this method may have now; nothing when its user is gone or has other policies.
func Renew(ctx context.Context, v record.View, t *auth.Token) (auth.TokenTerms, error) {
	u, _, err := load(ctx, v, auth.Mount{Namespace: t.Namespace, Accessor: t.Mount}, t.Role)
	if errors.Is(err, secret.ErrNotFound) {
		return auth.TokenTerms{}, invalid("user does not exist during renewal")
	}
	if err != nil {
		return auth.TokenTerms{}, err
	}
	now, err := auth.CanonicalPolicies(u.Token.Policies, !u.Token.NoDefaultPolicy)
	if err != nil {
		return auth.TokenTerms{}, err
	}
	if !slices.Equal(now, t.Policies) {
		return auth.TokenTerms{}, invalid("policies have changed, not renewing")
	}
	return u.Token, nil
}

var _ auth.Renewer = Renew

func invalid(format string, args ...any) error { return auth.Tell(secret.ErrInvalid, format, args...) }
