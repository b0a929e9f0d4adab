package barrier_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

// Nothing but what was sealed opens, and nothing panics.
func FuzzOpen(f *testing.F) {
	k := newRing(f, barrier.XAES)
	record := must(k.Seal(place, []byte("value")))(f)
	dk, wrapped, err := k.NewDataKey(place)
	if err != nil {
		f.Fatal(err)
	}
	value := must(dk.Seal(place, []byte("value")))(f)
	for _, b := range [][]byte{nil, {1}, record, wrapped, value, record[:20], {1, 0, 0, 0, 2}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := k.Open(place, b); err == nil != bytes.Equal(b, record) {
			t.Errorf("record: %v", err)
		} else if err != nil && !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("record: %v", err)
		}
		if _, err := k.OpenDataKey(place, b); err == nil != bytes.Equal(b, wrapped) {
			t.Errorf("data key: %v", err)
		}
		if _, err := dk.Open(place, b); err == nil != bytes.Equal(b, value) {
			t.Errorf("value: %v", err)
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
	kek := bytes.Repeat([]byte{1}, 32)
	blob := must(barrier.WrapKey(barrier.XAES, kek, "root", kek))(f)
	f.Add(blob)
	f.Add(blob[:30])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := barrier.UnwrapKey(kek, "root", b); err == nil != bytes.Equal(b, blob) {
			t.Errorf("got %v", err)
		}
	})
}
