package barrier_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

// TestRuns: records of a process share halves of nonces, never a nonce, and no half for longer than a run; each opens in any
// order, by this keyring and by one that was read again.
func TestRuns(t *testing.T) {
	const workers, each = 4, 3 * barrier.RunLength / 4
	ring := newRing(t, barrier.XAES)
	records := make([][]byte, workers*each)
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			for i := w * each; i < (w+1)*each; i++ {
				records[i], _ = ring.Seal(place, []byte{byte(i), byte(i >> 8)}) // nil is found below
			}
		})
	}
	done.Wait()
	halves, nonces := map[string]int{}, map[string]bool{}
	for _, r := range records {
		if len(r) < 5+24 {
			t.Fatal("a record was not sealed")
		}
		halves[string(r[5:17])]++
		nonces[string(r[5:29])] = true
	}
	if len(nonces) != len(records) {
		t.Errorf("%d nonces for %d records", len(nonces), len(records))
	}
	if len(halves) < 3 || len(halves) > 3*workers {
		t.Errorf("%d runs", len(halves))
	}
	for _, n := range halves {
		if n > barrier.RunLength {
			t.Errorf("a run of %d records", n)
		}
	}
	root := make([]byte, barrier.KeySize)
	again := must(barrier.OpenKeyring(root, "inst-1", must(barrier.SealKeyring(root, "inst-1", ring))(t)))(t)
	for w := range workers {
		done.Go(func() {
			for i := w; i < len(records); i += 1 + 5*w { // across the runs
				for _, k := range []*barrier.Keyring{ring, again} {
					if plain, err := k.Open(place, records[i]); err != nil || string(plain) != string([]byte{byte(i), byte(i >> 8)}) {
						t.Errorf("record %d: %q, %v", i, plain, err)
						return
					}
				}
			}
		})
	}
	done.Wait()
}

// TestRunProtects: what shares a derived key is still bound to its place and to its bytes.
func TestRunProtects(t *testing.T) {
	ring := newRing(t, barrier.XAES)
	a, b := must(ring.Seal(place, []byte("one")))(t), must(ring.Seal(place, []byte("two")))(t)
	if string(a[5:17]) != string(b[5:17]) {
		t.Fatal("they are not of one run")
	}
	mixed := append(append([]byte{}, a[:29]...), b[29:]...) // the nonce of one, the ciphertext of the other
	elsewhere := place
	elsewhere.UID += "x"
	for name, open := range map[string]func() ([]byte, error){
		"another's nonce": func() ([]byte, error) { return ring.Open(place, mixed) },
		"another place":   func() ([]byte, error) { return ring.Open(elsewhere, a) },
	} {
		if _, err := open(); !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ring.Wipe()
	if _, err := ring.Open(place, a); !errors.Is(err, barrier.ErrWiped) {
		t.Errorf("after a wipe: %v", err)
	}
	if _, err := ring.Seal(place, nil); !errors.Is(err, barrier.ErrWiped) {
		t.Errorf("after a wipe: %v", err)
	}
}
