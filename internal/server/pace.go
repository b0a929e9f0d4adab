package server

import (
	"context"
	"os"
	"runtime/debug"
	gometrics "runtime/metrics"
	"time"
)

const (
	// lazyGC is the collector's percentage while little is alive: this program's garbage is small and short-lived, and by
	// default a fifth of the time of a read went into collecting.
	lazyGC = 400
	// maxGarbage is how much may lie about uncollected, so that a full cache does not quintuple.
	maxGarbage = 80 << 20
	eagerGC    = 50
)

// paceGC keeps the garbage within maxGarbage until ctx ends. An operator's own GOGC or GOMEMLIMIT wins.
func paceGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := lazyGC
	debug.SetGCPercent(now)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		gometrics.Read(live)
		want := gcPercent(live[0].Value.Uint64())
		if want*10 < now*9 || want*9 > now*10 { // each change stops the world for a moment
			now = want
			debug.SetGCPercent(now)
		}
	}
}

func gcPercent(live uint64) int {
	return int(min(max(maxGarbage*100/max(live, 1), eagerGC), lazyGC))
}
