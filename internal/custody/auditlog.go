package custody

import (
	"context"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// maxAuditPage bounds one answer from the log.
const maxAuditPage = 1000

// AuditSearch answers the newest records that match, oldest first, at most limit of them (0: as many as one answer
// holds). More says that older ones were left out. An actor may be given by accessor too, whenever it was that it acted.
func (d *Desk) AuditSearch(ctx context.Context, c auth.Caller, q audit.Query, limit int) (found []audit.Entry, more bool, err error) {
	t, err := d.admit(ctx, c, record.Need{Action: "audit.read", Resource: "keephold/audit", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return nil, false, err
	}
	if limit <= 0 || limit > maxAuditPage {
		limit = maxAuditPage
	}
	if q.Actor != "" {
		q.OrActor = append(q.OrActor, t.o.keyedAs(q.Actor)...)
	}
	for e, failed := range d.log.Search(ctx, q) {
		if failed != nil {
			return nil, false, t.done(failed)
		}
		if found = append(found, e); len(found) > limit {
			found, more = found[1:], true
		}
	}
	return found, more, t.done(nil)
}

// AuditKey is the key that the log's checkpoints verify with, and the newest checkpoint: what somebody keeps elsewhere
// to notice a log that was rolled back.
func (d *Desk) AuditKey(ctx context.Context, c auth.Caller) (key string, checkpoint []byte, err error) {
	t, err := d.admit(ctx, c, record.Need{Action: "audit.key", Resource: "keephold/audit/verify", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return "", nil, err
	}
	checkpoint, err = d.log.Checkpoint(ctx)
	return d.log.PublicKey(), checkpoint, t.done(err)
}
