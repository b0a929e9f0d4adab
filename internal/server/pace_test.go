package server

import "testing"

func TestGCPercent(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, lazyGC}, {10 << 20, lazyGC}, {40 << 20, 200}, {80 << 20, 100}, {1 << 30, eagerGC},
	} {
		if got := gcPercent(tt.live); got != tt.want {
			t.Errorf("%d bytes alive: %d %%, want %d", tt.live, got, tt.want)
		}
	}
}
