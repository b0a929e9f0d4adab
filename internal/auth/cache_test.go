package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// slow is a View whose next read of a key, when armed, waits after it has read.
type slow struct {
	record.View
	mu      sync.Mutex
	key     string // guarded by mu; how the key of a token's record ends
	reached chan struct{}
	release chan struct{}
}

func (s *slow) Get(ctx context.Context, keys ...string) ([]record.Record, error) {
	rs, err := s.View.Get(ctx, keys...)
	s.mu.Lock()
	wait := s.key != "" && len(keys) > 0 && strings.HasPrefix(keys[0], "tok/") && strings.HasSuffix(keys[0], s.key)
	if wait {
		s.key = ""
	}
	s.mu.Unlock()
	if wait {
		close(s.reached)
		<-s.release
	}
	return rs, err
}

// A look-up that read a record before it was revoked must not be remembered after.
func TestLookUpOvertakenByRevocation(t *testing.T) {
	for _, what := range []string{"the token", "its parent"} {
		t.Run(what, func(t *testing.T) {
			s := &slow{reached: make(chan struct{}), release: make(chan struct{})}
			r := authtest.New(t, func(c *auth.Config) { s.View = c.View; c.View = s })
			r.Policy(t, "x", map[string]policy.Capability{"auth/token/*": policy.Update})
			parent := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
			child := create(t, r, as(r, parent), auth.Create{})
			victim := child
			if what == "its parent" {
				victim = parent
			}
			r.ForgetAll()
			s.mu.Lock()
			s.key = r.Store.Index(victim.Token.Reveal())
			s.mu.Unlock()
			done := make(chan auth.Caller)
			go func() { done <- as(r, child) }()
			<-s.reached
			authtest.Must(t, r, r.Root(), auth.Revoke{Which: auth.ByAccessor(victim.Accessor)})
			close(s.release)
			<-done // may be admitted: it began before the revocation
			refused(t, r, "after the revocation", child)
		})
	}
}

func TestConcurrentUseAndRevocation(t *testing.T) {
	r := authtest.New(t, func(c *auth.Config) { c.CacheBytes = 64 << 10 }) // about one a shard: entries are driven out all the time
	r.Policy(t, "x", map[string]policy.Capability{"auth/token/*": policy.Update})
	var tokens []auth.Issued
	var parents []auth.Issued
	for range 8 {
		p := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
		parents = append(parents, p)
		for range 16 {
			tokens = append(tokens, create(t, r, as(r, p), auth.Create{}))
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	revoked := map[int]bool{} // guarded by mu; set once the revocation has returned
	for g := range 8 {
		wg.Go(func() {
			for i := range 400 {
				n := (i*7 + g) % len(tokens)
				mu.Lock()
				gone := revoked[n/16]
				mu.Unlock()
				if c := as(r, tokens[n]); gone && c.Refusal() == nil {
					t.Errorf("token %d admitted after its parent was revoked", n)
				} else if c.Refusal() != nil && !errors.Is(c.Refusal(), secret.ErrDenied) {
					t.Error(c.Refusal())
				}
			}
		})
	}
	for n, p := range parents {
		if _, err := authtest.Do(r, r.Root(), auth.Revoke{Which: auth.ByAccessor(p.Accessor)}); err != nil {
			t.Error(err)
		}
		mu.Lock()
		revoked[n] = true
		mu.Unlock()
	}
	wg.Wait()
	for n, i := range tokens {
		refused(t, r, fmt.Sprint("token ", n), i)
	}
}

// known answers an index without work, so that what is measured is the Authority's own.
type known struct {
	record.View
	index string
}

func (k known) Index([]byte) string { return k.index }

func BenchmarkAuthenticateHitWithoutIndex(b *testing.B) {
	var k known
	r := authtest.New(b)
	made := create(b, r, r.Root(), auth.Create{Policies: []string{"x"}})
	k.View, k.index = r.Store, r.Store.Index(made.Token.Reveal())
	a, _ := auth.NewAuthority(auth.Config{View: k, Policies: func(context.Context, secret.NamespaceID, []string, policy.Facts) (*policy.Set, error) {
		return nil, nil
	}})
	cred := auth.Credential{Token: auth.NewProof(made.Token.Reveal()), From: authtest.From(here)}
	b.ReportAllocs()
	for range b.N {
		if c := a.Authenticate(context.Background(), cred); c.Refusal() != nil {
			b.Fatal(c.Refusal())
		}
	}
}
