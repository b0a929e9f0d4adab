// Package authtest runs the acts and sign-ins of auth over records in memory, as custody does over an engine, and holds
// the contract that every sign-in method keeps.
package authtest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/record/recordtest"
	"github.com/keephold/keephold/internal/secret"
)

// Rig is an Authority over records in memory.
type Rig struct {
	*auth.Authority
	Warrant  *auth.Warrant
	Store    *recordtest.Store
	Policies map[string]*policy.Policy // by name; not to be changed while the Rig is used concurrently
	Compiled atomic.Int64              // how often a Set was compiled
	Epoch    uint64
}

// New makes a Rig; configure may change what the Authority is made with.
func New(tb testing.TB, configure ...func(*auth.Config)) *Rig {
	tb.Helper()
	r := &Rig{Store: recordtest.New(), Policies: map[string]*policy.Policy{}}
	cfg := auth.Config{View: r.Store, Policies: r.compile, Epoch: func() uint64 { return r.Epoch }}
	for _, f := range configure {
		f(&cfg)
	}
	r.Authority, r.Warrant = auth.NewAuthority(cfg)
	return r
}

func (r *Rig) compile(_ context.Context, _ secret.NamespaceID, names []string, facts policy.Facts) (*policy.Set, error) {
	r.Compiled.Add(1)
	var ps []*policy.Policy
	for _, n := range names {
		if p := r.Policies[n]; p != nil {
			p, err := p.Render(facts)
			if err != nil {
				return nil, err
			}
			ps = append(ps, p)
		}
	}
	return policy.Compile(r.Store.Now(), ps...), nil
}

// Policy stores a policy: capabilities by path, in the grammar of Vault's policies.
func (r *Rig) Policy(tb testing.TB, name string, paths map[string]policy.Capability) {
	tb.Helper()
	p := &policy.Policy{Name: name}
	for path, caps := range paths {
		pattern, err := policy.ParsePattern(path)
		if err != nil {
			tb.Fatalf("policy %s: %v", name, err)
		}
		p.Rules = append(p.Rules, policy.Rule{Capabilities: caps, Pattern: pattern})
	}
	r.Policies[name] = p
	r.ForgetPolicies()
}

// Root is a Caller that may do everything, without a token.
func (r *Rig) Root() auth.Caller { return r.Warrant.Internal("test") }

// Apply commits changes and tells the Authority, as custody does.
func (r *Rig) Apply(changes []record.Change) error {
	keys, err := r.Store.Apply(changes...)
	if err != nil {
		return err
	}
	r.Forget(keys...)
	return nil
}

// Do plans an act and commits it, again when an expectation fails.
func Do[T any](r *Rig, c auth.Caller, act auth.Act[T]) (T, error) {
	for range 100 {
		out, changes, err := act.Plan(context.Background(), c, r.Store)
		if err != nil {
			var none T
			return none, err
		}
		switch err := r.Apply(changes); {
		case errors.Is(err, secret.ErrConflict):
			continue
		case err != nil:
			var none T
			return none, err
		}
		return out, nil
	}
	var none T
	return none, secret.ErrBusy
}

// Must is Do for acts that have to succeed.
func Must[T any](tb testing.TB, r *Rig, c auth.Caller, act auth.Act[T]) T {
	tb.Helper()
	out, err := Do(r, c, act)
	if err != nil {
		tb.Fatalf("%s: %v", act.Need().Action, err)
	}
	return out
}

// SignIn runs a sign-in to its token.
func (r *Rig) SignIn(m auth.Method, from auth.From) (auth.Issued, error) {
	ctx := context.Background()
	for range 100 {
		s, changes, err := m.SignIn(ctx, r.Store, from)
		if err != nil {
			switch applied := r.Apply(changes); {
			case errors.Is(applied, secret.ErrConflict):
				continue
			case applied != nil:
				return auth.Issued{}, applied
			}
			return auth.Issued{}, err
		}
		out, more, err := r.Issue(ctx, r.Store, s, from)
		if err != nil {
			return auth.Issued{}, err
		}
		switch err := r.Apply(slices.Concat(changes, more)); {
		case errors.Is(err, secret.ErrConflict):
			continue
		case err != nil:
			return auth.Issued{}, err
		}
		return out, nil
	}
	return auth.Issued{}, secret.ErrBusy
}

// From is a request from that address.
func From(addr string) auth.From {
	if addr == "" {
		return auth.From{}
	}
	return auth.From{Addr: netip.MustParseAddr(addr)}
}

// As authenticates with the text of a token.
func (r *Rig) As(text []byte, from auth.From) auth.Caller {
	return r.Authenticate(context.Background(), auth.Credential{Token: auth.NewProof(text), From: from})
}
