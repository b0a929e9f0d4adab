package entity_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

// The tokens of an entity that was merged into another have the other's powers, and end with it.
func TestMerge(t *testing.T) {
	r := authtest.New(t)
	for _, name := range []string{"of-web", "of-ann", "of-ops"} {
		r.Policy(t, name, map[string]policy.Capability{name: policy.Read})
	}
	got := signedIn(t, r) // by an alias of approle
	web := got.Entity
	authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByID(web), Change: func(e *auth.Entity) error { e.Policies = []string{"of-web"}; return nil }})
	ops := authtest.Must(t, r, r.Root(), entity.WriteGroup{Name: entity.ByName("ops"), Change: func(g *auth.Group) error {
		g.Members, g.Policies = []string{web}, []string{"of-ops"}
		return nil
	}})
	ann := authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("ann"), Change: func(e *auth.Entity) error { e.Policies = []string{"of-ann"}; return nil }})
	may := func(resource string) bool {
		c := r.As(got.Token.Reveal(), auth.From{})
		return c.Refusal() == nil && c.Powers().Decide(policy.Request{Resource: resource, Capability: policy.Read}).Allowed
	}
	if !may("of-web") || !may("of-ops") || may("of-ann") {
		t.Fatal("before")
	}
	authtest.Must(t, r, r.Root(), entity.Merge{From: []string{web}, To: ann.ID})
	if !may("of-web") || !may("of-ops") || !may("of-ann") {
		t.Error("the token of the merged entity has not the powers of both")
	}
	if c := r.As(got.Token.Reveal(), auth.From{}); c.Identity().Entity != ann.ID || c.Identity().ID != ann.ID {
		t.Errorf("the caller is %q, want %q", c.Identity().ID, ann.ID)
	}
	if again := signedIn(t, r); again.Entity != ann.ID {
		t.Errorf("who signs in by the alias is %q, want %q", again.Entity, ann.ID)
	}
	e := authtest.Must(t, r, r.Root(), entity.Read{Name: entity.ByID(ann.ID)})
	if !slices.Equal(e.Merged, []string{web}) || len(e.Aliases) != 1 || !slices.Equal(e.Aliases[0].MergedFrom, []string{web}) || !slices.Equal(e.Groups, []string{ops.ID}) {
		t.Errorf("the entity is %+v", e)
	}
	if g := authtest.Must(t, r, r.Root(), entity.ReadGroup{Name: entity.ByName("ops")}); !slices.Equal(g.Members, []string{ann.ID}) {
		t.Errorf("members %q", g.Members)
	}
	if _, err := authtest.Do(r, r.Root(), entity.Read{Name: entity.ByID(web)}); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("the merged entity: %v", err)
	}

	// Merged once more, the token still finds its way.
	bob := authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("bob")})
	authtest.Must(t, r, r.Root(), entity.Merge{From: []string{ann.ID}, To: bob.ID})
	if !may("of-web") || !may("of-ann") {
		t.Error("after the second merge")
	}
	authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByID(bob.ID), Change: func(e *auth.Entity) error { e.Disabled = true; return nil }})
	if may("of-web") {
		t.Error("the entity is disabled")
	}
	authtest.Must(t, r, r.Root(), entity.Delete{Name: entity.ByID(bob.ID)})
	if may("of-web") {
		t.Error("the entity is gone")
	}
	for _, k := range r.Store.Keys() {
		if kind, _, _ := strings.Cut(k, "/"); slices.Contains([]string{"ent", "enn", "enm", "als", "ali"}, kind) {
			t.Errorf("left behind: %s", k)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	r := authtest.New(t)
	make := func(name string, alias string) auth.Entity {
		e := authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName(name)})
		if alias != "" {
			authtest.Must(t, r, r.Root(), entity.WriteAlias{Entity: e.ID, Mount: mount.Accessor, Method: "approle", Name: alias})
		}
		return e
	}
	a, b, off := make("a", "alias-a"), make("b", "alias-b"), make("off", "")
	authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("off"), Change: func(e *auth.Entity) error { e.Disabled = true; return nil }})
	for want, m := range map[string]entity.Merge{
		"missing entity ids to merge from":         {To: a.ID},
		"missing entity id to merge to":            {From: []string{a.ID}},
		"should not be present in from_entity_ids": {From: []string{a.ID, b.ID}, To: a.ID},
		"entity id to merge to is invalid":         {From: []string{a.ID}, To: "none"},
		"entity id to merge from is invalid":       {From: []string{"none"}, To: a.ID},
		"is disabled":                              {From: []string{off.ID}, To: a.ID},
		"name the one to keep":                     {From: []string{b.ID}, To: a.ID},
		"more than 10 entities":                    {From: strings.Split("0123456789x", ""), To: a.ID},
	} {
		if _, err := authtest.Do(r, r.Root(), m); !errors.Is(err, secret.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	theirs := authtest.Must(t, r, r.Root(), entity.Read{Name: entity.ByID(b.ID)}).Aliases[0].ID
	authtest.Must(t, r, r.Root(), entity.Merge{From: []string{b.ID}, To: a.ID, Keep: []string{theirs}})
	e := authtest.Must(t, r, r.Root(), entity.Read{Name: entity.ByID(a.ID)})
	if len(e.Aliases) != 1 || e.Aliases[0].ID != theirs {
		t.Errorf("aliases are %+v, want the one that was to be kept", e.Aliases)
	}
	if k, err := authtest.Do(r, r.Root(), entity.Lookup{AliasName: "alias-a", AliasMount: mount.Accessor}); err != nil || k != nil {
		t.Errorf("the dropped alias still leads to %v, %v", k, err)
	}
}
