package custody

import (
	"context"
	"iter"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
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

// AuditTail yields the records of the log that match, from the last ones on (as many as last says), and then what is
// recorded later, until ctx ends. It is one act, with one record: a record for each of those that are shown would be shown
// in its turn, for ever. From is where to go on instead, if it is not 0.
func (d *Desk) AuditTail(ctx context.Context, c auth.Caller, q audit.Query, from, last uint64) (iter.Seq2[audit.Entry, error], error) {
	t, err := d.admit(ctx, c, record.Need{Action: "audit.tail", Resource: "keephold/audit", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return nil, err
	}
	if err := t.done(nil); err != nil {
		return nil, err
	}
	if end := d.log.Size(); from == 0 {
		from = end - min(end, last, maxAuditPage)
	}
	return func(yield func(audit.Entry, error) bool) {
		for e, err := range d.log.Tail(ctx, from) {
			if err == nil && !q.Matches(&e.Event) {
				continue
			}
			if !yield(e, err) || d.Sealed() {
				return
			}
		}
	}, nil
}

// AuditProof is one record with the proof that it is in the log.
func (d *Desk) AuditProof(ctx context.Context, c auth.Caller, seq uint64) (audit.Bundle, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "audit.prove", Resource: "keephold/audit/verify", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return audit.Bundle{}, err
	}
	if seq >= d.log.Size() {
		return audit.Bundle{}, t.done(auth.Tell(secret.ErrNotFound, "the log has no record %d yet", seq))
	}
	if _, err := d.log.Checkpoint(ctx); err != nil {
		return audit.Bundle{}, t.done(err)
	}
	b, err := d.log.Prove(seq)
	return b, t.done(err)
}
