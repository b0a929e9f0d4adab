package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
)

// sweepsARound bounds the pages of one round, so that the other jobs have their turn; a page is one small commit.
const sweepsARound = 50

// runSweep gives back the space of tokens that have expired or were revoked. They are refused already: nobody waits
// for it. A round that finds nothing leaves no record.
func (d *Desk) runSweep(ctx context.Context, o *opened) error {
	for range sweepsARound {
		_, changes, err := auth.Sweep{}.Plan(ctx, o.self, o.view)
		if err != nil || len(changes) == 0 {
			return err
		}
		swept, err := Do(ctx, d, o.self, auth.Sweep{})
		if err != nil || !swept.More {
			return err
		}
	}
	d.wakeJobs() // there is more: after the other jobs
	return nil
}
