package entity_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

var mount = auth.Mount{Path: "approle", Accessor: "auth_approle_1"}

// signedIn makes a role and signs in by it.
func signedIn(t *testing.T, r *authtest.Rig) auth.Issued {
	t.Helper()
	authtest.Must(t, r, r.Root(), approle.WriteRole{Mount: mount, Role: "web", Change: func(x *approle.Role, _ bool) error { return nil }})
	role := authtest.Must(t, r, r.Root(), approle.ReadRole{Mount: mount, Role: "web"})
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	got, err := r.SignIn(approle.Login{Mount: mount, RoleID: role.RoleID, SecretID: auth.NewProof(id.SecretID.Reveal())}, auth.From{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEntityGivesPowersAtOnce(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "mine", map[string]policy.Capability{"secret/data/{{identity.entity.name}}/*": policy.Read, "role/{{identity.entity.aliases.auth_approle_1.metadata.role_name}}": policy.Read})
	r.Policy(t, "team", map[string]policy.Capability{"team/{{identity.groups.names.ops.id}}": policy.Read})
	got := signedIn(t, r)
	may := func(resource string) bool {
		c := r.As(got.Token.Reveal(), auth.From{})
		return c.Refusal() == nil && c.Powers().Decide(policy.Request{Resource: resource, Capability: policy.Read}).Allowed
	}
	if may("secret/data/alice/x") {
		t.Error("before")
	}
	e := authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByID(got.Entity), Change: func(e *auth.Entity) error {
		e.Name, e.Policies = "alice", []string{"mine"}
		return nil
	}})
	if !may("secret/data/alice/x") || !may("role/web") || may("secret/data/bob/x") {
		t.Error("the entity's policies do not hold")
	}
	g := authtest.Must(t, r, r.Root(), entity.WriteGroup{Name: entity.ByName("ops"), Change: func(g *auth.Group) error {
		g.Members, g.Policies = []string{e.ID}, []string{"team"}
		return nil
	}})
	if !may("team/" + g.ID) {
		t.Error("the group's policies do not hold")
	}
	authtest.Must(t, r, r.Root(), entity.DeleteGroup{Name: entity.ByName("OPS")})
	if may("team/"+g.ID) || !may("secret/data/alice/x") {
		t.Error("after the group has gone")
	}
	authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("Alice"), Change: func(e *auth.Entity) error { e.Disabled = true; return nil }})
	if c := r.As(got.Token.Reveal(), auth.From{}); !errors.Is(c.Refusal(), secret.ErrDenied) {
		t.Errorf("disabled: %v", c.Refusal())
	}
	authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("alice"), Change: func(e *auth.Entity) error { e.Disabled = false; return nil }})
	if !may("secret/data/alice/x") {
		t.Error("enabled again")
	}
	authtest.Must(t, r, r.Root(), entity.Delete{Name: entity.ByName("alice")})
	if c := r.As(got.Token.Reveal(), auth.From{}); !errors.Is(c.Refusal(), secret.ErrDenied) {
		t.Errorf("deleted: %v", c.Refusal())
	}
	for _, k := range r.Store.Keys() {
		for _, kind := range []string{"ent/", "enn/", "als/", "ali/", "grp/", "grn/"} {
			if len(k) > 4 && k[:4] == kind {
				t.Errorf("left behind: %s", k)
			}
		}
	}
}

func TestRootIsNobodysNature(t *testing.T) {
	r := authtest.New(t)
	_, err := authtest.Do(r, r.Root(), entity.Write{Change: func(e *auth.Entity) error { e.Policies = []string{" ROOT"}; return nil }})
	if err == nil || err.Error() != "policies cannot contain root" {
		t.Errorf("entity: %v", err)
	}
	_, err = authtest.Do(r, r.Root(), entity.WriteGroup{Change: func(g *auth.Group) error { g.Policies = []string{"Root"}; return nil }})
	if err == nil || err.Error() != "policies cannot contain root" {
		t.Errorf("group: %v", err)
	}
}

func TestAliases(t *testing.T) {
	r := authtest.New(t)
	e := authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("alice")})
	other := authtest.Must(t, r, r.Root(), entity.Write{Name: entity.ByName("bob")})
	a := authtest.Must(t, r, r.Root(), entity.WriteAlias{Entity: e.ID, Mount: "m1", Method: "userpass", Name: "al"})
	for name, x := range map[string]entity.WriteAlias{
		"taken":      {Entity: other.ID, Mount: "m1", Name: "al"},
		"second":     {Entity: e.ID, Mount: "m1", Name: "al2"},
		"no entity":  {Entity: "none", Mount: "m1", Name: "x"},
		"mount path": {Entity: e.ID, Mount: "m1/al", Name: "x"},
		"no name":    {Entity: e.ID, Mount: "m2"},
	} {
		if _, err := authtest.Do(r, r.Root(), x); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, l := range []entity.Lookup{{ID: e.ID}, {Name: "ALICE"}, {AliasID: a.ID}, {AliasName: "al", AliasMount: "m1"}} {
		if got := authtest.Must(t, r, r.Root(), l); got == nil || got.ID != e.ID {
			t.Errorf("%+v: %+v", l, got)
		}
	}
	if got := authtest.Must(t, r, r.Root().In("ns1"), entity.Lookup{ID: e.ID}); got != nil {
		t.Error("found from another namespace")
	}
	if got := authtest.Must(t, r, r.Root(), entity.List{ByName: true}); !slices.Equal(got, []string{"alice", "bob"}) {
		t.Errorf("got %v", got)
	}
	if got := authtest.Must(t, r, r.Root(), entity.ReadAlias{ID: a.ID}); got.Entity != e.ID || got.Name != "al" {
		t.Errorf("got %+v", got)
	}
	authtest.Must(t, r, r.Root(), entity.DeleteAlias{ID: a.ID})
	if got := authtest.Must(t, r, r.Root(), entity.Lookup{AliasName: "al", AliasMount: "m1"}); got != nil {
		t.Error("found after it was deleted")
	}
}

// TestGroupsInGroups: a member of a group is a member of all that it is in, and the first change anywhere counts.
func TestGroupsInGroups(t *testing.T) {
	r := authtest.New(t)
	r.Policy(t, "top", map[string]policy.Capability{"team/{{identity.groups.names.company.id}}": policy.Read})
	got := signedIn(t, r)
	write := func(name string, change func(*auth.Group)) auth.Group {
		return authtest.Must(t, r, r.Root(), entity.WriteGroup{Name: entity.ByName(name), Change: func(g *auth.Group) error { change(g); return nil }})
	}
	leaf := write("shift", func(g *auth.Group) { g.Members = []string{got.Entity} })
	middle := write("ops", func(g *auth.Group) { g.Groups = []string{leaf.ID} })
	top := write("company", func(g *auth.Group) { g.Groups, g.Policies = []string{middle.ID}, []string{"top"} })
	may := func() bool {
		c := r.As(got.Token.Reveal(), auth.From{})
		return c.Refusal() == nil && c.Powers().Decide(policy.Request{Resource: "team/" + top.ID, Capability: policy.Read}).Allowed
	}
	if !may() {
		t.Error("a group's group gives nothing")
	}
	if e := authtest.Must(t, r, r.Root(), entity.Read{Name: entity.ByID(got.Entity)}); !slices.Equal(e.Groups, []string{leaf.ID}) || !slices.Equal(e.Inherited, []string{middle.ID, top.ID}) {
		t.Errorf("in %v, through them in %v", e.Groups, e.Inherited)
	}
	for name, inner := range map[string]string{"shift": top.ID, "ops": middle.ID, "company": "none"} {
		_, err := authtest.Do(r, r.Root(), entity.WriteGroup{Name: entity.ByName(name), Change: func(g *auth.Group) error {
			g.Groups = append(g.Groups, inner)
			return nil
		}})
		if !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s in %s: %v", inner, name, err)
		}
	}
	authtest.Must(t, r, r.Root(), entity.DeleteGroup{Name: entity.ByName("ops")})
	if may() {
		t.Error("the link is gone and still counts")
	}
	if g := authtest.Must(t, r, r.Root(), entity.ReadGroup{Name: entity.ByName("company")}); len(g.Groups) != 0 {
		t.Errorf("company holds %v", g.Groups)
	}
	if g := authtest.Must(t, r, r.Root(), entity.ReadGroup{Name: entity.ByName("shift")}); len(g.Parents) != 0 {
		t.Errorf("shift is in %v", g.Parents)
	}
	write("company", func(g *auth.Group) { g.Groups = []string{leaf.ID} })
	if !may() {
		t.Error("linked anew, without effect")
	}
	write("company", func(g *auth.Group) { g.Groups = nil })
	if may() {
		t.Error("unlinked, without effect")
	}
}
