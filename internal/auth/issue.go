package auth

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Issued is a token that was just made, with everything the vendor's "auth" block says of it. Its text is nowhere else.
type Issued struct {
	Token            secret.Value
	Accessor         string
	Policies         []string // all of them
	TokenPolicies    []string
	IdentityPolicies []string
	Meta             []secret.Pair
	TTL              time.Duration
	Renewable        bool
	Entity           string
	Kind             Kind
	Orphan           bool
	Uses             int
	Period           time.Duration
	ExplicitMax      time.Duration
	Lease            string // "" for a sealed token
	Warnings         []string
	Identity         Identity // who it stands for, for the record
}

// Issue makes the token of a sign-in. The Changes hold the token, everything that leads to it, and the entity when this
// is its first sign-in; all of them are one step.
func (a *Authority) Issue(ctx context.Context, v record.View, s SignIn, from From) (Issued, []record.Change, error) {
	policies, err := CanonicalPolicies(s.Token.Policies, !s.Token.NoDefaultPolicy)
	if err != nil {
		return Issued{}, nil, err
	}
	kind, err := s.Token.kindAt(&s.Mount)
	if err != nil {
		return Issued{}, nil, err
	}
	t := &Token{
		Kind: kind, Namespace: s.Mount.Namespace, Path: "auth/" + s.Mount.Path + "/" + s.Path, Method: s.Method, Mount: s.Mount.Accessor,
		Role: s.Role, Meta: s.Meta, Policies: policies, CIDRs: s.Token.CIDRs, Uses: s.Token.Uses,
		Display: displayName(strings.ReplaceAll(s.Mount.Path, "/", "-") + "-" + s.Display),
	}
	if t.Root() {
		return Issued{}, nil, invalid("auth methods cannot create root tokens")
	}
	if s.Token.StrictlyBindIP && from.Addr.IsValid() {
		addr := from.Addr.Unmap().WithZone("")
		t.CIDRs = []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
	}
	if !Allows(t.CIDRs, from.Addr) {
		return Issued{}, nil, Tell(secret.ErrDenied, "permission denied")
	}
	var entity *who
	var changes []record.Change
	if s.Alias.Name != "" {
		e, made, err := enter(ctx, v, s)
		if err != nil {
			return Issued{}, nil, err
		}
		t.Entity, changes, entity = e.ID, made, &who{entity: e}
		if len(e.Groups) > 0 {
			if entity, err = loadWho(ctx, v, t.Namespace, e.ID); err != nil {
				return Issued{}, nil, err
			}
		}
	}
	w := wish{TTL: s.Token.TTL, Period: s.Token.Period, Max: s.Token.MaxTTL, ExplicitMax: s.Token.ExplicitMax}
	now := v.Now()
	ttl, warnings, err := s.Mount.Limits.within(a.cfg.Limits).grant(w, now, now)
	if err != nil {
		return Issued{}, nil, err
	}
	t.Life = Life{TTL: ttl, Period: s.Token.Period, ExplicitMax: s.Token.ExplicitMax, Renewable: t.Kind == Service, Max: maxOf(s.Mount.Limits.Max, s.Token.MaxTTL)}
	issued, planted, err := a.plant(v, t, nil, entity)
	issued.Warnings = append(append(s.Warning, warnings...), issued.Warnings...)
	return issued, append(changes, planted...), err
}

// maxOf is the lesser of two bounds, where 0 is none.
func maxOf(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// plant gives the token its text, or the custom one, and seals or stores it. t.Life.TTL is how long it lives, 0 for ever.
func (a *Authority) plant(v record.View, t *Token, custom []byte, entity *who) (Issued, []record.Change, error) {
	now := v.Now().UTC()
	t.Epoch = a.cfg.Epoch()
	t.Life.Created = now
	if t.Life.TTL > 0 {
		t.Life.Expires = now.Add(t.Life.TTL)
	}
	own := t.Policies
	all := own
	var err error
	if !t.NoIdentity && !t.Root() {
		if all, err = withIdentity(own, entity); err != nil {
			return Issued{}, nil, err
		}
	}
	out := Issued{
		Policies: all, TokenPolicies: own, Meta: t.Meta, TTL: t.Life.TTL, Renewable: t.Life.Renewable, Entity: t.Entity, Kind: t.Kind,
		Orphan: t.Orphan(), Uses: t.Uses, Period: t.Life.Period, ExplicitMax: t.Life.ExplicitMax,
	}
	if entity != nil {
		if out.IdentityPolicies, err = CanonicalPolicies(entity.policies(), false); err != nil {
			return Issued{}, nil, err
		}
	}
	var text []byte
	var changes []record.Change
	if t.Kind == Batch {
		sealed, err := v.Enclose(a.sealedPlace(), record.Encode(t))
		if err != nil {
			return Issued{}, nil, err
		}
		text = batchText(sealed)
		if len(text) > MaxText {
			return Issued{}, nil, invalid("batch token of %d bytes is longer than %d", len(text), MaxText)
		}
		t.index = v.Index(text)
	} else {
		if text = custom; text == nil {
			text = newText(PrefixService, now)
		}
		t.Accessor = string(newText(PrefixAccessor, now))
		t.index = indexOf(v, text)
		if t.Life.TTL > 0 {
			t.Life.Bucket = bucketOf(t.Life.Expires)
		}
		changes = t.plant()
		out.Accessor, out.Lease = t.Accessor, t.Lease()
	}
	out.Token = secret.NewValue(text)
	out.Identity = t.identity()
	out.Identity.Policies = all
	return out, changes, nil
}
