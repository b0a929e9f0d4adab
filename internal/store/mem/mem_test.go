package mem_test

import (
	"testing"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/mem"
	"github.com/keephold/keephold/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	storetest.TestEngine(t, func(*testing.T) store.Engine { return mem.New() })
}

func BenchmarkEngine(b *testing.B) {
	storetest.Benchmark(b, func(*testing.B) store.Engine { return mem.New() })
}
