package shamir_test

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/shamir"
)

// sealed is a seal with its shares and a way to try keys.
func sealed(t *testing.T, shares, threshold int) (root []byte, c *seal.Config, parts [][]byte, try func([]byte) error) {
	t.Helper()
	root = seal.NewKey()
	c, parts, err := shamir.NewSeal(t.Context(), root, shares, threshold)
	if err != nil {
		t.Fatal(err)
	}
	return root, c, parts, func(key []byte) error {
		got, err := shamir.Unwrap(t.Context(), c, key)
		if err == nil && !bytes.Equal(got, root) {
			t.Error("unwrapped to another root key")
		}
		return err
	}
}

func gather(t *testing.T, g shamir.Gathering) *shamir.Gather {
	t.Helper()
	out, err := shamir.NewGather(g)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGatherUnseals(t *testing.T) {
	_, c, parts, try := sealed(t, 5, 3)
	g := gather(t, shamir.Gathering{Shares: 5, Threshold: 3, Knows: c.KnowsShare, Try: try})
	if p := g.Progress(); p.Have != 0 || p.Need != 3 || p.Shares != 5 || p.Nonce != "" {
		t.Errorf("at first: %+v", p)
	}
	key, p, err := g.Add(parts[4])
	if key != nil || err != nil || p.Have != 1 || p.Nonce == "" || !g.Is(p.Nonce) || g.Is("") {
		t.Fatalf("first share: %+v, %v", p, err)
	}
	nonce := p.Nonce
	if key, p, err := g.Add(parts[4]); key != nil || err != nil || p.Have != 1 || p.Nonce != nonce {
		t.Errorf("the same share again: %+v, %v", p, err)
	}
	wrong := bytes.Clone(parts[1])
	wrong[0] ^= 1
	if _, p, err := g.Add(wrong); !errors.Is(err, shamir.ErrWrongShare) || p.Have != 1 || p.Refused != 1 {
		t.Errorf("wrong share: %+v, %v", p, err)
	}
	for _, bad := range [][]byte{nil, parts[0][:32], append(bytes.Clone(parts[0]), 1), make([]byte, 33)} {
		if _, p, err := g.Add(bad); !errors.Is(err, shamir.ErrBadShare) || p.Have != 1 {
			t.Errorf("%d bytes: %+v, %v", len(bad), p, err)
		}
	}
	if _, p, _ := g.Add(parts[0]); p.Have != 2 {
		t.Errorf("second share: %+v", p)
	}
	key, p, err = g.Add(parts[2])
	if err != nil || len(key) != seal.KeySize || p.Have != 0 || g.Is(nonce) {
		t.Errorf("third share: key of %d bytes, %+v, %v", len(key), p, err)
	}
}

func TestGatherWrongCombination(t *testing.T) {
	_, _, parts, try := sealed(t, 3, 2)
	_, _, foreign, _ := sealed(t, 3, 2)
	g := gather(t, shamir.Gathering{Shares: 3, Threshold: 2, Try: try})
	for name, second := range map[string][]byte{"another set": foreign[1], "same number": foreign[0]} {
		if _, p, err := g.Add(parts[0]); err != nil || p.Have != 1 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		if key, p, err := g.Add(second); key != nil || !errors.Is(err, shamir.ErrWrongCombination) || p.Have != 0 || p.Nonce != "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	g.Add(parts[0])
	if key, _, err := g.Add(parts[1]); err != nil || key == nil {
		t.Errorf("the right ones afterwards: %v", err)
	}
}

func TestGatherOneOfOne(t *testing.T) {
	_, c, parts, try := sealed(t, 1, 1)
	g := gather(t, shamir.Gathering{Shares: 1, Threshold: 1, Knows: c.KnowsShare, Try: try})
	if _, _, err := g.Add(append(bytes.Clone(parts[0]), 1)); !errors.Is(err, shamir.ErrBadShare) {
		t.Errorf("33 bytes: %v", err)
	}
	if key, _, err := g.Add(parts[0]); err != nil || !bytes.Equal(key, parts[0]) {
		t.Errorf("got %v", err)
	}
}

func TestGatherResetAndLifetime(t *testing.T) {
	_, c, parts, try := sealed(t, 3, 2)
	now := time.Unix(1000, 0)
	g := gather(t, shamir.Gathering{
		Shares: 3, Threshold: 2, Knows: c.KnowsShare, Try: try,
		Lifetime: 10 * time.Minute, Now: func() time.Time { return now },
	})
	g.Add(parts[0])
	g.Reset()
	if p := g.Progress(); p.Have != 0 || p.Nonce != "" {
		t.Errorf("after reset: %+v", p)
	}
	_, p, _ := g.Add(parts[0])
	now = now.Add(10*time.Minute - 1)
	if g.Progress().Have != 1 || !g.Is(p.Nonce) {
		t.Error("dropped too early")
	}
	now = now.Add(1)
	if g.Is(p.Nonce) || g.Progress().Have != 0 {
		t.Error("kept too long")
	}
	if key, p, err := g.Add(parts[1]); key != nil || err != nil || p.Have != 1 {
		t.Errorf("after the lifetime: %+v, %v", p, err)
	}
}

func TestGatherConcurrently(t *testing.T) {
	_, c, parts, try := sealed(t, 8, 8)
	g := gather(t, shamir.Gathering{Shares: 8, Threshold: 8, Knows: c.KnowsShare, Try: try})
	var keys atomic.Int32
	var wg sync.WaitGroup
	for _, p := range parts {
		wg.Go(func() {
			if key, _, err := g.Add(p); err != nil {
				t.Error(err)
			} else if key != nil {
				keys.Add(1)
			}
		})
	}
	wg.Wait()
	if keys.Load() != 1 {
		t.Errorf("%d keys, want 1", keys.Load())
	}
}

func TestGatherPassesOtherErrorsOn(t *testing.T) {
	_, _, parts, _ := sealed(t, 2, 2)
	broken := errors.New("disk gone")
	g := gather(t, shamir.Gathering{Shares: 2, Threshold: 2, Try: func([]byte) error { return broken }})
	g.Add(parts[0])
	if key, p, err := g.Add(parts[1]); key != nil || !errors.Is(err, broken) || errors.Is(err, shamir.ErrWrongCombination) || p.Have != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestNewGatherRefuses(t *testing.T) {
	try := func([]byte) error { return nil }
	for _, g := range []shamir.Gathering{{Try: try}, {Shares: 2, Threshold: 3, Try: try}, {Shares: 2, Threshold: 2}} {
		if _, err := shamir.NewGather(g); err == nil {
			t.Errorf("took %+v", g)
		}
	}
}

func TestRecovery(t *testing.T) {
	r, parts, err := shamir.NewRecovery(3, 2)
	if err != nil {
		t.Fatal(err)
	}
	c := seal.Config{Kind: seal.KindKeyFile, Wrapped: []byte("w"), Recovery: r}
	if _, err := c.Marshal(); err != nil {
		t.Error(err)
	}
	try := func(key []byte) error {
		if !r.Verify(key) {
			return seal.ErrWrongKey
		}
		return nil
	}
	g := gather(t, shamir.Gathering{Shares: 3, Threshold: 2, Knows: r.KnowsShare, Try: try})
	if !r.KnowsShare(parts[2]) || r.KnowsShare(append(seal.NewKey(), 1)) || r.KnowsShare(nil) {
		t.Error("does not know its shares from others")
	}
	g.Add(parts[2])
	if key, _, err := g.Add(parts[0]); err != nil || !r.Verify(key) {
		t.Errorf("got %v", err)
	}
	if r.Verify(seal.NewKey()) || r.Verify(nil) || (&seal.Recovery{}).Verify(nil) {
		t.Error("verified a wrong key")
	}
}
