package locked_test

import (
	"bytes"
	"testing"

	"github.com/keephold/keephold/internal/seal/locked"
)

func TestBuffer(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	b := locked.Take(key)
	if !bytes.Equal(key, make([]byte, 32)) {
		t.Error("the source was not cleared")
	}
	if !bytes.Equal(b.Bytes(), bytes.Repeat([]byte{7}, 32)) || cap(b.Bytes()) != 32 {
		t.Error("the copy differs, or can be appended to in place")
	}
	stale := b.Bytes()
	b.Destroy()
	b.Destroy()
	if b.Bytes() != nil || b.Locked() || !bytes.Equal(stale, make([]byte, 32)) {
		t.Error("not destroyed")
	}
	if n := len(locked.New(10_000).Bytes()); n != 10_000 {
		t.Errorf("got %d bytes", n)
	}
}
