package custody

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/registry"
)

// Run does the house's own work until ctx ends: jobs that a removal or a crash left, and expiry by bucket. None of it
// is ever waited for by a request.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		if o := d.open.Load(); o != nil {
			d.work(ctx, o)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.jobs:
		case <-tick.C:
		}
	}
}

// work runs each job once. An error leaves the job's record, and the next round tries again.
func (d *Desk) work(ctx context.Context, o *opened) {
	_ = d.runDemolish(ctx, o)
	_ = d.runErase(ctx, o)
	_ = d.runPurge(ctx, o, registry.PurgePrefix)
	_ = d.runRevoke(ctx, o)
	_ = d.expireWraps(ctx, o)
	_ = d.runRotation(ctx, o)
	_ = d.runSweep(ctx, o)
	_ = d.runDue(ctx, o)
	_ = d.runJanitor(ctx, o)
}

// wakeJobs lets Run look for work now.
func (d *Desk) wakeJobs() {
	select {
	case d.jobs <- struct{}{}:
	default:
	}
}
