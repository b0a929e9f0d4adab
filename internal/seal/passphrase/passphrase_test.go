package passphrase_test

import (
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/passphrase"
	"github.com/keephold/keephold/internal/seal/sealtest"
)

// cheap keeps the tests quick; it is the least the bounds allow.
var cheap = passphrase.Params{Time: 1, Memory: 8 << 10, Threads: 1}

func open(t testing.TB, words string) *passphrase.Wrapper {
	t.Helper()
	w, err := passphrase.New([]byte(words), cheap, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestContract(t *testing.T) {
	sealtest.TestWrapper(t, func(t *testing.T) (w, same, other seal.Wrapper) {
		// The parameters of an instance are for new blobs only.
		dearer, err := passphrase.New([]byte("correct horse battery"), passphrase.Params{Time: 2, Memory: 9 << 10, Threads: 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return open(t, "correct horse battery"), dearer, open(t, "correct horse batterz")
	})
}

// A blob of the first release opens for ever.
func TestGoldenBlob(t *testing.T) {
	b, err := hex.DecodeString(goldenBlob)
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(t, "correct horse battery").Unwrap(t.Context(), b)
	if err != nil || string(got) != "0123456789abcdef0123456789abcdef" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestParams(t *testing.T) {
	for _, p := range []passphrase.Params{
		{Time: 0, Memory: 8 << 10, Threads: 1},
		{Time: 17, Memory: 8 << 10, Threads: 1},
		{Time: 1, Memory: 8<<10 - 1, Threads: 1},
		{Time: 1, Memory: 1<<20 + 1, Threads: 1},
		{Time: 1, Memory: 8 << 10, Threads: 0},
		{Time: 1, Memory: 8 << 10, Threads: 17},
		{Time: 5, Memory: 1 << 20, Threads: 1},
	} {
		if _, err := passphrase.New([]byte("words"), p, nil); err == nil {
			t.Errorf("took %+v", p)
		}
	}
	for _, words := range [][]byte{nil, make([]byte, 1025)} {
		if _, err := passphrase.New(words, cheap, nil); err == nil {
			t.Errorf("took a passphrase of %d bytes", len(words))
		}
	}
	if _, err := open(t, "eleven char").Wrap(t.Context(), seal.NewKey()); !errors.Is(err, passphrase.ErrTooShort) {
		t.Errorf("a short passphrase: %v", err)
	}
	if _, err := passphrase.New([]byte("words"), passphrase.Params{}, nil); err != nil {
		t.Errorf("default parameters: %v", err)
	}
}

// A forged blob that asks for much is refused before any work is done: nobody asks the gate, which is taken.
func TestForgedCosts(t *testing.T) {
	gate := passphrase.NewGate(1)
	w, err := passphrase.New([]byte("correct horse battery"), cheap, gate)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := w.Wrap(t.Context(), seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	leave, err := gate.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // what waits at the gate ends with another error
	defer cancel()
	for _, at := range []struct {
		offset int
		to     byte
	}{{1, 255}, {2, 255}, {3, 255}, {6, 255}, {6, 0}, {1, 0}} {
		bad := append([]byte(nil), blob...)
		bad[at.offset] = at.to
		if _, err := w.Unwrap(ctx, bad); !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("byte %d to %d: %v", at.offset, at.to, err)
		}
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := w.Unwrap(short, blob); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the control, an honest blob with the gate taken: %v", err)
	}
}

func TestGate(t *testing.T) {
	gate := passphrase.NewGate(1)
	leave, err := gate.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := passphrase.New([]byte("correct horse battery"), cheap, gate)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.Wrap(ctx, seal.NewKey()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the gate taken: %v", err)
	}
	leave()
	if _, err := w.Wrap(t.Context(), seal.NewKey()); err != nil {
		t.Errorf("with the gate free: %v", err)
	}
}

func FuzzUnwrap(f *testing.F) {
	w := open(f, "correct horse battery")
	blob, err := w.Wrap(f.Context(), seal.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add(blob[:24])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 7 && (b[1] > 2 || b[3] > 0) {
			b[1], b[3] = 1, 0 // keep what is within bounds quick
		}
		if _, err := w.Unwrap(t.Context(), b); err != nil && !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("got %v", err)
		}
	})
}
