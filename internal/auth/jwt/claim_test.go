package jwt_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

const (
	deployRole = "arn:aws:iam::123456789012:role/deploy"
	shutRole   = "arn:aws:iam::123456789012:role/shut"
)

// takers is a rig with a mount whose role "web" takes the role deploy, and a role that nobody takes.
func takers(t testing.TB, key *ecdsa.PrivateKey) *authtest.Rig {
	t.Helper()
	r := rig(t, config(t, key), new(jwt.Keys))
	must(t, r.Apply([]record.Change{
		{Key: "name/auth//jwt", Value: []byte("m1")},
		{Key: "reg/auth/m1", Value: []byte(`{"ID":"m1","Name":"jwt","Type":"jwt","Accessor":"auth_jwt_1"}`)},
		{Key: "name/auth//other", Value: []byte("m2")},
		{Key: "reg/auth/m2", Value: []byte(`{"ID":"m2","Name":"other","Type":"approle","Accessor":"auth_approle_2"}`)},
	}))
	for _, name := range []string{"deploy", "shut"} {
		authtest.Must(t, r, r.Root(), machine.Create{Name: name, Kind: machine.AWSRole, Home: "123456789012", Policies: []string{"web"}})
	}
	authtest.Must(t, r, r.Root(), machine.Create{Name: "key", Kind: machine.AWSKey, Home: "123456789012"})
	authtest.Must(t, r, r.Root(), jwt.Entrust{Name: "deploy", Roles: []string{"jwt/web"}})
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func take(r *authtest.Rig, public, token string, change func(*jwt.Taking)) auth.Caller {
	c := jwt.Taking{Public: public, Kinds: []machine.Kind{machine.AWSRole}, Token: auth.NewProof([]byte(token)), Mounts: []auth.Mount{mount}, Now: r.Store.Now(), Keys: new(jwt.Keys)}
	if change != nil {
		change(&c)
	}
	return r.Authenticate(context.Background(), auth.Credential{Claim: c})
}

func kind(t testing.TB, c auth.Caller) jwt.FaultKind {
	t.Helper()
	if c.Refusal() == nil {
		return 0
	}
	var f *jwt.Fault
	if !errors.As(c.Refusal(), &f) || !errors.Is(c.Refusal(), secret.ErrDenied) {
		t.Fatalf("refused by %v, which is no fault", c.Refusal())
	}
	return f.Kind
}

func TestATokenTakesAnIdentity(t *testing.T) {
	key := newKey(t)
	r := takers(t, key)
	token := sign(t, jose.ES256, key, "", says(r, nil))
	for _, mounts := range [][]auth.Mount{{mount}, nil} {
		c := take(r, deployRole, token, func(c *jwt.Taking) { c.Mounts = mounts })
		must(t, c.Refusal())
		id := c.Identity()
		if id.DisplayName != "deploy/repo:shop" || !slices.Contains(id.Policies, "web") || !slices.Contains(id.Meta, secret.Pair{Key: jwt.MetaSubject, Value: "repo:shop"}) {
			t.Errorf("got %+v", id)
		}
	}
}

// TestWhatEndsTheTrust: each of these ends it at once, for a token that was good a moment ago and is remembered.
func TestWhatEndsTheTrust(t *testing.T) {
	key := newKey(t)
	ends := map[string]func(*testing.T, *authtest.Rig){
		"nobody trusted any more": func(t *testing.T, r *authtest.Rig) { authtest.Must(t, r, r.Root(), jwt.Entrust{Name: "deploy"}) },
		"the role gone": func(t *testing.T, r *authtest.Rig) {
			authtest.Must(t, r, r.Root(), jwt.DeleteRole{Mount: mount, Role: "web"})
		},
		"the role asks for more": func(t *testing.T, r *authtest.Rig) {
			authtest.Must(t, r, r.Root(), jwt.WriteRole{Mount: mount, Role: "web", Change: func(role *jwt.Role) error { role.Subject = "repo:other"; return nil }})
		},
		"the role asks who it is": func(t *testing.T, r *authtest.Rig) {
			authtest.Must(t, r, r.Root(), jwt.WriteRole{Mount: mount, Role: "web", Change: func(role *jwt.Role) error { role.UserClaim = "email"; return nil }})
		},
		"the role bound to addresses": func(t *testing.T, r *authtest.Rig) {
			authtest.Must(t, r, r.Root(), jwt.WriteRole{Mount: mount, Role: "web", Change: func(role *jwt.Role) error {
				role.Token.CIDRs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
				return nil
			}})
		},
		"another key": func(t *testing.T, r *authtest.Rig) {
			authtest.Must(t, r, r.Root(), jwt.WriteConfig{Mount: mount, Config: config(t, newKey(t)), Keys: new(jwt.Keys)})
		},
		"the mount gone": func(t *testing.T, r *authtest.Rig) {
			must(t, r.Apply([]record.Change{{Key: "name/auth//jwt", Delete: true}}))
		},
		"the mount made again": func(t *testing.T, r *authtest.Rig) {
			must(t, r.Apply([]record.Change{{Key: "name/auth//jwt", Value: []byte("m9")}}))
		},
		"the identity gone": func(t *testing.T, r *authtest.Rig) { authtest.Must(t, r, r.Root(), machine.Delete{Name: "deploy"}) },
		"the token's end":   func(_ *testing.T, r *authtest.Rig) { r.Store.Advance(12 * time.Minute) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			r := takers(t, key)
			token := sign(t, jose.ES256, key, "", says(r, nil))
			must(t, take(r, deployRole, token, nil).Refusal())
			end(t, r)
			if take(r, deployRole, token, nil).Refusal() == nil {
				t.Error("it is still taken")
			}
			if take(r, deployRole, token, func(c *jwt.Taking) { c.Mounts = nil }).Refusal() == nil {
				t.Error("it is still taken by who asks the identity itself")
			}
		})
	}
}

// TestStrangersAreToldTheSame: what is wrong with a token is said alike whether the identity is there or not.
func TestStrangersAreToldTheSame(t *testing.T) {
	key := newKey(t)
	r := takers(t, key)
	now := r.Store.Now().Unix()
	signed := func(change map[string]any) string { return sign(t, jose.ES256, key, "", says(r, change)) }
	tests := map[string]struct {
		token string
		want  jwt.FaultKind
	}{
		"no token":           {"x", jwt.Malformed},
		"no subject":         {signed(map[string]any{"sub": nil}), jwt.Malformed},
		"no end":             {signed(map[string]any{"exp": nil}), jwt.Malformed},
		"a secret both know": {sign(t, jose.HS256, make([]byte, 32), "", says(r, nil)), jwt.Malformed},
		"ended":              {signed(map[string]any{"exp": now - 3600}), jwt.Expired},
		"to come":            {signed(map[string]any{"nbf": now + 3600}), jwt.Early},
		"another issuer":     {signed(map[string]any{"iss": "https://evil.example"}), jwt.Untrusted},
		"not signed by it":   {sign(t, jose.ES256, newKey(t), "", says(r, nil)), jwt.Unproved},
		"ended, and forged":  {sign(t, jose.ES256, newKey(t), "", says(r, map[string]any{"exp": now - 3600})), jwt.Expired},
		"another subject":    {signed(map[string]any{"env": "test"}), jwt.Refused},
		"another audience":   {signed(map[string]any{"aud": "somebody"}), jwt.Refused},
	}
	for name, test := range tests {
		var first string
		for _, public := range []string{deployRole, shutRole, "arn:aws:iam::123456789012:role/never-was"} {
			c := take(r, public, test.token, nil)
			if got := kind(t, c); got != test.want {
				t.Errorf("%s of %s: got kind %d (%v), want %d", name, public, got, c.Refusal(), test.want)
				continue
			}
			if first == "" {
				first = c.Refusal().Error()
			}
			if c.Refusal().Error() != first {
				t.Errorf("%s of %s reads %q, else %q", name, public, c.Refusal(), first)
			}
		}
	}
	for _, public := range []string{shutRole, "arn:aws:iam::123456789012:role/never-was", "arn:aws:iam::123456789012:user/key"} {
		if got := kind(t, take(r, public, signed(nil), nil)); got != jwt.Refused {
			t.Errorf("%s: got kind %d", public, got)
		}
	}
	unreachable := jwt.Config{JWKSURL: "https://127.0.0.1:1/keys", Issuer: "https://ci.example", Algorithms: []string{"ES256"}}
	authtest.Must(t, r, r.Root(), jwt.WriteConfig{Mount: mount, Config: unreachable, Keys: new(jwt.Keys)})
	if got := kind(t, take(r, shutRole, signed(nil), nil)); got != jwt.Unreachable {
		t.Errorf("an issuer that does not answer: got kind %d", got)
	}
}

func TestWhomAnIdentityMayTrust(t *testing.T) {
	r := takers(t, newKey(t))
	for name, test := range map[string]struct {
		act  jwt.Entrust
		want error
	}{
		"no mount":         {jwt.Entrust{Name: "deploy", Roles: []string{"web"}}, secret.ErrInvalid},
		"an unknown mount": {jwt.Entrust{Name: "deploy", Roles: []string{"nowhere/web"}}, secret.ErrNotFound},
		"another method":   {jwt.Entrust{Name: "deploy", Roles: []string{"other/web"}}, secret.ErrNotFound},
		"an unknown role":  {jwt.Entrust{Name: "deploy", Roles: []string{"jwt/nobody"}}, secret.ErrNotFound},
		"no identity":      {jwt.Entrust{Name: "nobody", Roles: []string{"jwt/web"}}, secret.ErrNotFound},
		"an access key":    {jwt.Entrust{Name: "key", Roles: []string{"jwt/web"}}, secret.ErrInvalid},
		"too many":         {jwt.Entrust{Name: "deploy", Roles: slices.Repeat([]string{"jwt/web"}, 17)}, secret.ErrInvalid},
	} {
		if _, err := authtest.Do(r, r.Root(), test.act); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	id := authtest.Must(t, r, r.Root(), machine.Read{Name: "deploy"})
	if len(id.Trust) != 1 || id.Trust[0].Mount != "jwt" || id.Trust[0].Role != "web" {
		t.Errorf("what was refused changed it: %+v", id.Trust)
	}
}

// FuzzTaking: no text that was not signed takes an identity, and what is wrong is always a fault.
func FuzzTaking(f *testing.F) {
	key := newKey(f)
	r := takers(f, key)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.AAAA")
	f.Add(sign(f, jose.ES256, newKey(f), "k", says(r, nil)))
	f.Add(sign(f, jose.ES256, key, "k", says(r, map[string]any{"aud": []any{1, nil}, "exp": 1e30})))
	f.Fuzz(func(t *testing.T, text string) {
		if kind(t, take(r, deployRole, text, nil)) == 0 {
			t.Errorf("%q took the role", text)
		}
	})
}
