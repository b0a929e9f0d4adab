package approle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/secret"
)

var mount = auth.Mount{Path: "approle", Accessor: "auth_approle_1"}

func newRole(t testing.TB, r *authtest.Rig, name string, change func(*approle.Role)) approle.Role {
	t.Helper()
	authtest.Must(t, r, r.Root(), approle.WriteRole{Mount: mount, Role: name, Change: func(x *approle.Role, _ bool) error {
		x.Token.Policies = []string{"web"}
		if change != nil {
			change(x)
		}
		return nil
	}})
	return authtest.Must(t, r, r.Root(), approle.ReadRole{Mount: mount, Role: name})
}

func login(id string, m approle.Made) approle.Login {
	return approle.Login{Mount: mount, RoleID: id, SecretID: auth.NewProof(m.SecretID.Reveal())}
}

func TestSignIn(t *testing.T) {
	r := authtest.New(t)
	role := newRole(t, r, "Web", nil)
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web", Meta: []secret.Pair{{Key: "host", Value: "a"}}})
	got, err := r.SignIn(login(role.RoleID, id), authtest.From("10.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if got.TTL != auth.SystemTTL || !got.Renewable || !got.Orphan || got.Entity == "" || got.Kind != auth.Service {
		t.Errorf("got %+v", got)
	}
	c := r.As(got.Token.Reveal(), authtest.From("10.0.0.1"))
	if c.Refusal() != nil {
		t.Fatal(c.Refusal())
	}
	who := c.Identity()
	if who.DisplayName != "approle" || who.Method != "approle" || len(who.Policies) != 2 || who.Policies[0] != "default" || who.Policies[1] != "web" {
		t.Errorf("got %+v", who)
	}
	if len(who.Meta) != 2 || who.Meta[1] != (secret.Pair{Key: "role_name", Value: "web"}) {
		t.Errorf("meta: %v", who.Meta)
	}
	again, err := r.SignIn(login(role.RoleID, id), authtest.From("10.0.0.1"))
	if err != nil || again.Entity != got.Entity {
		t.Errorf("second sign-in: entity %q, want %q, %v", again.Entity, got.Entity, err)
	}
}

func TestSingleUseUnderRacers(t *testing.T) {
	r := authtest.New(t)
	role := newRole(t, r, "web", func(x *approle.Role) { x.SecretIDUses = 3 })
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 32 {
		wg.Go(func() {
			_, err := r.SignIn(login(role.RoleID, id), authtest.From("10.0.0.1"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, secret.ErrSignIn):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 3 {
		t.Errorf("%d sign-ins with a secret-id of 3 uses", won)
	}
}

func TestRefusals(t *testing.T) {
	r := authtest.New(t)
	role := newRole(t, r, "web", nil)
	other := newRole(t, r, "other", nil)
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	ttl := time.Minute
	short := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web", TTL: &ttl})
	r.Store.Advance(time.Minute)
	wrong := approle.Made{SecretID: secret.NewValue([]byte("wrong"))}
	const text = "invalid role or secret ID"
	for name, l := range map[string]approle.Login{
		"unknown role":              login("nobody", id),
		"wrong secret-id":           login(role.RoleID, wrong),
		"secret-id of another role": login(other.RoleID, id),
		"expired secret-id":         login(role.RoleID, short),
	} {
		_, err := r.SignIn(l, authtest.From("10.0.0.1"))
		if !errors.Is(err, secret.ErrSignIn) || err.Error() != text {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := r.SignIn(login(role.RoleID, id), authtest.From("10.0.0.1")); err != nil {
		t.Error(err)
	}
}

func TestContract(t *testing.T) {
	authtest.TestMethod(t, func(t *testing.T) (*authtest.Rig, authtest.Harness) {
		r := authtest.New(t)
		role := newRole(t, r, "web", func(x *approle.Role) { x.SecretIDUses = 9 })
		id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
		return r, authtest.Harness{
			From: authtest.From("10.0.0.1"),
			Good: func() auth.Method { return login(role.RoleID, id) },
			Wrong: func() auth.Method {
				return login(role.RoleID, approle.Made{SecretID: secret.NewValue([]byte("wrong"))})
			},
			Unknown: func() auth.Method { return login("nobody", id) },
		}
	})
}

func BenchmarkSignIn(b *testing.B) {
	for _, kind := range []string{"service", "batch"} {
		b.Run(kind, func(b *testing.B) {
			r := authtest.New(b)
			role := newRole(b, r, "web", func(x *approle.Role) { x.Token.Type = kind })
			id := authtest.Must(b, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
			from := authtest.From("10.0.0.1")
			if _, err := r.SignIn(login(role.RoleID, id), from); err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N { // planning alone: nothing is committed
				s, _, err := login(role.RoleID, id).SignIn(ctx, r.Store, from)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := r.Issue(ctx, r.Store, s, from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
