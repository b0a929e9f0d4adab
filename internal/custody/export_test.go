package custody

import (
	"context"
	"slices"
)

// WorkOnce runs the rotation's job once, as Run does.
func (d *Desk) WorkOnce(ctx context.Context) error {
	o := d.open.Load()
	if o == nil {
		return nil
	}
	return d.runRotation(ctx, o)
}

// TapShares lets a test see the shares that are made before anything is stored, as the operator of a process that is
// killed in the next moment would not.
func TapShares(d *Desk, see func([][]byte)) {
	d.rite.tap = func(parts [][]byte) {
		var seen [][]byte
		for _, p := range parts {
			seen = append(seen, slices.Clone(p))
		}
		see(seen)
	}
}

// RunJobs does each of the house's jobs once.
func (d *Desk) RunJobs(ctx context.Context) {
	if o := d.open.Load(); o != nil {
		d.work(ctx, o)
	}
}
