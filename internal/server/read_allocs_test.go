//go:build unix && !race

package server

import "testing"

// docs/benchmarks.md gives the reason of each. The log's loops allocate a little beside them, hence the one more. The race
// detector makes sync.Pool forget at random, hence the build tag.
func TestReadAllocations(t *testing.T) {
	r := newReader(t)
	for range 100 {
		r.read(t)
	}
	const want = 8 + 1
	if n := testing.AllocsPerRun(2000, func() { r.read(t) }); n > want {
		t.Errorf("%v allocations a read, want at most %d", n, want)
	}
}
