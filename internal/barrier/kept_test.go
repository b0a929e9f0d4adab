package barrier_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

func TestKept(t *testing.T) {
	for _, alg := range []barrier.Algorithm{barrier.XAES, barrier.GCM} {
		t.Run(alg.String(), func(t *testing.T) {
			ring := newRing(t, alg)
			key, _, err := ring.NewDataKey(place)
			if err != nil {
				t.Fatal(err)
			}
			sealed := must(key.Seal(place, []byte("a value")))(t)
			kept, err := key.Keep(sealed)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if got := must(kept.Open(place))(t); !bytes.Equal(got, []byte("a value")) {
					t.Errorf("got %q", got)
				}
			}
			elsewhere := place
			elsewhere.Generation++
			if _, err := kept.Open(elsewhere); !errors.Is(err, barrier.ErrUnopenable) {
				t.Errorf("another version's place: %v, want %v", err, barrier.ErrUnopenable)
			}
			damaged := bytes.Clone(sealed)
			damaged[len(damaged)-1] ^= 1
			wrong, err := key.Keep(damaged)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := wrong.Open(place); !errors.Is(err, barrier.ErrUnopenable) {
				t.Errorf("a flipped bit: %v, want %v", err, barrier.ErrUnopenable)
			}
			for n := range len(sealed) {
				if cut, err := key.Keep(sealed[:n]); err == nil {
					if _, err := cut.Open(place); !errors.Is(err, barrier.ErrUnopenable) {
						t.Errorf("cut to %d bytes: %v", n, err)
					}
				}
			}
			ring.Wipe()
			if _, err := kept.Open(place); !errors.Is(err, barrier.ErrWiped) {
				t.Errorf("after the keyring was wiped: %v, want %v", err, barrier.ErrWiped)
			}
		})
	}
}
