package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
	"github.com/keephold/keephold/internal/store/storetest"
)

// open opens a store and closes it when the test ends.
func open(t testing.TB, path string, o bolt.Options) *bolt.Engine {
	t.Helper()
	e, err := bolt.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestEngine(t *testing.T) {
	storetest.TestEngine(t, func(t *testing.T) store.Engine {
		return open(t, filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
	})
}

func BenchmarkEngine(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) store.Engine {
		return open(b, filepath.Join(b.TempDir(), "store.db"), bolt.Options{})
	})
}
