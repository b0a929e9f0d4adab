package machine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// space is a Space as the registry keeps it.
func space(t *testing.T, r *authtest.Rig, name, id string) {
	t.Helper()
	apply(t, r, record.Change{Key: "name/space//" + name, Value: []byte(id)}, record.Change{Key: "reg/space/" + id, Value: []byte("{}")})
}

func apply(t *testing.T, r *authtest.Rig, changes ...record.Change) {
	t.Helper()
	if err := r.Apply(changes); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, r *authtest.Rig, a machine.Create) machine.Credential {
	t.Helper()
	if a.Kind == "" {
		a.Kind, a.Home = machine.AzureSystem, "adfs"
	}
	return authtest.Must(t, r, r.Root(), a)
}

// signsIn says whether an identity proves itself by its secret.
func signsIn(t *testing.T, r *authtest.Rig, c machine.Credential) bool {
	t.Helper()
	err := r.Authenticate(context.Background(), auth.Credential{Claim: machine.Presented{Public: c.Identity.Public, Secret: auth.NewProof(c.Secret.Reveal())}}).Refusal()
	if err != nil && !errors.Is(err, secret.ErrDenied) {
		t.Fatal(err)
	}
	return err == nil
}

// TestAnIdentityEndsWithItsOwner: at once, although it was just admitted, and for good.
func TestAnIdentityEndsWithItsOwner(t *testing.T) {
	ends := map[string]struct {
		owner string
		end   func(*testing.T, *authtest.Rig)
		lives bool
	}{
		"the Space is dropped": {"space:shop", func(t *testing.T, r *authtest.Rig) {
			apply(t, r, record.Change{Key: "name/space//shop", Delete: true}, record.Change{Key: "reg/space/s1", Delete: true})
		}, false},
		"the Space is made again": {"space:shop", func(t *testing.T, r *authtest.Rig) {
			apply(t, r, record.Change{Key: "reg/space/s1", Delete: true})
			space(t, r, "shop", "s2")
		}, false},
		"the Space is renamed": {"space:shop", func(t *testing.T, r *authtest.Rig) {
			apply(t, r, record.Change{Key: "name/space//shop", Delete: true}, record.Change{Key: "name/space//store", Value: []byte("s1")})
		}, true},
		"the host is deleted": {"identity:host", func(t *testing.T, r *authtest.Rig) { authtest.Must(t, r, r.Root(), machine.Delete{Name: "host"}) }, false},
		"the host is made again": {"identity:host", func(t *testing.T, r *authtest.Rig) {
			authtest.Must(t, r, r.Root(), machine.Delete{Name: "host"})
			create(t, r, machine.Create{Name: "host", Kind: machine.AzureUser, Home: "adfs"})
		}, false},
		"the host has fresh credentials": {"identity:host", func(t *testing.T, r *authtest.Rig) { authtest.Must(t, r, r.Root(), machine.Rotate{Name: "host"}) }, true},
		"the host's time is over":        {"identity:host", func(_ *testing.T, r *authtest.Rig) { r.Store.Advance(2 * time.Hour) }, false},
		"the host's own owner goes": {"identity:middle", func(t *testing.T, r *authtest.Rig) {
			apply(t, r, record.Change{Key: "name/space//shop", Delete: true}, record.Change{Key: "reg/space/s1", Delete: true})
		}, false},
	}
	for name, test := range ends {
		t.Run(name, func(t *testing.T) {
			r := authtest.New(t)
			space(t, r, "shop", "s1")
			create(t, r, machine.Create{Name: "host", Kind: machine.AzureUser, Home: "adfs", TTL: time.Hour})
			create(t, r, machine.Create{Name: "middle", Kind: machine.AzureSystem, Home: "adfs", Owner: "space:shop"})
			mine := create(t, r, machine.Create{Name: "mine", Owner: test.owner})
			if !signsIn(t, r, mine) {
				t.Fatal("it does not sign in while its owner is there")
			}
			test.end(t, r)
			if signsIn(t, r, mine) != test.lives {
				t.Errorf("it signs in: %v, want %v", !test.lives, test.lives)
			}
		})
	}
}

// TestOwnersByNameAlone: identities of before the owner's id was kept, and a ring of such names.
func TestOwnersByNameAlone(t *testing.T) {
	r := authtest.New(t)
	old := func(name, owner string) {
		apply(t, r, record.Change{Key: "mch/-/" + name, Value: []byte(`{"name":"` + name + `","uid":"u-` + name + `","kind":"azure-system","home":"adfs","public":"p-` + name + `","owner":"` + owner + `","keys":null,"policies":null,"created":"2026-01-02T03:04:05Z"}`)},
			record.Change{Key: "mpi/p-" + name, Value: []byte("mch/-/" + name)})
	}
	old("of-space", "space:shop")
	old("a", "identity:b")
	old("b", "identity:a")
	found := func(public string) error {
		_, _, err := machine.Find(context.Background(), r.Store, public)
		return err
	}
	if err := found("p-of-space"); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("without its Space: %v", err)
	}
	space(t, r, "shop", "s7")
	if err := found("p-of-space"); err != nil {
		t.Errorf("with it: %v", err)
	}
	if err := found("p-a"); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("a ring: %v", err)
	}
}
