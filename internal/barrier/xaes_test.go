package barrier_test

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors of https://c2sp.org/XAES-256-GCM, "Test vectors".
func TestXAESVectors(t *testing.T) {
	nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
	for _, tt := range []struct {
		name      string
		key       byte
		aad, want string
	}{
		{"top bit of L clear", 1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{"top bit of L set", 3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := bytes.Repeat([]byte{tt.key}, 32)
			got, err := barrier.XAESSeal(key, nonce, []byte("XAES-256-GCM"), []byte(tt.aad))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, unhex(t, tt.want)) {
				t.Errorf("got %x, want %s", got, tt.want)
			}
			plain, err := barrier.XAESOpen(key, nonce, got, []byte(tt.aad))
			if err != nil || string(plain) != "XAES-256-GCM" {
				t.Errorf("open: got %q, %v", plain, err)
			}
		})
	}
}

// The accumulated randomized test of the specification.
func TestXAESAccumulated(t *testing.T) {
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	source, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	next := func(n int) []byte {
		b := make([]byte, n)
		source.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := next(32), next(24)
		plain := next(int(next(1)[0]))
		aad := next(int(next(1)[0]))
		sealed, err := barrier.XAESSeal(key, nonce, plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(sealed)
		opened, err := barrier.XAESOpen(key, nonce, sealed, aad)
		if err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("open: %v", err)
		}
	}
	got := make([]byte, 32)
	sum.Read(got)
	if hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}
