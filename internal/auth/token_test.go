package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

const here = "10.0.0.1"

func as(r *authtest.Rig, i auth.Issued) auth.Caller {
	return r.As(i.Token.Reveal(), authtest.From(here))
}

func create(t testing.TB, r *authtest.Rig, c auth.Caller, a auth.Create) auth.Issued {
	t.Helper()
	return authtest.Must(t, r, c, a)
}

func refused(t *testing.T, r *authtest.Rig, what string, i auth.Issued) {
	t.Helper()
	if c := as(r, i); !errors.Is(c.Refusal(), secret.ErrDenied) || c.Powers() != nil || c.Token() != nil {
		t.Errorf("%s: refusal %v, powers %v", what, c.Refusal(), c.Powers() != nil)
	}
}

func admitted(t *testing.T, r *authtest.Rig, what string, i auth.Issued) auth.Caller {
	t.Helper()
	c := as(r, i)
	if c.Refusal() != nil {
		t.Errorf("%s: %v", what, c.Refusal())
	}
	return c
}

func TestTreeDiesAtOnce(t *testing.T) {
	r := authtest.New(t)
	root := create(t, r, r.Root(), auth.Create{Policies: []string{"root"}})
	a := create(t, r, as(r, root), auth.Create{Policies: []string{"x"}})
	r.Policy(t, "x", map[string]policy.Capability{"auth/token/create": policy.Update})
	b := create(t, r, as(r, a), auth.Create{})
	c := create(t, r, as(r, b), auth.Create{})
	batch := create(t, r, as(r, b), auth.Create{Type: "batch"})
	orphan := create(t, r, as(r, root), auth.Create{NoParent: true, Policies: []string{"x"}})
	for n, i := range []auth.Issued{root, a, b, c, batch, orphan} {
		admitted(t, r, fmt.Sprint("before ", n), i)
	}
	authtest.Must(t, r, as(r, root), auth.Revoke{Which: auth.ByToken(auth.NewProof(a.Token.Reveal()))})
	for n, i := range []auth.Issued{a, b, c, batch} {
		refused(t, r, fmt.Sprint("after ", n), i)
	}
	admitted(t, r, "orphan", orphan)
	admitted(t, r, "root", root)
	for authtest.Must(t, r, r.Root(), auth.Sweep{}).More {
	}
	var tokens int
	for _, k := range r.Store.Keys() {
		if strings.HasPrefix(k, "tok/") {
			tokens++
		}
		if strings.HasPrefix(k, "gon/") || strings.HasPrefix(k, "kid/") {
			t.Errorf("left behind: %s", k)
		}
	}
	if tokens != 2 {
		t.Errorf("%d tokens left, want 2", tokens)
	}
}

func TestRevokeOrphanLeavesChildren(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "x", map[string]policy.Capability{"auth/token/*": policy.Update | policy.Read})
	top := create(t, r, r.Root(), auth.Create{Policies: []string{"root"}})
	a := create(t, r, as(r, top), auth.Create{Policies: []string{"x"}})
	b := create(t, r, as(r, a), auth.Create{})
	c := create(t, r, as(r, b), auth.Create{})
	authtest.Must(t, r, as(r, top), auth.RevokeOrphan{Token: auth.NewProof(a.Token.Reveal())})
	refused(t, r, "a", a)
	for _, i := range []auth.Issued{b, c} {
		info := authtest.Must(t, r, admitted(t, r, "child", i), auth.Lookup{})
		if want := i.Accessor == b.Accessor; info.Token.Orphan() != want {
			t.Errorf("orphan %v, want %v", info.Token.Orphan(), want)
		}
	}
	// What is above the cut no longer matters to what is below.
	authtest.Must(t, r, r.Root(), auth.Revoke{Which: auth.ByToken(auth.NewProof(top.Token.Reveal()))})
	for authtest.Must(t, r, r.Root(), auth.Sweep{}).More {
	}
	admitted(t, r, "b", b)
	admitted(t, r, "c", c)
	authtest.Must(t, r, as(r, b), auth.Revoke{})
	refused(t, r, "c", c)
	for authtest.Must(t, r, r.Root(), auth.Sweep{}).More {
	}
	tidy(t, r)
	if keys := r.Store.Keys(); len(keys) != 0 {
		t.Errorf("left behind: %v", keys)
	}
}

func tidy(t *testing.T, r *authtest.Rig) {
	t.Helper()
	for cursor := authtest.Must(t, r, r.Root(), auth.Tidy{}); cursor != ""; {
		cursor = authtest.Must(t, r, r.Root(), auth.Tidy{Cursor: cursor})
	}
}

func TestUseLimitUnderRacers(t *testing.T) {
	r := authtest.New(t)
	i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, Uses: 5})
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 64 {
		wg.Go(func() {
			c := as(r, i)
			if c.Refusal() != nil {
				return
			}
			if !c.SpendsUse() {
				t.Error("a limited token that spends no use")
				return
			}
			for {
				changes, err := r.Spend(context.Background(), c)
				if errors.Is(err, secret.ErrDenied) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if err := r.Apply(changes); errors.Is(err, secret.ErrConflict) {
					continue
				} else if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				won++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	if won != 5 {
		t.Errorf("%d uses of 5", won)
	}
	refused(t, r, "used up", i)
	if keys := r.Store.Keys(); len(keys) != 0 {
		t.Errorf("left behind: %v", keys)
	}
}

func TestLastUseMayStillLookItselfUp(t *testing.T) {
	r := authtest.New(t)
	i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, Uses: 1})
	c := as(r, i)
	changes, err := r.Spend(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(changes); err != nil {
		t.Fatal(err)
	}
	if info := authtest.Must(t, r, c, auth.Lookup{}); info.Token.Accessor != i.Accessor {
		t.Errorf("got %q", info.Token.Accessor)
	}
}

func TestExpiryIsCheckedAtUseAndSweptLater(t *testing.T) {
	r := authtest.New(t)
	short := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, TTL: time.Minute})
	long := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, TTL: time.Minute})
	admitted(t, r, "short", short)
	r.Store.Advance(59 * time.Second)
	admitted(t, r, "short", short)
	got := authtest.Must(t, r, as(r, long), auth.Renew{Increment: time.Hour})
	if got.TTL != time.Hour {
		t.Errorf("renewed for %s", got.TTL)
	}
	r.Store.Advance(time.Second)
	refused(t, r, "short", short)
	admitted(t, r, "long", long)
	r.Store.Advance(2 * time.Minute)
	if s := authtest.Must(t, r, r.Root(), auth.Sweep{}); s.Removed != 1 {
		t.Errorf("swept %+v", s)
	}
	admitted(t, r, "long, moved to another bucket", long)
	r.Store.Advance(2 * time.Hour)
	authtest.Must(t, r, r.Root(), auth.Sweep{})
	if keys := r.Store.Keys(); len(keys) != 0 {
		t.Errorf("left behind: %v", keys)
	}
}

func TestChildEndsWithItsParent(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "x", map[string]policy.Capability{"auth/token/*": policy.Update})
	parent := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, TTL: time.Minute})
	child := create(t, r, as(r, parent), auth.Create{TTL: time.Hour})
	admitted(t, r, "child", child)
	authtest.Must(t, r, as(r, parent), auth.Renew{Increment: 10 * time.Minute})
	r.Store.Advance(5 * time.Minute)
	admitted(t, r, "child of a renewed parent", child)
	r.Store.Advance(5 * time.Minute)
	refused(t, r, "child of an expired parent", child)
}

func TestBatch(t *testing.T) {
	r := authtest.New(t)
	i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, Type: "batch", TTL: time.Hour})
	if keys := r.Store.Keys(); len(keys) != 0 {
		t.Errorf("stored: %v", keys)
	}
	text := string(i.Token.Reveal())
	if !strings.HasPrefix(text, "khb_") || !auth.CheckToken(text) || i.Accessor != "" || i.Renewable {
		t.Errorf("got %d bytes, %+v", len(text), i)
	}
	c := admitted(t, r, "batch", i)
	for name, act := range map[string]auth.Act[auth.Issued]{"renew": auth.Renew{}, "create": auth.Create{}} {
		if _, err := authtest.Do(r, c, act); !errors.Is(err, secret.ErrInvalid) || !strings.HasPrefix(err.Error(), "batch tokens cannot") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := authtest.Do(r, c, auth.Revoke{}); err == nil || err.Error() != "batch tokens cannot be revoked" {
		t.Errorf("revoke: %v", err)
	}
	if info := authtest.Must(t, r, c, auth.Lookup{}); info.Token.Kind != auth.Batch || info.Left != time.Hour {
		t.Errorf("got %+v", info)
	}
	r.Epoch++
	refused(t, r, "in another epoch", i)
	r.Epoch--
	admitted(t, r, "back again", i)
	r.Store.Advance(time.Hour)
	refused(t, r, "expired", i)
}

func TestEpochEndsTokens(t *testing.T) {
	r := authtest.New(t)
	i := create(t, r, r.Root(), auth.Create{Policies: []string{"root"}})
	admitted(t, r, "root", i)
	r.Epoch++
	refused(t, r, "root of an older epoch", i)
	r.ForgetAll()
	refused(t, r, "root of an older epoch, not cached", i)
}

func TestAddressesBind(t *testing.T) {
	r := authtest.New(t)
	authtest.Must(t, r, r.Root(), auth.WriteRole{Name: "near", Change: func(x *auth.Role) (err error) {
		x.CIDRs, err = auth.ParseCIDRs([]string{"10.0.0.0/24", "::1"})
		x.Orphan = true
		return err
	}})
	i := create(t, r, r.Root(), auth.Create{Role: "near", Policies: []string{"x"}})
	for addr, ok := range map[string]bool{"10.0.0.200": true, "::ffff:10.0.0.1": true, "::1": true, "10.0.1.1": false, "": false} {
		c := r.As(i.Token.Reveal(), authtest.From(addr))
		if (c.Refusal() == nil) != ok {
			t.Errorf("from %q: %v", addr, c.Refusal())
		}
	}
}

func TestPolicyChangeReachesCachedTokens(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "x", map[string]policy.Capability{"secret/data/a": policy.Read})
	i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
	may := func() bool {
		return as(r, i).Powers().Decide(policy.Request{Resource: "secret/data/a", Capability: policy.Read}).Allowed
	}
	if first, cached := may(), may(); !first || !cached {
		t.Error("refused before")
	}
	n := r.Compiled.Load()
	may()
	if r.Compiled.Load() != n {
		t.Error("compiled again on a hit")
	}
	r.Policies["x"] = &policy.Policy{Name: "x"}
	r.Forget("reg/policy/-/x") // as custody does when the registry has changed
	if may() {
		t.Error("allowed after")
	}
}

func TestCreateRules(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "maker", map[string]policy.Capability{"auth/token/create": policy.Update})
	r.Policy(t, "sudoer", map[string]policy.Capability{"auth/token/create": policy.Update | policy.Sudo})
	maker := as(r, create(t, r, r.Root(), auth.Create{Policies: []string{"maker", "x"}}))
	sudoer := as(r, create(t, r, r.Root(), auth.Create{Policies: []string{"sudoer"}}))
	limited := as(r, create(t, r, r.Root(), auth.Create{Policies: []string{"maker"}, Uses: 3}))
	ending := as(r, create(t, r, r.Root(), auth.Create{Policies: []string{"root"}, TTL: time.Hour}))
	for name, x := range map[string]struct {
		c    auth.Caller
		a    auth.Create
		want string
	}{
		"subset":               {maker, auth.Create{Policies: []string{"y"}}, "child policies must be subset of parent"},
		"root by maker":        {maker, auth.Create{Policies: []string{" ROOT "}}, "child policies must be subset of parent"},
		"root by sudo":         {sudoer, auth.Create{Policies: []string{"Root"}}, "root tokens may not be created without parent token being root"},
		"orphan by maker":      {maker, auth.Create{NoParent: true}, "root or sudo privileges required to create orphan token"},
		"period by maker":      {maker, auth.Create{Period: time.Hour}, "root or sudo privileges required to create periodic token"},
		"id by maker":          {maker, auth.Create{ID: auth.NewProof([]byte("abc"))}, "root or sudo privileges required to specify token id"},
		"limited":              {limited, auth.Create{}, "restricted use token cannot generate child tokens"},
		"unending root":        {ending, auth.Create{Policies: []string{"root"}}, "expiring root tokens cannot create non-expiring root tokens"},
		"batch root":           {ending, auth.Create{Policies: []string{"root"}, Type: "batch"}, "batch tokens cannot be root tokens"},
		"batch uses":           {maker, auth.Create{Type: "batch", Uses: 1}, `batch tokens cannot have "num_uses" set`},
		"type":                 {maker, auth.Create{Type: "other"}, "invalid 'token_type' value"},
		"role":                 {maker, auth.Create{Role: "none"}, "unknown role none"},
		"uses":                 {maker, auth.Create{Uses: -1}, "number of uses cannot be negative"},
		"wrapping":             {sudoer, auth.Create{Policies: []string{"response-wrapping"}}, `cannot assign policy "response-wrapping"`},
		"alias without a role": {maker, auth.Create{EntityAlias: "bob"}, "'entity_alias' is only allowed in combination with token role"},
		"own prefix as id":     {ending, auth.Create{ID: auth.NewProof([]byte("khs_mine")), TTL: time.Minute}, "custom token ID cannot have a prefix of the keep's own tokens"},
	} {
		_, err := authtest.Do(r, x.c, x.a)
		if err == nil || err.Error() != x.want || !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: got %v, want %s", name, err, x.want)
		}
	}
	child := create(t, r, maker, auth.Create{Policies: []string{"x"}, NoDefaultPolicy: true, DisplayName: "a b/c", Meta: []secret.Pair{{Key: "k", Value: "v"}}})
	info := authtest.Must(t, r, as(r, child), auth.Lookup{})
	if got := info.Token; !slices.Equal(got.Policies, []string{"x"}) || got.Display != "token-a-b-c" || got.Orphan() || got.Path != "auth/token/create" || len(got.Meta) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestCustomRootToken(t *testing.T) {
	r := authtest.New(t)
	for _, id := range []string{"root", "hvs.devtoken"} {
		i := create(t, r, r.Root(), auth.Create{ID: auth.NewProof([]byte(id)), Policies: []string{"root"}})
		if string(i.Token.Reveal()) != id || i.TTL != 0 || i.Renewable {
			t.Errorf("got %+v", i)
		}
		c := admitted(t, r, id, i)
		if !c.Powers().IsRoot() {
			t.Error("not root")
		}
		if info := authtest.Must(t, r, c, auth.Lookup{}); info.Token.Path != "auth/token/root" && info.Token.Path != "auth/token/create" {
			t.Errorf("path %s", info.Token.Path)
		}
	}
	if _, err := authtest.Do(r, r.Root(), auth.Create{ID: auth.NewProof([]byte("root")), Policies: []string{"root"}}); err == nil {
		t.Error("the same id twice")
	}
}

func TestPeriodicAndExplicitMax(t *testing.T) {
	r := authtest.New(t)
	p := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, Period: time.Hour})
	e := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, TTL: time.Hour, ExplicitMax: 90 * time.Minute})
	r.Store.Advance(50 * time.Minute)
	if got := authtest.Must(t, r, as(r, p), auth.Renew{Increment: 5 * time.Hour}); got.TTL != time.Hour {
		t.Errorf("periodic: %s", got.TTL)
	}
	got := authtest.Must(t, r, as(r, e), auth.Renew{Increment: 5 * time.Hour})
	if got.TTL != 40*time.Minute || len(got.Warnings) != 1 {
		t.Errorf("explicit max: %s, %v", got.TTL, got.Warnings)
	}
	if big := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, TTL: 10000 * time.Hour}); big.TTL != auth.SystemTTL || len(big.Warnings) != 1 {
		t.Errorf("system max: %s, %v", big.TTL, big.Warnings)
	}
	fixed := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}, NotRenewable: true})
	if _, err := authtest.Do(r, as(r, fixed), auth.Renew{}); err == nil || err.Error() != "lease is not renewable" {
		t.Errorf("got %v", err)
	}
}

func TestLeases(t *testing.T) {
	r := authtest.New(t)
	root := as(r, create(t, r, r.Root(), auth.Create{Policies: []string{"root"}}))
	var made []auth.Issued
	for range 45 {
		made = append(made, create(t, r, root, auth.Create{Policies: []string{"x"}}))
	}
	l := authtest.Must(t, r, root, auth.LookupLease{ID: made[0].Lease})
	if l.Left != auth.SystemTTL || !l.Renewable {
		t.Errorf("got %+v", l)
	}
	if got := authtest.Must(t, r, root, auth.ListLeases{Prefix: "auth"}); !slices.Equal(got, []string{"token/"}) {
		t.Errorf("got %v", got)
	}
	if got := authtest.Must(t, r, root, auth.CountLeases{}); got.Total != 46 || got.By["auth/token/create"] != 46 {
		t.Errorf("got %v", got)
	}
	authtest.Must(t, r, root, auth.RevokeLease{ID: made[0].Lease})
	refused(t, r, "revoked by its lease", made[0])
	pages := 0
	for more := true; more; pages++ {
		more = authtest.Must(t, r, r.Root(), auth.RevokePrefix{Prefix: "auth/token/create"}).More
	}
	for _, i := range made {
		refused(t, r, "revoked by prefix", i)
	}
	if pages != 3 {
		t.Errorf("%d pages", pages)
	}
	if _, err := authtest.Do(r, r.Root(), auth.RevokePrefix{}); err == nil {
		t.Error("an empty prefix revoked everything")
	}
}
