package auth

import (
	"context"
	"errors"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Renew lets a token live longer: renew, renew-self, renew-accessor.
type Renew struct {
	Which
	Increment time.Duration // 0: as it was given
}

// Need of the act.
func (a Renew) Need() record.Need {
	return record.Need{Action: a.action("renew"), Resource: a.path("renew"), Capability: policy.Update}
}

// Plan moves the token's end. The expiry bucket that names it stays; a sweep moves it when it gets there.
func (a Renew) Plan(ctx context.Context, c Caller, v record.View) (Issued, []record.Change, error) {
	f, err := a.find(ctx, c, v)
	switch {
	case err != nil:
		return Issued{}, nil, err
	case f == nil && a.by == byAccessor:
		return Issued{}, nil, errAccessor
	case f == nil:
		return Issued{}, nil, invalid("token not found")
	case f.token.Kind == Batch:
		return Issued{}, nil, invalid("batch tokens cannot be renewed")
	case f.token.Namespace != c.from.Namespace:
		return Issued{}, nil, invalid("cannot renew a token across namespaces")
	case !f.token.Life.Renewable, f.token.Life.Expires.IsZero(), !f.record.Found():
		return Issued{}, nil, invalid("lease is not renewable")
	}
	t := *f.token
	w, limits, err := c.authority.renewal(ctx, v, &t)
	if err != nil {
		return Issued{}, nil, err
	}
	w.Increment = max(a.Increment, 0)
	now := v.Now().UTC()
	ttl, warnings, err := limits.grant(w, t.Life.Created, now)
	if err != nil {
		return Issued{}, nil, err
	}
	t.Life.Expires, t.Life.Renewed = now.Add(ttl), now
	out := Issued{
		Accessor: t.Accessor, TokenPolicies: t.Policies, Meta: t.Meta, TTL: ttl, Renewable: true, Entity: t.Entity, Kind: t.Kind, Orphan: t.Orphan(),
		Uses: t.Uses, Period: t.Life.Period, ExplicitMax: t.Life.ExplicitMax, Lease: t.Lease(), Warnings: warnings, Identity: t.identity(),
	}
	if out.IdentityPolicies, err = CanonicalPolicies(f.who.policies(), false); err != nil {
		return Issued{}, nil, err
	}
	if out.Policies, err = withIdentity(t.Policies, f.who); err != nil {
		return Issued{}, nil, err
	}
	out.Identity.Policies = out.Policies
	return out, []record.Change{f.record.Put(record.Encode(&t))}, nil
}

// renewal asks who gave the token what it may have now.
func (a *Authority) renewal(ctx context.Context, v record.View, t *Token) (wish, Limits, error) {
	limits := a.cfg.Limits
	if t.Life.Max > 0 {
		limits.Max = t.Life.Max // the mount's, which may lie above the system's
	}
	w := wish{TTL: t.Life.TTL, Period: t.Life.Period, ExplicitMax: t.Life.ExplicitMax}
	if t.Method == "token" {
		if t.Role == "" {
			return w, limits, nil
		}
		var role Role
		_, err := record.Load(ctx, v, roleKey(t.Namespace, t.Role), &role)
		if errors.Is(err, secret.ErrNotFound) {
			return w, limits, invalid("original token role %q could not be found, not renewing", t.Role)
		}
		if role.Period > 0 {
			w.Period = role.Period
		}
		w.ExplicitMax = maxOf(w.ExplicitMax, role.ExplicitMax)
		return w, limits, err
	}
	renewer := a.cfg.Renewers[t.Method]
	if renewer == nil {
		return w, limits, nil
	}
	terms, err := renewer(ctx, v, t)
	w.TTL, w.Period, w.Max = terms.TTL, terms.Period, terms.MaxTTL
	return w, limits, err
}
