package barrier_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

// Nothing but what was sealed opens, and nothing panics. The keys are the
// golden ones, because each fuzzing process sets itself up.
func FuzzOpen(f *testing.F) {
	g := readGolden(f, "format-1.json")
	k := must(barrier.OpenKeyring(g.Root, g.Installation, g.Keyring))(f)
	is := func(b []byte, pick func(goldenSealed) hexBytes) bool {
		return bytes.Equal(b, pick(g.Sealed[0])) || bytes.Equal(b, pick(g.Sealed[1]))
	}
	record := func(s goldenSealed) hexBytes { return s.Record }
	wrapped := func(s goldenSealed) hexBytes { return s.DataKey }
	for _, s := range g.Sealed {
		f.Add([]byte(s.Record))
		f.Add([]byte(s.DataKey))
		f.Add([]byte(s.Value))
		f.Add([]byte(s.Record[:20]))
	}
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Open(g.Context, b); (err == nil) != is(b, record) {
			t.Errorf("record: %v", err)
		} else if err != nil && !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("record: %v", err)
		}
		if _, err := k.OpenDataKey(g.Context, b); (err == nil) != is(b, wrapped) {
			t.Errorf("data key: %v", err)
		}
		for _, s := range g.Sealed {
			dk := must(k.OpenDataKey(g.Context, s.DataKey))(t)
			if _, err := dk.Open(g.Context, b); (err == nil) != bytes.Equal(b, s.Value) {
				t.Errorf("value under term %d: %v", s.Term, err)
			}
		}
		k.SealedUnder(b)
	})
}

// What the decoder takes is exactly what the encoder writes.
func FuzzDecodeKeyring(f *testing.F) {
	k := newRing(f, barrier.XAES)
	f.Add(must(k.Encode())(f))
	k, _, _ = k.AddPendingAs(barrier.GCM, nil, noon)
	k = must(k.Activate(2))(f)
	k = must(k.Retire(1))(f)
	f.Add(must(k.Encode())(f))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := barrier.DecodeKeyring(b)
		if err != nil {
			if !errors.Is(err, barrier.ErrUnopenable) {
				t.Errorf("got %v", err)
			}
			return
		}
		if again := must(k.Encode())(t); !bytes.Equal(again, b) {
			t.Errorf("encoded to other bytes")
		}
	})
}

func FuzzUnwrapKey(f *testing.F) {
	g := readGolden(f, "format-1.json")
	f.Add([]byte(g.WrappedKey))
	f.Add([]byte(g.WrappedKey[:30]))
	f.Add([]byte(g.Keyring))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := barrier.UnwrapKey(g.Root, g.KEKLabel, b); (err == nil) != bytes.Equal(b, g.WrappedKey) {
			t.Errorf("got %v", err)
		}
	})
}
