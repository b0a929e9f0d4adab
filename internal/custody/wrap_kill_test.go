package custody_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/store"
)

// A process that dies while it moves a wrapped answer under a new token leaves the answer under one of the two, never under none
// and never under both.
func TestRewrapInterrupted(t *testing.T) {
	for _, after := range []bool{false, true} {
		survived := false
		for n := 0; n < 12 && !survived; n++ {
			t.Run(fmt.Sprintf("dies at %d, stored %t", n, after), func(t *testing.T) {
				k := newKeep(t)
				parts := k.found(1, 1)
				if err := k.unseal(parts); err != nil {
					t.Fatal(err)
				}
				old, err := k.desk.Wrap(t.Context(), k.local(), "secret/data/app", []byte("the answer"), time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				k.start(n, after)
				if err := k.unseal(parts); err != nil { // died before: nothing was asked yet
					return
				}
				made, err := k.desk.Rewrap(t.Context(), k.local(), auth.NewProof(old.Token.Reveal()), true)
				survived = err == nil
				k.start(-1, false)
				if err := k.unseal(parts); err != nil {
					t.Fatal(err)
				}
				if got := len(k.below("r/wrap/")); got != 1 {
					t.Fatalf("%d wrapped answers stand, want 1", got)
				}
				if got := len(k.below("r/wrapexp/")); got != 1 {
					t.Errorf("%d ends of wrapped answers stand, want 1", got)
				}
				body, oldErr := k.desk.Unwrap(t.Context(), k.local(), auth.NewProof(old.Token.Reveal()), true)
				switch {
				case oldErr == nil && (survived || string(body) != "the answer"):
					t.Errorf("the old token opens %q, the rewrap said %v", body, err)
				case survived:
					if body, err = k.desk.Unwrap(t.Context(), k.local(), auth.NewProof(made.Token.Reveal()), true); err != nil || string(body) != "the answer" {
						t.Errorf("the new token opens %q, %v", body, err)
					}
				}
			})
		}
		if !survived {
			t.Errorf("stored %t: no rewrap survived; the test does not reach the end", after)
		}
	}
}

// below lists the keys of the store below a prefix.
func (k *keep) below(prefix string) []string {
	k.t.Helper()
	entries, _, err := k.engine.List(k.t.Context(), store.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		k.t.Fatal(err)
	}
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}
