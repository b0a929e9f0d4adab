package audit

import (
	"bytes"
	"testing"
)

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte(checkpoint{origin: "node", size: 7}.text()))
	f.Add([]byte("node\n07\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCheckpoint(b)
		if err == nil && !bytes.HasPrefix(b, []byte(c.text())) {
			t.Fatalf("%q read as %q", b, c.text())
		}
	})
}

func FuzzReadBlock(f *testing.F) {
	b := newBlock([32]byte{1})
	b.add(&Event{Who: Who{ID: "a"}, What: What{Space: "s", Path: "p"}})
	f.Add(b.encode())
	f.Fuzz(func(t *testing.T, in []byte) {
		b, n, err := readBlock(bytes.NewReader(in))
		if err != nil {
			return
		}
		if again, m, err := readBlock(bytes.NewReader(b.encode())); err != nil || m > n || len(again.terms) > len(b.terms) {
			t.Fatalf("%x: written again it reads as %v, %v", in, again, err)
		}
	})
}
