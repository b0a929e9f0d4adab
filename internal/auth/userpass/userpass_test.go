package userpass_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/secret"
)

var mount = auth.Mount{Path: "userpass", Accessor: "auth_userpass_1"}

type keep struct {
	*authtest.Rig
	hasher *userpass.Hasher
}

func open(t testing.TB) keep {
	t.Helper()
	k := keep{hasher: userpass.NewHasher(2)}
	k.Rig = authtest.New(t, func(c *auth.Config) { c.Renewers = map[string]auth.Renewer{userpass.Method: userpass.Renew} })
	authtest.Must(t, k.Rig, k.Root(), userpass.WriteUser{
		Mount: mount, Name: "Bob", Hasher: k.hasher, Password: userpass.NewPassword{Password: proof("right")},
		Change: func(x *auth.TokenTerms) error { x.Policies = []string{"web"}; x.TTL = time.Hour; return nil },
	})
	return k
}

func proof(s string) auth.Proof { return auth.NewProof([]byte(s)) }

func (k keep) login(user, password string) (auth.Issued, error) {
	return k.SignIn(k.method(user, password), authtest.From("10.0.0.1"))
}

func (k keep) method(user, password string) userpass.Login {
	return userpass.Login{Mount: mount, User: user, Password: proof(password), Hasher: k.hasher}
}

func TestContract(t *testing.T) {
	authtest.TestMethod(t, func(t *testing.T) (*authtest.Rig, authtest.Harness) {
		k := open(t)
		return k.Rig, authtest.Harness{
			From:    authtest.From("10.0.0.1"),
			Good:    func() auth.Method { return k.method("bob", "right") },
			Wrong:   func() auth.Method { return k.method("bob", "wrong") },
			Unknown: func() auth.Method { return k.method("nobody", "wrong") },
			Calls:   k.hasher.Calls,
		}
	})
}

func TestSignIn(t *testing.T) {
	k := open(t)
	for _, name := range []string{"bob", "BOB"} {
		got, err := k.login(name, "right")
		if err != nil {
			t.Fatal(err)
		}
		c := k.As(got.Token.Reveal(), authtest.From("10.0.0.1"))
		who := c.Identity()
		if c.Refusal() != nil || who.DisplayName != "userpass-bob" || c.Token().Path != "auth/userpass/login/bob" || got.TTL != time.Hour {
			t.Errorf("got %+v, %v", who, c.Refusal())
		}
		if _, err := authtest.Do(k.Rig, c, auth.Renew{}); err != nil {
			t.Errorf("renew: %v", err)
		}
	}
}

func TestRenewalAfterChange(t *testing.T) {
	k := open(t)
	got, err := k.login("bob", "right")
	if err != nil {
		t.Fatal(err)
	}
	c := k.As(got.Token.Reveal(), authtest.From("10.0.0.1"))
	authtest.Must(t, k.Rig, k.Root(), userpass.SetPolicies{Mount: mount, Name: "bob", Policies: []string{"other"}})
	if _, err := authtest.Do(k.Rig, c, auth.Renew{}); err == nil || err.Error() != "policies have changed, not renewing" {
		t.Errorf("got %v", err)
	}
	authtest.Must(t, k.Rig, k.Root(), userpass.DeleteUser{Mount: mount, Name: "bob"})
	if _, err := authtest.Do(k.Rig, c, auth.Renew{}); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestLockout(t *testing.T) {
	k := open(t)
	for i := range 5 {
		if _, err := k.login([]string{"bob", "Bob", "BOB"}[i%3], "wrong"); !errors.Is(err, secret.ErrSignIn) || errors.Is(err, userpass.ErrLocked) {
			t.Fatalf("failure %d: %v", i+1, err)
		}
	}
	_, err := k.login("bob", "right")
	if !errors.Is(err, userpass.ErrLocked) || err.Error() != "invalid username or password" {
		t.Fatalf("after 5 failures: %v", err)
	}
	k.Store.Advance(14 * time.Minute)
	if _, err := k.login("bOb", "right"); !errors.Is(err, userpass.ErrLocked) {
		t.Errorf("14 minutes later: %v", err)
	}
	k.Store.Advance(time.Minute)
	if _, err := k.login("bob", "right"); err != nil {
		t.Errorf("15 minutes later: %v", err)
	}
	for range 4 {
		_, _ = k.login("bob", "wrong")
	}
	if _, err := k.login("bob", "right"); err != nil {
		t.Errorf("success forgets the failures before: %v", err)
	}
	for range 4 {
		_, _ = k.login("bob", "wrong")
	}
	k.Store.Advance(15 * time.Minute)
	_, _ = k.login("bob", "wrong")
	if _, err := k.login("bob", "right"); err != nil {
		t.Errorf("failures are forgotten after a while: %v", err)
	}
}

func TestUnlock(t *testing.T) {
	k := open(t)
	for range 5 {
		_, _ = k.login("bob", "wrong")
	}
	authtest.Must(t, k.Rig, k.Root(), userpass.Unlock{Mount: mount, Name: "BOB"})
	if _, err := k.login("bob", "right"); err != nil {
		t.Error(err)
	}
}

func TestAdvisoryUserEnumerationEqualWork(t *testing.T) {
	k := open(t)
	type work struct {
		records, lists, changes int
		calls                   uint64
		text                    string
	}
	measure := func(user, password string) work {
		records, lists := k.Store.Reads()
		calls := k.hasher.Calls()
		_, changes, err := k.method(user, password).SignIn(context.Background(), k.Store, auth.From{})
		records2, lists2 := k.Store.Reads()
		if err := k.Apply(changes); err != nil {
			t.Fatal(err)
		}
		return work{records2 - records, lists2 - lists, len(changes), k.hasher.Calls() - calls, err.Error()}
	}
	want := measure("bob", "wrong")
	if want.calls != 1 || want.changes != 1 || want.text != "invalid username or password" {
		t.Fatalf("got %+v", want)
	}
	for range 3 { // bob is locked out on the way
		for _, user := range []string{"bob", "nobody", "BOB", "no/body", "../bob", "", strings.Repeat("x", 300)} {
			if got := measure(user, "wrong"); got != want {
				t.Errorf("%.20q: %+v, want %+v", user, got, want)
			}
		}
	}
	if got := measure("bob", "right"); got != want {
		t.Errorf("the right password of a locked user: %+v, want %+v", got, want)
	}
}

func TestStrangersTakeBoundedSpace(t *testing.T) {
	k := open(t)
	before := len(k.Store.Keys())
	for i := range 8 {
		_, _ = k.login(strings.Repeat("n", i+1), "wrong")
	}
	for _, key := range k.Store.Keys() {
		if strings.HasPrefix(key, "upx/") && len(key) != len("upx/-/auth_userpass_1/abc") {
			t.Errorf("%s names the stranger", key)
		}
	}
	if after := len(k.Store.Keys()); after > before+8 {
		t.Errorf("%d keys", after)
	}
}

func TestImportedHash(t *testing.T) {
	k := open(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("old"), bcrypt.MinCost+1)
	if err != nil {
		t.Fatal(err)
	}
	authtest.Must(t, k.Rig, k.Root(), userpass.WriteUser{Mount: mount, Name: "eve", Hasher: k.hasher, Password: userpass.NewPassword{Hash: auth.NewProof(hash)}})
	for range 2 { // the second is against the hash made at the first
		if _, err := k.login("eve", "bad"); !errors.Is(err, secret.ErrSignIn) {
			t.Errorf("got %v", err)
		}
		if _, err := k.login("eve", "old"); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"plain", "$2a$04$" + strings.Repeat("a", 53), "$2a$31$" + strings.Repeat("a", 53)} {
		_, err := authtest.Do(k.Rig, k.Root(), userpass.WriteUser{Mount: mount, Name: "eve", Hasher: k.hasher, Password: userpass.NewPassword{Hash: proof(bad)}})
		if !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestBadRequests(t *testing.T) {
	k := open(t)
	for name, x := range map[string]struct {
		a    userpass.WriteUser
		want string
	}{
		"no password": {userpass.WriteUser{Name: "new"}, "must provide either password or password_hash"},
		"both":        {userpass.WriteUser{Name: "new", Password: userpass.NewPassword{Password: proof("a"), Hash: proof("b")}}, "only one of password or password_hash may be provided"},
		"negative":    {userpass.WriteUser{Name: "bob", Change: func(x *auth.TokenTerms) error { x.TTL = -1; return nil }}, "'token_ttl' cannot be negative"},
	} {
		x.a.Mount, x.a.Hasher = mount, k.hasher
		if _, err := authtest.Do(k.Rig, k.Root(), x.a); err == nil || err.Error() != x.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, name := range []string{"", "a/b", "..", "a b", "-a", "a\x00"} {
		if _, err := authtest.Do(k.Rig, k.Root(), userpass.WriteUser{Mount: mount, Name: name, Hasher: k.hasher, Password: userpass.NewPassword{Password: proof("a")}}); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzHash(f *testing.F) {
	h := userpass.NewHasher(1)
	good, err := h.Hash(context.Background(), []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAA$BBBB")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=1$AAAA$BBBB")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.HasPrefix(s, "$2") {
			return // the cost of a foreign hash is checked before it is stored
		}
		if ok, err := h.Matches(context.Background(), s, []byte("y")); ok || err != nil && !errors.Is(err, secret.ErrDamaged) {
			t.Errorf("%q: %v, %v", s, ok, err)
		}
	})
}
