package custody

import (
	"context"

	"github.com/keephold/keephold/internal/audit"
)

// RecordShredding is the last record of a keep, which whoever owns its files is about to destroy. It needs no keys.
func (d *Desk) RecordShredding(ctx context.Context) error {
	now := d.now()
	ev := audit.Event{
		ID: newEventID(now), Time: now, Kind: audit.Admin, Action: "shred", Who: audit.Who{ID: "local", Method: "local"},
		Decision: audit.Decision{Allowed: true}, What: audit.What{Path: "keephold/shred"},
	}
	if err := d.log.AppendSync(ctx, &ev); err != nil {
		return unavailable(err)
	}
	return nil
}
