// Package sealtest is the contract that every seal.Wrapper keeps.
package sealtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/keephold/keephold/internal/seal"
)

// Pair makes a Wrapper, another instance over the same secret, and one over a
// different secret.
type Pair func(t *testing.T) (w, same, other seal.Wrapper)

// TestWrapper runs the contract written on seal.Wrapper.
func TestWrapper(t *testing.T, open Pair) {
	w, same, other := open(t)
	ctx := t.Context()
	key := bytes.Repeat([]byte{0x5a}, seal.KeySize)
	blob, err := w.Wrap(ctx, key)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("gives back the key", func(t *testing.T) {
		for name, s := range map[string]seal.Wrapper{"itself": w, "another instance": same} {
			got, err := s.Unwrap(ctx, blob)
			if err != nil || !bytes.Equal(got, key) {
				t.Fatalf("%s: got %d bytes, %v", name, len(got), err)
			}
			clear(got)
		}
		if got, err := w.Unwrap(ctx, blob); err != nil || !bytes.Equal(got, key) {
			t.Errorf("after the first answer was cleared: %v", err)
		}
	})
	t.Run("hides the key", func(t *testing.T) {
		if bytes.Contains(blob, key[:8]) || len(blob) > seal.MaxBlob {
			t.Errorf("blob of %d bytes holds the key or is too long", len(blob))
		}
		again, err := w.Wrap(ctx, key)
		if err != nil || bytes.Equal(again, blob) {
			t.Errorf("two wraps of one key are equal, or %v", err)
		}
	})
	t.Run("another secret does not unwrap", func(t *testing.T) {
		if _, err := other.Unwrap(ctx, blob); !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("damage does not unwrap", func(t *testing.T) {
		step := max(1, len(blob)/24) // a passphrase makes every try expensive
		for n := 0; n < len(blob); n += step {
			if _, err := w.Unwrap(ctx, blob[:n]); !errors.Is(err, seal.ErrWrongKey) {
				t.Errorf("cut to %d of %d bytes: %v", n, len(blob), err)
			}
			bad := bytes.Clone(blob)
			bad[n] ^= 0x80
			if _, err := w.Unwrap(ctx, bad); !errors.Is(err, seal.ErrWrongKey) {
				t.Errorf("byte %d of %d changed: %v", n, len(blob), err)
			}
		}
		if _, err := w.Unwrap(ctx, append(bytes.Clone(blob), 0)); !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("a byte added: %v", err)
		}
	})
	t.Run("refuses keys of no or too much length", func(t *testing.T) {
		for _, n := range []int{0, 65} {
			if _, err := w.Wrap(ctx, make([]byte, n)); err == nil {
				t.Errorf("wrapped a key of %d bytes", n)
			}
		}
	})
	t.Run("heeds its context", func(t *testing.T) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := w.Wrap(ended, key); !errors.Is(err, context.Canceled) {
			t.Errorf("wrap: %v", err)
		}
		if _, err := w.Unwrap(ended, blob); !errors.Is(err, context.Canceled) {
			t.Errorf("unwrap: %v", err)
		}
	})
	t.Run("is safe for concurrent use", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if got, err := w.Unwrap(ctx, blob); err != nil || !bytes.Equal(got, key) {
					t.Errorf("unwrap: %v", err)
				}
				if _, err := w.Wrap(ctx, key); err != nil {
					t.Errorf("wrap: %v", err)
				}
			})
		}
		wg.Wait()
	})
}
