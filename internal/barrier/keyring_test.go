package barrier_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

func TestTermLife(t *testing.T) {
	k1 := newRing(t, barrier.XAES)
	under1 := must(k1.Seal(place, []byte("one")))(t)
	dk, wrapped1, err := k1.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	value := must(dk.Seal(place, []byte("value")))(t)

	k2, id, err := k1.AddPending(nil, noon)
	if err != nil || id != 2 {
		t.Fatalf("add: term %d, %v", id, err)
	}
	if _, _, err := k2.AddPending(nil, noon); !errors.Is(err, barrier.ErrTermState) {
		t.Errorf("a second pending term: %v", err)
	}
	if k2.Active() != 1 || len(k1.Terms()) != 1 {
		t.Error("a pending term is active, or the old value changed")
	}
	k3 := must(k2.Activate(2))(t)
	if k2.Active() != 1 || k3.Active() != 2 {
		t.Errorf("active: old %d, new %d", k2.Active(), k3.Active())
	}
	under2 := must(k3.Seal(place, []byte("two")))(t)
	if term, _ := k3.SealedUnder(under2); term != 2 {
		t.Errorf("sealed under %d", term)
	}
	if got := must(k3.Open(place, under1))(t); string(got) != "one" {
		t.Errorf("got %q", got)
	}
	if _, err := k1.Open(place, under2); !errors.Is(err, barrier.ErrUnknownTerm) || !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("a node behind: %v", err)
	}

	wrapped2, changed, err := k3.Rewrap(place, wrapped1)
	if err != nil || !changed {
		t.Fatalf("rewrap: %t, %v", changed, err)
	}
	if same, changed, err := k3.Rewrap(place, wrapped2); err != nil || changed || !bytes.Equal(same, wrapped2) {
		t.Errorf("rewrap again: %t, %v", changed, err)
	}
	if _, _, err := k3.Rewrap(place, under1); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("rewrap of a record: %v", err)
	}
	resealed, changed, err := k3.Reseal(place, under1)
	if err != nil || !changed {
		t.Fatalf("reseal: %t, %v", changed, err)
	}

	k4 := must(k3.Retire(1))(t)
	if _, err := k4.Open(place, under1); !errors.Is(err, barrier.ErrUnopenable) || errors.Is(err, barrier.ErrUnknownTerm) {
		t.Errorf("opened under a retired term: %v", err)
	}
	if got := must(k4.Open(place, resealed))(t); string(got) != "one" {
		t.Errorf("got %q", got)
	}
	dk2 := must(k4.OpenDataKey(place, wrapped2))(t)
	if got := must(dk2.Open(place, value))(t); string(got) != "value" {
		t.Errorf("got %q", got)
	}
	if k1.Serial() >= k2.Serial() || k3.Serial() >= k4.Serial() {
		t.Error("serials do not ascend")
	}
}

func TestTermSteps(t *testing.T) {
	k := newRing(t, barrier.XAES)
	k, _, _ = k.AddPending(nil, noon)
	k = must(k.Activate(2))(t)
	k = must(k.Retire(1))(t)
	for _, tt := range []struct {
		name string
		step func() error
		want error
	}{
		{"activate active", func() error { _, err := k.Activate(2); return err }, barrier.ErrTermState},
		{"activate retired", func() error { _, err := k.Activate(1); return err }, barrier.ErrTermState},
		{"activate unknown", func() error { _, err := k.Activate(9); return err }, barrier.ErrUnknownTerm},
		{"retire active", func() error { _, err := k.Retire(2); return err }, barrier.ErrTermState},
		{"retire retired", func() error { _, err := k.Retire(1); return err }, barrier.ErrTermState},
		{"retire unknown", func() error { _, err := k.Retire(0); return err }, barrier.ErrUnknownTerm},
	} {
		if err := tt.step(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestSealedKeyring(t *testing.T) {
	root := bytes.Repeat([]byte{9}, 32)
	for _, alg := range []barrier.Algorithm{barrier.XAES, barrier.GCM} {
		t.Run(alg.String(), func(t *testing.T) {
			k := newRing(t, alg)
			under1 := must(k.Seal(place, []byte("one")))(t)
			k, _, _ = k.AddPendingAs(barrier.GCM, nil, noon)
			k = must(k.Activate(2))(t)
			k = must(k.RotatePurpose(barrier.PurposeSealedToken, nil, noon))(t)
			k, _, _ = k.AddPending(nil, noon)
			k = must(k.Retire(3))(t)
			blob := must(barrier.SealKeyring(root, "inst-1", k))(t)
			got := must(barrier.OpenKeyring(root, "inst-1", blob))(t)
			a, b := must(k.Encode())(t), must(got.Encode())(t)
			if !bytes.Equal(a, b) {
				t.Error("the keyring came back different")
			}
			if plain := must(got.Open(place, under1))(t); string(plain) != "one" {
				t.Errorf("got %q", plain)
			}
			if got.HMAC(barrier.PurposeIndex, nil) != k.HMAC(barrier.PurposeIndex, nil) {
				t.Error("purpose keys came back different")
			}
			other := bytes.Clone(root)
			other[31] ^= 1
			for name, open := range map[string]func() (*barrier.Keyring, error){
				"wrong root key":     func() (*barrier.Keyring, error) { return barrier.OpenKeyring(other, "inst-1", blob) },
				"other installation": func() (*barrier.Keyring, error) { return barrier.OpenKeyring(root, "inst-2", blob) },
				"cut short":          func() (*barrier.Keyring, error) { return barrier.OpenKeyring(root, "inst-1", blob[:40]) },
				"empty":              func() (*barrier.Keyring, error) { return barrier.OpenKeyring(root, "inst-1", nil) },
			} {
				if _, err := open(); !errors.Is(err, barrier.ErrUnopenable) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if _, err := barrier.OpenKeyring(root[:16], "inst-1", blob); err == nil {
				t.Error("a root key of 16 bytes was taken")
			}
		})
	}
}

func TestKeyringDecoderRefuses(t *testing.T) {
	k := newRing(t, barrier.XAES)
	k, _, _ = k.AddPending(nil, noon)
	good := must(k.Encode())(t)
	for n := range good {
		if _, err := barrier.DecodeKeyring(good[:n]); !errors.Is(err, barrier.ErrUnopenable) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	const term1, term2 = 1 + 8 + 4, 1 + 8 + 4 + 62 // offsets of the terms
	for _, tt := range []struct {
		name string
		at   int
		to   byte
	}{
		{"format", 0, 2},
		{"term id 0", term1 + 3, 0},
		{"same id twice", term2 + 3, 1},
		{"unknown state", term1 + 12, 9},
		{"no active term", term1 + 12, 3},
		{"two active terms", term2 + 12, 2},
		{"pending before the last", term1 + 12, 1},
		{"unknown algorithm", term1 + 13, 7},
		{"check value", term1 + 14, good[term1+14] ^ 1},
		{"key", term1 + 30, good[term1+30] ^ 1},
	} {
		bad := bytes.Clone(good)
		bad[tt.at] = tt.to
		if _, err := barrier.DecodeKeyring(bad); !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := barrier.DecodeKeyring(append(bytes.Clone(good), 0)); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestWipe(t *testing.T) {
	old := newRing(t, barrier.XAES)
	record := must(old.Seal(place, []byte("v")))(t)
	dk, wrapped, err := old.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	value := must(dk.Seal(place, []byte("v")))(t)
	k, _, _ := old.AddPending(nil, noon)
	k = must(k.Activate(2))(t)
	k = must(k.Retire(1))(t)
	before := k.HMAC(barrier.PurposeIndex, []byte("x"))
	k.Wipe()
	for name, try := range map[string]func() error{
		"seal":          func() error { _, err := k.Seal(place, nil); return err },
		"open by older": func() error { _, err := old.Open(place, record); return err },
		"open data key": func() error { _, err := old.OpenDataKey(place, wrapped); return err },
		"data key open": func() error { _, err := dk.Open(place, value); return err },
		"data key seal": func() error { _, err := dk.Seal(place, nil); return err },
		"add":           func() error { _, _, err := k.AddPending(nil, noon); return err },
		"rotate":        func() error { _, err := k.RotatePurpose(barrier.PurposeIndex, nil, noon); return err },
		"store":         func() error { _, err := barrier.SealKeyring(make([]byte, 32), "i", k); return err },
	} {
		if err := try(); !errors.Is(err, barrier.ErrWiped) {
			t.Errorf("%s after wipe: %v", name, err)
		}
	}
	if k.HMAC(barrier.PurposeIndex, []byte("x")) == before || k.Purpose(barrier.PurposeIndex).Generation != 0 {
		t.Error("purpose keys outlive the wipe")
	}
	if k.SigningSeed() != [32]byte{} {
		t.Error("the seed outlives the wipe")
	}
}

func TestBoundedTerms(t *testing.T) {
	k := newRing(t, barrier.GCM)
	k.LimitActive(2)
	for range 2 {
		must(k.Seal(place, []byte("v")))(t)
	}
	if _, err := k.Seal(place, []byte("v")); !errors.Is(err, barrier.ErrExhausted) {
		t.Errorf("a third seal: %v", err)
	}
	n, id, err := k.AddPending(nil, noon)
	if err != nil {
		t.Fatal(err)
	}
	n = must(n.Activate(id))(t)
	must(n.Seal(place, []byte("v")))(t)
	dk, _, err := n.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	far := place
	far.Generation = 1 << 32
	if _, err := dk.Seal(far, nil); !errors.Is(err, barrier.ErrExhausted) {
		t.Errorf("version 2^32 under one bounded data key: %v", err)
	}
}

func TestWrapKey(t *testing.T) {
	kek, key := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	blob := must(barrier.WrapKey(barrier.XAES, kek, "root", key))(t)
	if got := must(barrier.UnwrapKey(kek, "root", blob))(t); !bytes.Equal(got, key) {
		t.Error("came back different")
	}
	if _, err := barrier.UnwrapKey(kek, "other", blob); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("another label: %v", err)
	}
	if _, err := barrier.UnwrapKey(key, "root", blob); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("another key: %v", err)
	}
	for n := range blob {
		if _, err := barrier.UnwrapKey(kek, "root", blob[:n]); !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
}
