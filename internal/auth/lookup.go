package auth

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Info is what a look-up says of a token. Its text is not in it: who asked by the text has it.
type Info struct {
	Token            *Token // read it only
	Left             time.Duration
	IdentityPolicies []string
	NamespacePath    string
	Renewable        bool // now
}

// Lookup answers what is known of a token: lookup, lookup-self, lookup-accessor.
type Lookup struct{ Which }

// Need of the act.
func (a Lookup) Need() record.Need {
	need := record.Need{Action: a.action("lookup"), Resource: a.path("lookup"), Capability: policy.Update}
	if a.by == bySelf {
		need.Capability = policy.Read
	}
	return need
}

// Plan reads the token.
func (a Lookup) Plan(ctx context.Context, c Caller, v record.View) (Info, []record.Change, error) {
	f, err := a.find(ctx, c, v)
	switch {
	case err != nil:
		return Info{}, nil, err
	case f == nil && a.by == byAccessor:
		return Info{}, nil, errAccessor
	case f == nil:
		return Info{}, nil, Tell(secret.ErrDenied, "bad token")
	}
	info := Info{Token: f.token, Left: f.token.Left(v.Now()), Renewable: f.token.Life.Renewable && !f.token.Life.Expires.IsZero()}
	info.NamespacePath, _ = c.authority.cfg.NamespacePath(f.token.Namespace)
	if f.who != nil && !f.token.NoIdentity {
		if info.IdentityPolicies, err = CanonicalPolicies(f.who.policies(), false); err != nil {
			return Info{}, nil, err
		}
	}
	return info, nil, nil
}

// ListAccessors answers the accessors of all tokens of a namespace.
type ListAccessors struct {
	After string
	Limit int
}

// Need of the act.
func (a ListAccessors) Need() record.Need {
	return record.Need{Action: "token.accessors", Resource: "auth/token/accessors/", Capability: policy.List, Sudo: true}
}

// Plan lists the accessors.
func (a ListAccessors) Plan(ctx context.Context, c Caller, v record.View) ([]string, []record.Change, error) {
	names, err := Names(ctx, v, accessorKey(c.from.Namespace, ""), a.After, a.Limit)
	return names, nil, err
}
