package bolt_test

import (
	"fmt"
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

// Rows of a queue are laid close together: half-empty pages between them would be written for nothing.
func TestQueuedRowsFillTheirPages(t *testing.T) {
	written := func(queued bool) (pages int) {
		e := open(t, filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
		bolt.HookWrites(e, func(next bolt.WriteAt) bolt.WriteAt {
			return func(p []byte, off int64) (int, error) {
				pages++
				return next(p, off)
			}
		})
		var ops []store.Op
		for i := range 100 {
			ops = append(ops, store.Op{Key: fmt.Sprintf("out/%08d", i), Value: make([]byte, 600), Queued: queued})
		}
		if _, err := e.Apply(t.Context(), ops); err != nil {
			t.Fatal(err)
		}
		return pages
	}
	if plain, queued := written(false), written(true); queued > plain*4/5 {
		t.Errorf("100 rows of a queue took %d pages, of no queue %d", queued, plain)
	}
}
