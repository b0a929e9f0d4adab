//go:build !race

package barrier_test

import (
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

// The race detector makes sync.Pool forget at random, hence the build tag.
func TestAllocations(t *testing.T) {
	xaes, gcm := newRing(t, barrier.XAES), newRing(t, barrier.GCM)
	_, wrapped, err := xaes.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	record, bounded := must(xaes.Seal(place, []byte("v")))(t), must(gcm.Seal(place, []byte("v")))(t)
	dst, plain := make([]byte, 0, 256), []byte("v")
	for _, tt := range []struct {
		name string
		want float64
		run  func()
	}{
		{"HMAC", 0, func() { xaes.HMAC(barrier.PurposeIndex, []byte("some token of a client")) }},
		// The cipher under the derived key is that of the run.
		{"seal xaes", 0, func() { xaes.AppendSeal(dst, place, plain) }},
		{"open xaes", 0, func() { xaes.AppendOpen(dst, place, record) }},
		{"open gcm", 0, func() { gcm.AppendOpen(dst, place, bounded) }},
		// The key schedule of the data key, and the DataKey.
		{"open data key", 2, func() { xaes.OpenDataKey(place, wrapped) }},
	} {
		if n := testing.AllocsPerRun(200, tt.run); n > tt.want {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, n, tt.want)
		}
	}
}
