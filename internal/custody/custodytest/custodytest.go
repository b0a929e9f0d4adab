// Package custodytest opens a Desk in memory for the tests of those who knock at it.
package custodytest

import (
	"context"
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

// Keep is an unsealed Desk that ends with its test.
type Keep struct {
	*custody.Desk
	T     testing.TB
	Local auth.Caller  // who may do everything
	Root  secret.Value // a root token
}

// Open makes the Spaces and opens the Desk. now is its clock; nil is the machine's.
func Open(t testing.TB, now func() time.Time, spaces ...secret.Space) *Keep {
	t.Helper()
	ctx := context.Background()
	log, err := audit.Open(audit.Config{Dir: t.TempDir() + "/audit", Origin: "test"})
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
	k := &Keep{Desk: desk, T: t, Root: issued.Token}
	if k.Local, err = desk.Local(); err != nil {
		t.Fatal(err)
	}
	for _, s := range spaces {
		Do(k, registry.MakeSpace{Space: s})
	}
	return k
}

// Do runs one act of administration, which must succeed.
func Do[T any](k *Keep, act custody.Act[T]) T {
	k.T.Helper()
	v, err := custody.Do(context.Background(), k.Desk, k.Local, act)
	if err != nil {
		k.T.Fatal(err)
	}
	return v
}

// Policy writes a policy in the Vault syntax.
func (k *Keep) Policy(name, text string) {
	k.T.Helper()
	n, err := policy.NormalizeName(name)
	if err != nil {
		k.T.Fatal(err)
	}
	Do(k, registry.WritePolicy{Name: n, Text: text, Resource: "sys/policies/acl/" + name})
}

// Ref is a secret of a Space.
func (k *Keep) Ref(space, path string) secret.Ref {
	k.T.Helper()
	p, err := secret.ParsePath(path)
	if err != nil {
		k.T.Fatal(err)
	}
	return secret.Ref{Space: space, Path: p}
}

// Put writes text.
func (k *Keep) Put(space, path, text string) {
	k.T.Helper()
	if _, err := k.Write(context.Background(), k.Local, k.Ref(space, path), custody.Put{Value: secret.NewValue([]byte(text)), Kind: secret.Text}); err != nil {
		k.T.Fatal(err)
	}
}
