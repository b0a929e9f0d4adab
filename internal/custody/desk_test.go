package custody_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store/mem"
)

// house is a Desk on an engine in memory, opened, with the Space "secret" and a root Caller.
type house struct {
	*custody.Desk
	t      *testing.T
	log    *audit.Log
	logDir string
	root   auth.Caller
}

func newHouse(t *testing.T) *house { return newHouseAt(t, nil) }

// newHouseAt is newHouse with a clock of its own; nil is the machine's.
func newHouseAt(t *testing.T, now func() time.Time) *house {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir() + "/audit"
	log, err := audit.Open(audit.Config{Dir: dir, Origin: "test"})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := custody.Open(custody.Config{Engine: mem.New(), Log: log, Installation: "test", Node: "n1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := desk.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	issued, err := desk.Initialize(ctx, auth.From{}, func(root []byte) (*seal.Config, error) {
		w, err := seal.NewKeyWrap(make([]byte, 32), "test")
		if err != nil {
			return nil, err
		}
		wrapped, err := w.Wrap(ctx, root)
		return &seal.Config{Kind: seal.KindKeyFile, Wrapped: wrapped}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Desk: desk, t: t, log: log, logDir: dir}
	h.root = h.as(issued.Token)
	_, err = custody.Do(ctx, desk, h.root, registry.MakeSpace{Space: secret.Space{Name: "secret", Versioned: true}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) as(token secret.Value) auth.Caller {
	return h.Authenticate(context.Background(), auth.Credential{Token: auth.NewProof(token.Reveal()), From: auth.From{Addr: netip.MustParseAddr("127.0.0.1")}})
}

func (h *house) ref(path string) secret.Ref {
	p, err := secret.ParsePath(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return secret.Ref{Space: "secret", Path: p}
}

func (h *house) put(c auth.Caller, path, value string) (custody.Reading, error) {
	return h.Write(context.Background(), c, h.ref(path), custody.Put{Value: secret.NewValue([]byte(value)), Kind: secret.Map})
}

func TestWriteReadDelete(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	for i, want := range []string{`{"a":"1"}`, `{"a":"2"}`} {
		w, err := h.put(h.root, "app/db", want)
		if err != nil {
			t.Fatal(err)
		}
		if w.Version.Number != uint64(i+1) {
			t.Errorf("got version %d, want %d", w.Version.Number, i+1)
		}
		r, err := h.Read(ctx, h.root, h.ref("app/db"))
		if err != nil || !r.Value.Equal(secret.NewValue([]byte(want))) {
			t.Fatalf("read back: %v", err)
		}
	}
	if err := h.Delete(ctx, h.root, h.ref("app/db")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Read(ctx, h.root, h.ref("app/db")); !errors.Is(err, secret.ErrDeleted) {
		t.Errorf("read of a deleted version: got %v", err)
	}
	if err := h.Undelete(ctx, h.root, h.ref("app/db"), 2); err != nil {
		t.Fatal(err)
	}
	if err := h.Destroy(ctx, h.root, h.ref("app/db"), 1); err != nil {
		t.Fatal(err)
	}
	one := h.ref("app/db")
	one.Number = 1
	if _, err := h.Read(ctx, h.root, one); !errors.Is(err, secret.ErrDestroyed) {
		t.Errorf("read of a destroyed version: got %v", err)
	}
	names, err := h.List(ctx, h.root, custody.Folder{Space: "secret"})
	if err != nil || len(names) != 1 || names[0] != "app/" {
		t.Errorf("list: got %q, %v", names, err)
	}
	if err := h.Remove(ctx, h.root, h.ref("app/db")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Describe(ctx, h.root, h.ref("app/db")); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("describe after removal: got %v", err)
	}
}

func TestLeastPrivilegeIsRecorded(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	name, err := policy.NormalizeName("dev")
	if err != nil {
		t.Fatal(err)
	}
	doc := registry.WritePolicy{Name: name, Resource: "sys/policies/acl/dev", Text: `path "secret/data/dev/*" { capabilities = ["create", "update", "read"] }`}
	if _, err := custody.Do(ctx, h.Desk, h.root, doc); err != nil {
		t.Fatal(err)
	}
	issued, err := custody.Do(ctx, h.Desk, h.root, auth.Create{Policies: []string{"dev"}})
	if err != nil {
		t.Fatal(err)
	}
	dev := h.as(issued.Token)
	if _, err := h.put(dev, "dev/x", `{}`); err != nil {
		t.Error(err)
	}
	before := h.log.Size()
	if _, err := h.put(dev, "prod/x", `{}`); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("write outside the policy: got %v", err)
	}
	if h.log.Size() == before {
		t.Error("the refusal was not recorded")
	}
	if _, err := h.Read(ctx, auth.Caller{}, h.ref("dev/x")); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("the zero Caller: got %v", err)
	}
}

func TestWrappedAnswerOpensOnce(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	w, err := h.Wrap(ctx, h.root, "secret/data/x", []byte(`{"data":1}`), 1e9*60)
	if err != nil {
		t.Fatal(err)
	}
	const racers = 64
	won := make(chan bool, racers)
	for range racers {
		go func() {
			_, err := h.Unwrap(ctx, auth.Caller{}, auth.NewProof(w.Token.Reveal()), false)
			won <- err == nil
		}()
	}
	wins := 0
	for range racers {
		if <-won {
			wins++
		}
	}
	if wins != 1 {
		t.Errorf("%d racers opened the wrapped answer, want 1", wins)
	}
}

// devWith makes a token with one policy.
func (h *house) devWith(text string) auth.Caller {
	h.t.Helper()
	ctx := context.Background()
	name, err := policy.NormalizeName("dev")
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := custody.Do(ctx, h.Desk, h.root, registry.WritePolicy{Name: name, Resource: "sys/policies/acl/dev", Text: text}); err != nil {
		h.t.Fatal(err)
	}
	issued, err := custody.Do(ctx, h.Desk, h.root, auth.Create{Policies: []string{"dev"}})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.as(issued.Token)
}

// TestProtectedSpaceIsOutOfReachOfWildcards asks for a protected Space in every way a wildcard would allow; each
// refusal is recorded.
func TestProtectedSpaceIsOutOfReachOfWildcards(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	if _, err := custody.Do(ctx, h.Desk, h.root, registry.MakeSpace{Space: secret.Space{Name: "shop/prod", Versioned: true, Settings: secret.SpaceSettings{Protected: true}}}); err != nil {
		t.Fatal(err)
	}
	prod := h.ref("KEY")
	prod.Space = "shop/prod"
	if _, err := h.Write(ctx, h.root, prod, custody.Put{Value: secret.NewValue([]byte("x"))}); err != nil {
		t.Fatal(err)
	}
	dev := h.devWith(`path "shop/*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"] }`)
	ways := map[string]func() error{
		"read":     func() error { _, err := h.Read(ctx, dev, prod); return err },
		"describe": func() error { _, err := h.Describe(ctx, dev, prod); return err },
		"write":    func() error { _, err := h.Write(ctx, dev, prod, custody.Put{}); return err },
		"delete":   func() error { return h.Delete(ctx, dev, prod) },
		"destroy":  func() error { return h.Destroy(ctx, dev, prod, 1) },
		"remove":   func() error { return h.Remove(ctx, dev, prod) },
		"list":     func() error { _, err := h.List(ctx, dev, custody.Folder{Space: "shop/prod"}); return err },
		"folder":   func() error { _, err := h.ReadFolder(ctx, dev, secret.Ref{Space: "shop/prod"}, 10); return err },
		"label":    func() error { return h.Label(ctx, dev, prod, "mine") },
		"tune": func() error {
			_, err := custody.Do(ctx, h.Desk, dev, registry.TuneSpace{Name: "shop/prod", Action: "shop/prod/config", Change: func(*secret.SpaceSettings) error { return nil }})
			return err
		},
	}
	for name, ask := range ways {
		before := h.log.Size()
		if err := ask(); !errors.Is(err, secret.ErrDenied) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		if h.log.Size() == before {
			t.Errorf("%s: the refusal was not recorded", name)
		}
	}
	if h.KnowsOf(dev, mustSpace(t, h, "shop/prod")) {
		t.Error("the developer may know that the protected Space exists")
	}
	named := h.devWith(`path "shop/prod/data/KEY" { capabilities = ["read"] }`)
	if _, err := h.Read(ctx, named, prod); err != nil {
		t.Errorf("a grant that names the Space: got %v", err)
	}
}

func mustSpace(t *testing.T, h *house, name string) *secret.Space {
	t.Helper()
	sp, ok := h.Table().Space("", name)
	if !ok {
		t.Fatalf("no Space %s", name)
	}
	return sp
}

// TestCallerFromBeforeASealIsNobody seals the keep under a Caller's feet.
func TestCallerFromBeforeASealIsNobody(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	if err := h.Seal(ctx, h.root); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Read(ctx, h.root, h.ref("x")); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("while sealed: got %v", err)
	}
	w, err := seal.NewKeyWrap(make([]byte, 32), "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Unseal(ctx, w); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Read(ctx, h.root, h.ref("x")); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("a Caller of the time before: got %v, want a refusal", err)
	}
}
