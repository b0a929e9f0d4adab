// Package providertest is the contract of a provider.Provider as tests: whoever implements one runs them.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// Store is a store under test, with what the contract has to know of it. All fields but the booleans are needed.
type Store struct {
	Open      provider.Provider
	Stranger  provider.Provider // the same store, asked with credentials that it does not take
	Away      provider.Provider // a store at an address where nobody listens
	Prefix    string            // nothing has a name that begins so
	BadName   string            // a name that the store cannot hold
	MaxValue  int               // bytes of ASCII that it holds
	Untyped   bool              // it does not tell text from bytes
	Forgetful bool              // it does not say that what is deleted was not there
}

const canary = "canary-5d41402abc4b2a76" //nolint:gosec // made up

// Test runs the contract.
func Test(t *testing.T, s Store) {
	ctx := context.Background()
	t.Run("what is not there", func(t *testing.T) { s.absent(ctx, t) })
	t.Run("write, read, write again", func(t *testing.T) { s.turns(ctx, t) })
	t.Run("bytes", func(t *testing.T) { s.binary(ctx, t) })
	t.Run("delete, and write again", func(t *testing.T) { s.deletes(ctx, t) })
	t.Run("many at once", func(t *testing.T) { s.many(ctx, t) })
	t.Run("what it cannot hold", func(t *testing.T) { s.refusals(ctx, t) })
	t.Run("a stranger", func(t *testing.T) { s.stranger(ctx, t) })
	t.Run("nobody there", func(t *testing.T) { s.away(ctx, t) })
	t.Run("given up", func(t *testing.T) { s.cancelled(t) })
}

func (s *Store) text(name, value string) provider.Secret {
	return provider.Secret{Ref: provider.Ref{Name: s.Prefix + name}, Version: provider.Version{Value: secret.NewValue([]byte(value))}}
}

func (s *Store) list(ctx context.Context, t *testing.T, prefix string) map[string]provider.Ref {
	t.Helper()
	all := map[string]provider.Ref{}
	for ref, err := range s.Open.List(ctx, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[ref.Name]; twice {
			t.Errorf("%s is listed twice", ref.Name)
		}
		all[ref.Name] = ref
	}
	return all
}

func (s *Store) write(ctx context.Context, t *testing.T, in provider.Secret) provider.Ref {
	t.Helper()
	ref, err := s.Open.Write(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (s *Store) expect(ctx context.Context, t *testing.T, name, want string) provider.Secret {
	t.Helper()
	got, err := s.Open.Read(ctx, provider.Ref{Name: s.Prefix + name})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Value.Reveal()) != want {
		t.Fatalf("%s holds another value than was written", name)
	}
	return got
}

func (s *Store) absent(ctx context.Context, t *testing.T) {
	if all := s.list(ctx, t, s.Prefix); len(all) > 0 {
		t.Errorf("an empty store lists %v", slices.Collect(maps.Keys(all)))
	}
	nothing := provider.Ref{Name: s.Prefix + "nothing"}
	if _, err := s.Open.Read(ctx, nothing); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("reading: got %v, want ErrNotFound", err)
	}
	if err := s.Open.Delete(ctx, nothing); !errors.Is(err, secret.ErrNotFound) && (err != nil || !s.Forgetful) {
		t.Errorf("deleting: got %v, want ErrNotFound", err)
	}
}

func (s *Store) turns(ctx context.Context, t *testing.T) {
	first := s.write(ctx, t, s.text("turns", "grün €\n\"quoted\" \x01"))
	got := s.expect(ctx, t, "turns", "grün €\n\"quoted\" \x01")
	if got.Kind != secret.Text {
		t.Errorf("text comes back as kind %d", got.Kind)
	}
	again := s.text("turns", `{"a": 1}`)
	again.Revision = first.Revision
	second := s.write(ctx, t, again)
	if first.Revision != "" && first.Revision == second.Revision {
		t.Errorf("two versions have the revision %q", first.Revision)
	}
	got = s.expect(ctx, t, "turns", `{"a": 1}`)
	if got.Revision != "" && second.Revision != "" && got.Revision != second.Revision {
		t.Errorf("what was written has the revision %q, and what is read %q", second.Revision, got.Revision)
	}
	listed, ok := s.list(ctx, t, s.Prefix)[s.Prefix+"turns"]
	if !ok {
		t.Fatal("it is not listed")
	}
	if listed.Revision != "" && listed.Revision != second.Revision {
		t.Errorf("what was written has the revision %q, and what is listed %q", second.Revision, listed.Revision)
	}
	// The first was made by somebody else meanwhile: an outdated belief that there is none does no harm but to be refused.
	if _, err := s.Open.Write(ctx, s.text("turns", "third")); err != nil && !errors.Is(err, secret.ErrConflict) {
		t.Errorf("writing what was thought to be new: %v", err)
	}
}

func (s *Store) binary(ctx context.Context, t *testing.T) {
	in := s.text("binary", "\x00\xff\xfe binary")
	in.Kind = secret.Binary
	s.write(ctx, t, in)
	if got := s.expect(ctx, t, "binary", "\x00\xff\xfe binary"); got.Kind != secret.Binary {
		t.Errorf("bytes come back as kind %d", got.Kind)
	}
	in = s.text("binary-text", "bytes that look like text")
	in.Kind = secret.Binary
	s.write(ctx, t, in)
	if got := s.expect(ctx, t, "binary-text", "bytes that look like text"); got.Kind != secret.Binary && !s.Untyped {
		t.Errorf("bytes come back as kind %d", got.Kind)
	}
}

func (s *Store) deletes(ctx context.Context, t *testing.T) {
	s.write(ctx, t, s.text("gone", "before"))
	ref := provider.Ref{Name: s.Prefix + "gone"}
	if err := s.Open.Delete(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open.Read(ctx, ref); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("reading what was deleted: got %v, want ErrNotFound", err)
	}
	if err := s.Open.Delete(ctx, ref); !errors.Is(err, secret.ErrNotFound) && (err != nil || !s.Forgetful) {
		t.Errorf("deleting twice: got %v, want ErrNotFound", err)
	}
	s.write(ctx, t, s.text("gone", "after"))
	s.expect(ctx, t, "gone", "after")
}

// pages is more than any of the stores lists at once, and enough to meet each other.
const pages = 130

func (s *Store) many(ctx context.Context, t *testing.T) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range pages {
		g.Go(func() error {
			_, err := s.Open.Write(gctx, s.text(fmt.Sprintf("many-%03d", i), fmt.Sprint("value ", i)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := len(s.list(ctx, t, s.Prefix+"many-")); got != pages {
		t.Errorf("%d of %d are listed", got, pages)
	}
	if got := len(s.list(ctx, t, s.Prefix+"many-12")); got != 10 {
		t.Errorf("%d of 10 are listed by a prefix", got)
	}
	for _, err := range s.Open.List(ctx, s.Prefix) { // whoever has seen enough stops
		if err != nil {
			t.Error(err)
		}
		break
	}
	s.expect(ctx, t, "many-077", "value 77")
}

func (s *Store) refusals(ctx context.Context, t *testing.T) {
	large := s.text("large", strings.Repeat("x", s.MaxValue))
	s.write(ctx, t, large)
	large = s.text("larger", canary+strings.Repeat("x", s.MaxValue))
	_, err := s.Open.Write(ctx, large)
	s.silent(t, err)
	if !errors.Is(err, secret.ErrTooLarge) {
		t.Errorf("too large: got %v, want ErrTooLarge", err)
	}
	bad := provider.Secret{Ref: provider.Ref{Name: s.BadName}, Version: provider.Version{Value: secret.NewValue([]byte(canary))}}
	_, err = s.Open.Write(ctx, bad)
	s.silent(t, err)
	if !errors.Is(err, secret.ErrInvalid) && !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("the name %q: got %v, want ErrInvalid", s.BadName, err)
	}
}

// silent says that an error holds no value.
func (s *Store) silent(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Error("the error holds the value")
	}
}

func (s *Store) stranger(ctx context.Context, t *testing.T) {
	_, read := s.Stranger.Read(ctx, provider.Ref{Name: s.Prefix + "gone"})
	_, write := s.Stranger.Write(ctx, s.text("gone", canary))
	var list error
	for _, list = range s.Stranger.List(ctx, s.Prefix) {
		break
	}
	for what, err := range map[string]error{"reading": read, "writing": write, "listing": list, "deleting": s.Stranger.Delete(ctx, provider.Ref{Name: s.Prefix + "gone"})} {
		s.silent(t, err)
		if !errors.Is(err, secret.ErrSignIn) && !errors.Is(err, secret.ErrDenied) {
			t.Errorf("%s: got %v, want ErrSignIn or ErrDenied", what, err)
		}
	}
	s.expect(ctx, t, "gone", "after")
}

func (s *Store) away(ctx context.Context, t *testing.T) {
	if _, err := s.Away.Read(ctx, provider.Ref{Name: s.Prefix + "gone"}); !errors.Is(err, secret.ErrUnavailable) {
		t.Errorf("reading: got %v, want ErrUnavailable", err)
	}
	_, err := s.Away.Write(ctx, s.text("gone", canary))
	s.silent(t, err)
	if !errors.Is(err, secret.ErrUnavailable) {
		t.Errorf("writing: got %v, want ErrUnavailable", err)
	}
}

func (s *Store) cancelled(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := s.Open.Read(ctx, provider.Ref{Name: s.Prefix + "gone"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
