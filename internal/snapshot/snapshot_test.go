package snapshot_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/snapshot"
)

func write(t testing.TB, state []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := snapshot.NewWriter(&b, func(first []byte) (snapshot.Meta, error) {
		return snapshot.Meta{Installation: "inst", Revision: uint64(len(first)), Created: time.Unix(1, 0)}, nil
	}, func(digest []byte) ([]byte, error) { return append([]byte("sealed:"), digest...), nil })
	for p := state; len(p) > 0; p = p[min(len(p), 70_000):] {
		if _, err := w.Write(p[:min(len(p), 70_000)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read answers the state of a snapshot that is whole.
func read(b []byte) ([]byte, error) {
	r, err := snapshot.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	state, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	digest, sealed, err := r.Finish()
	if err == nil && !bytes.Equal(sealed, append([]byte("sealed:"), digest...)) {
		return nil, errors.New("another seal")
	}
	return state, err
}

func TestRoundTrip(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		state := make([]byte, size)
		_, _ = random.Read(state)
		got, err := read(write(t, state))
		if err != nil || !bytes.Equal(got, state) {
			t.Errorf("state of %d bytes: got %d, %v", size, len(got), err)
		}
	}
}

// TestDamage: a snapshot that was cut or changed anywhere is refused, or its change was of no consequence.
func TestDamage(t *testing.T) {
	state := bytes.Repeat([]byte("0123456789abcdef"), 3000)
	whole := write(t, state)
	for n := 0; n < len(whole); n += 1 + n/50 {
		if _, err := read(whole[:n]); n < len(whole)-1600 && !errors.Is(err, snapshot.ErrDamaged) {
			t.Fatalf("cut at %d of %d: got %v", n, len(whole), err)
		} else if err != nil && !errors.Is(err, secret.ErrInvalid) {
			t.Fatalf("cut at %d: %v is no refusal", n, err)
		}
	}
	flips := 0
	for i := 0; i < len(whole); i += 97 {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		got, err := read(b)
		if err == nil && !bytes.Equal(got, state) {
			t.Fatalf("byte %d changed: the state read differs", i)
		}
		if err != nil {
			flips++
		}
	}
	if flips < len(whole)/97*9/10 {
		t.Errorf("only %d of %d changed bytes were refused", flips, len(whole)/97)
	}
}

// TestSourceError: an error of the reader below is no damage.
func TestSourceError(t *testing.T) {
	broken := errors.New("broken")
	whole := write(t, make([]byte, 2<<20))
	r, err := snapshot.NewReader(io.MultiReader(bytes.NewReader(whole[:1<<20]), errReader{broken}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, broken) || errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func FuzzReader(f *testing.F) {
	f.Add(write(f, []byte("state")))
	f.Add(write(f, nil))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := read(b); err != nil && err.Error() == "" {
			t.Error("an error without text")
		}
	})
}
