package custody_test

import (
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/custody/custodytest"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// attach lets everybody read what ref names.
func attach(t *testing.T, k *custodytest.Keep, ref secret.Ref) {
	t.Helper()
	_, a, err := k.Desk.Attach(t.Context(), k.Local, ref, custody.Attaching{
		Need: record.Need{Action: "attach", Resource: ref.Space + "/policy/" + ref.Path.String(), Capability: policy.Update, Sudo: true}, Dialect: secret.AWS,
		Edit: func(*secret.Head, *registry.Attachment, custody.FindPrincipal) (*registry.Attachment, error) {
			return &registry.Attachment{Text: []byte(`"x"`), Bindings: []policy.Binding{{Principals: []string{policy.Everyone}, Verbs: []policy.Verb{"secretsmanager:GetSecretValue"}}}}, nil
		},
	})
	if err != nil || a.Edition == 0 {
		t.Fatalf("got %v, %v", a, err)
	}
}

// TestAttachmentsEndWithTheirSecret: who was let in to a secret is not let in to another one that is made at its path.
func TestAttachmentsEndWithTheirSecret(t *testing.T) {
	k := custodytest.Open(t, nil, secret.Space{Name: "s", Versioned: true})
	table := func() int { return len(k.Desk.Table().Attached(space(t, k, "s"), "")) }
	ends := map[string]func(ref secret.Ref) error{
		"removed": func(ref secret.Ref) error { return k.Desk.Remove(t.Context(), k.Local, ref) },
		"purged": func(ref secret.Ref) error {
			if _, err := k.Desk.Trash(t.Context(), k.Local, ref, 1e12, nil); err != nil {
				return err
			}
			return k.Desk.Purge(t.Context(), k.Local, ref, false, nil)
		},
	}
	for name, end := range ends {
		k.Put("s", name, "v")
		ref := k.Ref("s", name)
		attach(t, k, ref)
		if !k.Desk.Table().Names("", policy.Everyone) {
			t.Fatal("the attachment is not there")
		}
		if err := end(ref); err != nil {
			t.Fatal(err)
		}
		if k.Desk.Table().Names("", policy.Everyone) || table() != 0 {
			t.Errorf("%s: the attachment outlived its secret", name)
		}
	}
}

func TestAttachmentsHoldTheirSecretInPlace(t *testing.T) {
	k := custodytest.Open(t, nil, secret.Space{Name: "s", Versioned: true})
	k.Put("s", "a", "v")
	attach(t, k, k.Ref("s", "a"))
	if err := k.Desk.Move(t.Context(), k.Local, k.Ref("s", "a"), k.Ref("s", "b")); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("a secret moved away with who may read it: %v", err)
	}
}

func TestAttachmentsEndWithTheirSpace(t *testing.T) {
	k := custodytest.Open(t, nil, secret.Space{Name: "s", Versioned: true})
	attach(t, k, secret.Ref{Space: "s"})
	if n := len(k.Desk.Table().Attached(space(t, k, "s"), "")); n != 1 {
		t.Fatalf("%d attachments", n)
	}
	if _, err := k.Desk.DropSpace(t.Context(), k.Local, "s"); err != nil {
		t.Fatal(err)
	}
	if k.Desk.Table().Names("", policy.Everyone) {
		t.Error("the attachment outlived its Space")
	}
}

func space(t *testing.T, k *custodytest.Keep, name string) *secret.Space {
	t.Helper()
	sp, ok := k.Desk.Table().Space("", name)
	if !ok {
		t.Fatalf("no Space %q", name)
	}
	return sp
}
