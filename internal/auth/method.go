package auth

import (
	"context"
	"net/netip"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Act is one administrative operation. Custody asks policy for its Need, lets it plan on a view, and commits the
// Changes together with the audit record; when a Change's expectation fails it plans again from the start. Plan must
// therefore have no effect besides its answers. An error of Plan commits nothing.
type Act[T any] interface {
	Need() record.Need
	Plan(ctx context.Context, c Caller, v record.View) (T, []record.Change, error)
}

// Upsert is an Act that makes its target when there is none. Its Need asks for policy.Update; when Exists answers
// false, custody asks policy for policy.Create instead, as the vendor does.
type Upsert interface {
	Exists(ctx context.Context, c Caller, v record.View) (bool, error)
}

// None is the answer of an Act that answers nothing.
type None struct{}

// Method is one sign-in: what was presented, and where. SignIn answers either what the token shall be or an error, and
// in both cases the Changes that must be committed before the answer leaves (a use of a secret-id, a failure counted).
// On success they are committed together with the token, in one step. The error of a refused sign-in wraps
// secret.ErrSignIn and reads the same whether the name is unknown or the proof is wrong; SignIn does equal work for
// both: the same number of key derivations and of reads.
type Method interface {
	SignIn(ctx context.Context, v record.View, from From) (SignIn, []record.Change, error)
}

// Mount is a place where a sign-in method is mounted.
type Mount struct {
	Path      string // below "auth/", without slashes at its ends: "approle"
	Accessor  string
	Namespace secret.NamespaceID
	Limits    Limits // the mount's tuning; zero fields are the system's
	TokenType string // the mount's tuning: "service" and "batch" hold for every token, the "default-…" where a role says nothing
}

// Resource is the policy resource of a path below the mount.
func (m Mount) Resource(path string) string { return "auth/" + m.Path + "/" + path }

// SignIn is what a token that a Method grants shall be.
type SignIn struct {
	Mount   Mount
	Method  string // "approle"
	Path    string // below the mount: "login"
	Role    string
	Display string // what follows the mount's path in the display name
	Meta    []secret.Pair
	Alias   AliasName
	Token   TokenTerms
	Warning []string
}

// AliasName is how a mount knows who signed in. Two spellings of one person must be one Name.
type AliasName struct {
	Name string // "" for no entity
	Meta []secret.Pair
}

// TokenTerms are the settings that every method's roles and users share: what the tokens they give shall be like.
type TokenTerms struct {
	Policies        []string       `json:"policies,omitempty"`
	NoDefaultPolicy bool           `json:"no_default_policy,omitempty"`
	TTL             time.Duration  `json:"ttl,omitempty"`
	MaxTTL          time.Duration  `json:"max_ttl,omitempty"`
	ExplicitMax     time.Duration  `json:"explicit_max,omitempty"`
	Period          time.Duration  `json:"period,omitempty"`
	Uses            int            `json:"uses,omitempty"`
	CIDRs           []netip.Prefix `json:"cidrs,omitempty"`
	StrictlyBindIP  bool           `json:"strictly_bind_ip,omitempty"` // bound to the address that signed in
	Type            string         `json:"type,omitempty"`             // "", "default", "service" or "batch"
}

// Check reports what the vendor refuses, in its words, and makes the policies canonical.
func (t *TokenTerms) Check() error {
	switch {
	case t.MaxTTL < 0:
		return invalid("'token_max_ttl' cannot be negative")
	case t.ExplicitMax < 0:
		return invalid("'token_explicit_max_ttl' cannot be negative")
	case t.Period < 0:
		return invalid("'token_period' cannot be negative")
	case t.Uses < 0:
		return invalid("'token_num_uses' cannot be negative")
	case t.TTL < 0:
		return invalid("'token_ttl' cannot be negative")
	case t.TTL > 0 && t.MaxTTL > 0 && t.TTL > t.MaxTTL:
		return invalid("'token_ttl' cannot be greater than 'token_max_ttl'")
	case t.StrictlyBindIP && len(t.CIDRs) > 0:
		return invalid("'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one")
	}
	switch t.Type {
	case "", "default", "service", "default-service":
	case "batch", "default-batch":
		if t.Period != 0 {
			return invalid("'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens")
		}
		if t.Uses != 0 {
			return invalid("'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count")
		}
	default:
		return invalid("invalid 'token_type' value %q", t.Type)
	}
	var err error
	t.Policies, err = CanonicalPolicies(t.Policies, false)
	return err
}

// kindAt is the kind of a token that the terms give at a mount.
func (t *TokenTerms) kindAt(m *Mount) (Kind, error) {
	word := t.Type
	switch {
	case m.TokenType == "service", m.TokenType == "batch":
		word = m.TokenType
	case word == "" || word == "default":
		word = m.TokenType
	}
	if word != "batch" && word != "default-batch" {
		return Service, nil
	}
	if t.Period != 0 || t.Uses != 0 {
		return Service, invalid("the mount's 'token_type' is 'batch': its tokens cannot be periodic or of limited use")
	}
	return Batch, nil
}
