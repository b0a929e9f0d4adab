package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

// tenants is a Rig with namespaces one, one/two and three.
func tenants(t testing.TB) *authtest.Rig {
	t.Helper()
	paths := map[secret.NamespaceID]string{"": "", "n1": "one", "n2": "one/two", "n3": "three", "n4": "one2"}
	return authtest.New(t, func(c *auth.Config) {
		c.NamespacePath = func(ns secret.NamespaceID) (string, bool) { p, ok := paths[ns]; return p, ok }
	})
}

func in(ns secret.NamespaceID) auth.From {
	return auth.From{Namespace: ns, Addr: netip.MustParseAddr(here)}
}

func TestAdvisoryTokenOfAnotherNamespace(t *testing.T) {
	r := tenants(t)
	i := create(t, r, r.Root().In("n1"), auth.Create{Policies: []string{"root"}})
	for ns, ok := range map[secret.NamespaceID]bool{"n1": true, "n2": true, "": false, "n3": false, "n4": false, "gone": false} {
		c := r.As(i.Token.Reveal(), in(ns))
		if (c.Refusal() == nil) != ok {
			t.Errorf("in %q: %v", ns, c.Refusal())
		}
		if ok != c.Powers().Decide(policy.Request{Resource: "one/secret/data/a", Capability: policy.Read}).Allowed {
			t.Errorf("in %q: powers", ns)
		}
		if c.Powers().Decide(policy.Request{Resource: "three/secret/data/a", Capability: policy.Read}).Allowed {
			t.Errorf("in %q: root of one namespace reaches into another", ns)
		}
	}
}

func TestAdvisoryAccessorOfAnotherOwner(t *testing.T) {
	r := tenants(t)
	mine := create(t, r, r.Root().In("n3"), auth.Create{Policies: []string{"x"}})
	stranger := r.As(create(t, r, r.Root().In("n1"), auth.Create{Policies: []string{"root"}}).Token.Reveal(), in("n1"))
	if stranger.Refusal() != nil {
		t.Fatal(stranger.Refusal())
	}
	text := auth.NewProof(mine.Token.Reveal())
	for _, which := range []auth.Which{auth.ByAccessor(mine.Accessor), auth.ByToken(text)} {
		if _, err := authtest.Do(r, stranger, auth.Lookup{Which: which}); err == nil {
			t.Errorf("look-up from another namespace")
		}
		if _, err := authtest.Do(r, stranger, auth.Renew{Which: which}); err == nil {
			t.Errorf("renewal from another namespace")
		}
		if _, err := authtest.Do(r, stranger, auth.Revoke{Which: which}); err != nil {
			t.Errorf("revocation of what is not there: %v", err)
		}
	}
	if _, err := authtest.Do(r, stranger, auth.LookupLease{ID: mine.Lease}); err == nil {
		t.Error("lease of another namespace")
	}
	authtest.Must(t, r, stranger, auth.RevokeLease{ID: mine.Lease})
	authtest.Must(t, r, stranger, auth.RevokePrefix{Prefix: "auth/token"})
	if c := r.As(mine.Token.Reveal(), in("n3")); c.Refusal() != nil {
		t.Errorf("revoked from another namespace: %v", c.Refusal())
	}
	if got := authtest.Must(t, r, stranger.On(auth.Terms{}), auth.ListAccessors{}); len(got) != 0 {
		t.Errorf("accessors: %v", got) // RevokePrefix has removed the stranger's own
	}
}

func TestAdvisoryTokenBesideAnError(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "x", map[string]policy.Capability{"*": policy.Every})
	good := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, TTL: time.Hour})
	text := string(good.Token.Reveal())
	flip := func(i int) string {
		b := []byte(text)
		if b[i]++; b[i] > 'z' {
			b[i] = 'a'
		}
		return string(b)
	}
	for name, s := range map[string]string{
		"none": "", "unknown": "khs_unknown", "other": "hvs.other", "flipped": flip(10), "flipped check": flip(len(text) - 1),
		"cut": text[:len(text)-1], "longer": text + "a", "huge": strings.Repeat("a", 1<<20), "accessor": good.Accessor,
		"key": "tok/" + r.Store.Index([]byte(text)), "index": r.Store.Index([]byte(text)), "batch": "khb_AAAA", "nul": "\x00",
	} {
		c := r.As([]byte(s), authtest.From(here))
		if !errors.Is(c.Refusal(), secret.ErrDenied) || c.Powers() != nil || c.Token() != nil {
			t.Errorf("%s: %v", name, c.Refusal())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.ForgetAll()
	c := r.Authenticate(ctx, auth.Credential{Token: auth.NewProof([]byte(text)), From: authtest.From(here)})
	if c.Refusal() == nil || errors.Is(c.Refusal(), secret.ErrDenied) || c.Powers() != nil {
		t.Errorf("a store that does not answer: %v", c.Refusal())
	}
	var zero auth.Caller
	if zero.Powers() != nil || zero.Sudo(r.Store, "auth/token/create") || r.Made(zero) {
		t.Error("the zero Caller may do something")
	}
	if _, err := authtest.Do(r, zero, auth.Create{}); err == nil {
		t.Error("the zero Caller made a token")
	}
}

func TestAdvisoryCallersOfOthers(t *testing.T) {
	r, other := authtest.New(t), authtest.New(t)
	if r.Made(other.Root()) || !r.Made(r.Root()) {
		t.Error("a Caller of another Authority passes")
	}
}

func TestAdvisoryNamesNormalisedLate(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "maker", map[string]policy.Capability{"auth/token/create": policy.Update | policy.Sudo})
	maker := as(r, create(t, r, r.Root(), auth.Create{Policies: []string{"maker"}}))
	for _, name := range []string{"root", "ROOT", " root", "root\t", "Root", "roo\u0074", "\u212Aoot", "root\x00", "response-wrapping", "Response-Wrapping"} {
		i, err := authtest.Do(r, maker, auth.Create{Policies: []string{name}})
		if err == nil {
			t.Errorf("%q: got %v", name, i.Policies)
		}
	}
	for _, terms := range []auth.TokenTerms{{Policies: []string{" Root"}}, {Policies: []string{"x", "root"}}} {
		s := auth.SignIn{Mount: auth.Mount{Path: "m", Accessor: "a"}, Method: "m", Path: "login", Token: terms}
		if _, _, err := r.Issue(context.Background(), r.Store, s, auth.From{}); err == nil || err.Error() != "auth methods cannot create root tokens" {
			t.Errorf("%v: %v", terms.Policies, err)
		}
	}
}

func TestAdvisorySecretsInTextsAndKeys(t *testing.T) {
	r := authtest.New(t)
	i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
	text := string(i.Token.Reveal())
	proof := auth.NewProof([]byte(text))
	shown := fmt.Sprintf("%v %+v %#v %s %v", i, i, proof, proof, auth.Create{ID: proof})
	rs, err := r.Store.Get(context.Background(), r.Store.Keys()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range rs {
		shown += rec.Key + string(rec.Value)
	}
	if body := text[4:20]; strings.Contains(shown, body) {
		t.Error("the token's text is shown or stored")
	}
	if !strings.Contains(shown, i.Accessor) {
		t.Error("the control is missing")
	}
}
