package custody_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// tenant makes a namespace with one of everything in it, and answers its id and a token of it.
func (k *keep) tenant(name string) (secret.NamespaceID, auth.Issued) {
	k.t.Helper()
	ctx := k.t.Context()
	n, err := custody.Do(ctx, k.desk, k.local(), registry.MakeNamespace{Name: name})
	if err != nil {
		k.t.Fatal(err)
	}
	in := k.local().In(n.ID)
	for _, space := range []string{"kv", "more/kv"} {
		if _, err := custody.Do(ctx, k.desk, in, registry.MakeSpace{Space: secret.Space{Name: space, Versioned: true}}); err != nil {
			k.t.Fatal(err)
		}
		for i := range 3 {
			path, err := secret.ParsePath(fmt.Sprintf("dir/%d", i))
			if err != nil {
				k.t.Fatal(err)
			}
			r := secret.Ref{Namespace: n.ID, Space: space, Path: path}
			if _, err := k.desk.Write(ctx, in, r, custody.Put{Value: secret.NewValue([]byte(`{}`)), Kind: secret.Map}); err != nil {
				k.t.Fatal(err)
			}
		}
	}
	m, err := custody.Do(ctx, k.desk, in, registry.MakeMount{Mount: registry.Mount{Name: "people", Type: "userpass"}})
	if err != nil {
		k.t.Fatal(err)
	}
	user := userpass.WriteUser{
		Mount: auth.Mount{Path: m.Name, Accessor: m.Accessor}, Name: "ada", Hasher: userpass.NewHasher(1),
		Password: userpass.NewPassword{Password: auth.NewProof([]byte("correct horse"))},
	}
	if _, err := custody.Do(ctx, k.desk, in, user); err != nil {
		k.t.Fatal(err)
	}
	reader, err := policy.NormalizeName("reader")
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := custody.Do(ctx, k.desk, in, registry.WritePolicy{Name: reader, Text: `path "kv/*" { capabilities = ["read"] }`, Resource: "sys/policies/acl/reader"}); err != nil {
		k.t.Fatal(err)
	}
	issued, err := custody.Do(ctx, k.desk, in, auth.Create{OrphanPath: true, Policies: []string{"reader"}, DisplayName: "t"})
	if err != nil {
		k.t.Fatal(err)
	}
	return n.ID, issued
}

// about lists the keys that name a namespace.
func (k *keep) about(ns secret.NamespaceID) (keys []string) {
	k.t.Helper()
	entries, _, err := k.engine.List(k.t.Context(), store.Query{KeysOnly: true})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Key, string(ns)) {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// TestNamespaceDemolishedKilledAtEveryStep drops a namespace and kills the process before and after every Apply of the job that
// destroys what it held. From the first commit on nothing of it can be reached; in the end no record names it, and the
// namespace beside it is whole.
func TestNamespaceDemolishedKilledAtEveryStep(t *testing.T) {
	base, parts := furnished(t)
	gone, token := base.tenant("team")
	stays, other := base.tenant("beside")
	kept := len(base.about(stays))
	if n := len(base.about(gone)); n < 12 || n != kept {
		t.Fatalf("%d keys name the namespace, %d the other", n, kept)
	}
	if err := base.desk.DropNamespace(t.Context(), base.local(), "team"); err != nil {
		t.Fatal(err)
	}
	base.end()
	stride := 1
	if testing.Short() {
		stride = 5
	}
	for _, after := range []bool{false, true} {
		step := 0
		for ; ; step += stride {
			k := base.copyOf()
			k.start(-1, after)
			if err := k.unseal(parts); err != nil {
				t.Fatal(err)
			}
			if c := k.known(token).In(""); c.Refusal() == nil {
				t.Fatal("a token of the namespace is still good for something")
			}
			k.mortal.dieAt(step)
			k.desk.RunJobs(t.Context())
			survived := !k.mortal.dead()
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatalf("death %d: %v", step, err)
			}
			for range 3 {
				k.desk.RunJobs(t.Context())
			}
			if left := k.about(gone); len(left) > 0 {
				t.Errorf("death %d (after: %v): left %q", step, after, left)
			}
			if left := k.about(stays); len(left) != kept {
				t.Errorf("death %d (after: %v): the other namespace has %d keys, had %d", step, after, len(left), kept)
			}
			if c := k.known(other); c.Refusal() != nil && !errors.Is(c.Refusal(), secret.ErrDenied) {
				t.Errorf("the other namespace's token: %v", c.Refusal())
			}
			k.check("app/000", `{"n":"0"}`)
			if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeNamespace{Name: "team"}); err != nil {
				t.Errorf("made again: %v", err)
			}
			k.end()
			if survived {
				break
			}
		}
		if step < 9 {
			t.Errorf("the job took only %d commits", step)
		}
	}
}

// TestNamespaceWithChildren: as the vendor has it, children go first.
func TestNamespaceWithChildren(t *testing.T) {
	k, _ := furnished(t)
	ns, _ := k.tenant("team")
	if _, err := custody.Do(t.Context(), k.desk, k.local().In(ns), registry.MakeNamespace{Name: "web", ParentPath: "team"}); err != nil {
		t.Fatal(err)
	}
	if err := k.desk.DropNamespace(t.Context(), k.local(), "team"); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("with a child: %v", err)
	}
	if err := k.desk.DropNamespace(t.Context(), k.local().In(ns), "web"); err != nil {
		t.Error(err)
	}
	if err := k.desk.DropNamespace(t.Context(), k.local(), "team"); err != nil {
		t.Error(err)
	}
}

// TestNamesOfSpacesAndNamespaces: the path of a request says both, so no name is both.
func TestNamesOfSpacesAndNamespaces(t *testing.T) {
	k, _ := furnished(t)
	k.tenant("team")
	for _, name := range []string{"team", "team/kv"} {
		if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeSpace{Space: secret.Space{Name: name}}); !errors.Is(err, secret.ErrExists) {
			t.Errorf("Space %s: %v", name, err)
		}
		if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.RenameSpace{From: "secret", To: name}); !errors.Is(err, secret.ErrExists) {
			t.Errorf("renamed to %s: %v", name, err)
		}
	}
	if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeSpace{Space: secret.Space{Name: "shop/prod"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "shop"} {
		if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeNamespace{Name: name}); !errors.Is(err, secret.ErrExists) {
			t.Errorf("namespace %s: %v", name, err)
		}
	}
}
