package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// wholeFile returns the bytes of a store with some data, and the keys.
func wholeFile(t *testing.T) ([]byte, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	e := open(t, path, bolt.Options{})
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("key/%03d", i))
		mustApply(t, e, store.Op{Key: keys[i], Value: bytes.Repeat([]byte{byte(i)}, 200)})
	}
	_ = e.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, keys
}

// TestNotAStore: what is no store is refused, without a panic, left as it is, and not left locked.
func TestNotAStore(t *testing.T) {
	good, _ := wholeFile(t)
	noMeta := bytes.Clone(good)
	clear(noMeta[:8192])
	for name, content := range map[string][]byte{
		"empty":             {},
		"text":              []byte("this is not a store\n"),
		"zeros":             make([]byte, 65536),
		"meta pages erased": noMeta,
		"first page only":   good[:4096],
		"five pages":        good[:5*4096],
		"cut in the middle": good[:9*4096],
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			e, err := bolt.Open(path, bolt.Options{LockTimeout: -1})
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: got %v, want %v", name, err, store.ErrCorrupt)
			}
			if err == nil {
				_ = e.Close()
			}
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
			t.Errorf("%s: opening changed the file", name)
		}
	}
}

// TestFlippedBytes: whatever a flipped byte hits, a read gives an error or an answer, never a panic, and most of the time the
// other records can still be read.
func TestFlippedBytes(t *testing.T) {
	good, keys := wholeFile(t)
	rnd := rand.New(rand.NewPCG(7, 7))
	path := filepath.Join(t.TempDir(), "store.db")
	refused, failed, found := 0, 0, 0
	for range 600 {
		bad := bytes.Clone(good)
		at := rnd.IntN(len(bad) / 4)
		if bad[at] == 0 && rnd.IntN(4) > 0 { // mostly where something is
			continue
		}
		bad[at] ^= byte(1 + rnd.IntN(255))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			refused++
			continue
		}
		for _, k := range keys {
			if _, _, err := e.Get(t.Context(), 0, k); errors.Is(err, store.ErrCorrupt) {
				failed++
			} else if err != nil {
				t.Fatalf("byte %d: %v", at, err)
			}
		}
		_, _, err = e.List(t.Context(), store.Query{})
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("byte %d: list: %v", at, err)
		}
		if err := e.Check(t.Context()); err != nil {
			found++
		}
		_, _ = e.Apply(t.Context(), one(keys[rnd.IntN(len(keys))], "x"))
		_ = e.Close()
	}
	t.Logf("%d refused to open, %d reads failed, %d found by the check", refused, failed, found)
	if found == 0 || failed == 0 {
		t.Errorf("no flipped byte was noticed")
	}
}

func FuzzHolder(f *testing.F) {
	f.Add([]byte(`{"pid":1,"command":"keephold server"}`))
	f.Add([]byte(`{"pid":-1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pid, command := bolt.DecodeHolder(b); pid < 0 || (pid == 0 && command != "") {
			t.Errorf("got pid %d, command %q", pid, command)
		}
	})
}
