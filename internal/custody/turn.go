package custody

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// turn is one caller's turn at the desk. Every method of the Desk has this shape:
//
//	t, err := d.admit(ctx, c, need, what)   // decide; a refusal is recorded and synced before it is answered
//	…                                       // act; a change records itself in the same commit (t.commit)
//	return result, t.done(err)              // record a read before its bytes leave; no record, no answer
type turn struct {
	d        *Desk
	o        *opened
	table    *registry.Table
	caller   auth.Caller
	event    audit.Event
	parts    error // why a folder is not read whole but child by child; nil: it is read whole, or is no folder
	recorded bool
}

// turns holds *turn for those verbs that release theirs. A pool has no state that anybody could observe.
var turns = sync.Pool{New: func() any { return new(turn) }}

// release gives the turn back. It is for verbs that are over when they return; a turn that is not released is garbage.
func (t *turn) release() {
	*t = turn{}
	turns.Put(t)
}

// what names the thing asked for, for the decision's conditions and the record.
type what struct {
	space *secret.Space // nil: administration
	path  string
	again bool // the same request was admitted before, and its use of a limited token is spent
	parts bool // who may not have the whole may have those of its children that policy gives one by one
}

// admit decides whether c may do n. When it may not, the refusal is on disk before admit returns.
func (d *Desk) admit(ctx context.Context, c auth.Caller, n record.Need, w what) (*turn, error) {
	o := d.open.Load()
	if o == nil {
		return nil, secret.ErrSealed
	}
	t := turns.Get().(*turn)
	t.d, t.o, t.table, t.caller = d, o, o.table.Load(), c
	t.describe(n, w)
	if err := c.Refusal(); err != nil && !n.Open {
		return nil, t.refuse(ctx, err, "")
	}
	if !n.Open && !o.authority.Made(c) {
		return nil, t.refuse(ctx, fmt.Errorf("%w: nobody known asks", secret.ErrDenied), "") // the zero Caller, or one from before a seal
	}
	if c.SpendsUse() && !w.again {
		if err := t.spend(ctx); err != nil {
			return nil, t.refuse(ctx, err, "use limit")
		}
	}
	if n.Open || n.Known {
		t.event.Decision.Allowed = true
		return t, nil
	}
	decision := c.Powers().Decide(t.request(n, w))
	t.decided(decision)
	if decision.Allowed {
		return t, nil
	}
	denied := fmt.Errorf("%w: %s on %s", secret.ErrDenied, n.Capability, n.Resource)
	if w.parts && w.space != nil && d.KnowsOf(c, w.space) {
		t.parts, t.event.Decision = denied, audit.Decision{Allowed: true}
		return t, nil
	}
	return nil, t.refuse(ctx, denied, decision.Reason.String())
}

func (t *turn) request(n record.Need, w what) policy.Request {
	r := policy.Request{Resource: t.qualify(n.Resource), Capability: n.Capability, WrapTTL: t.caller.Terms().WrapTTL}
	if n.Sudo {
		r.Capability |= policy.Sudo
	}
	set := t.caller.Powers()
	if set.NeedsParams() {
		r.Params = t.caller.Terms().Params
	}
	if !set.Expires().IsZero() {
		r.Now = t.d.now()
	}
	sp := w.space
	if sp == nil { // an act of administration on a Space's own path, its configuration for instance
		sp, _, _ = t.table.ResolveSpace(t.caller.From().Namespace, n.Resource)
	}
	if sp != nil && sp.Settings.Protected {
		r.Protected = t.qualify(sp.Name)
	}
	return r
}

// qualify puts the namespace's path before a resource name, as policies see it.
func (t *turn) qualify(resource string) string {
	ns := t.caller.From().Namespace
	if ns == "" {
		return resource
	}
	n, ok := t.table.Namespace(ns)
	if !ok {
		return "\x00" + resource // a namespace that is gone: no policy names this
	}
	return n.Path + "/" + resource
}

// spend takes one use from a use-limited token, durably and before the act.
func (t *turn) spend(ctx context.Context) error {
	for {
		changes, err := t.o.authority.Spend(ctx, t.caller)
		if err != nil {
			return err
		}
		err = t.d.apply(ctx, t.o, changes)
		if !isConflict(err) {
			return err
		}
	}
}

// refuse records a refusal, synced, and returns the error to answer.
func (t *turn) refuse(ctx context.Context, err error, reason string) error {
	t.event.Kind = audit.Refusal
	t.event.Decision = audit.Decision{Rule: t.event.Decision.Rule, Reason: reason}
	t.recorded = true
	t.d.cfg.Meters.refused()
	start := time.Now()
	failed := t.d.log.AppendSync(context.WithoutCancel(ctx), &t.event)
	t.d.cfg.Meters.recorded(start)
	if failed != nil {
		return unavailable(failed)
	}
	return err
}

// commit stores ops and the record of this turn in one Apply.
func (t *turn) commit(ctx context.Context, ops []store.Op) (store.Revision, error) {
	if t.event.Kind == audit.Read {
		t.event.Kind = audit.Change
	}
	if t.event.ID == "" {
		t.event.ID = newEventID(t.d.now()) // one for all attempts: only one of them commits
	}
	if err := t.d.recordable(); err != nil {
		return 0, unavailable(err) // no record, no change: nothing is stored that the log could not take
	}
	row, key := t.d.outbox.row(&t.event)
	done := t.d.outbox.claim(min(outboxRide, store.MaxOps-len(ops)-1))
	all := append(append(ops, row), done.ops()...)
	start := time.Now()
	rev, err := t.d.engine.Apply(ctx, all)
	t.d.cfg.Meters.applied(start)
	if err != nil {
		done.giveBack()
		if errors.Is(err, store.ErrUnknown) {
			t.d.outbox.lose() // the row may be in the store: the drain looks
		}
		return 0, storeError(err)
	}
	t.recorded = true
	t.d.outbox.push(key, row.Value)
	return rev, nil
}

// done records a turn that changed nothing. What comes back is the error to answer.
func (t *turn) done(err error) error {
	if t.recorded {
		return err
	}
	if err != nil {
		t.event.Decision.Reason = sentinelText(err)
	}
	t.recorded = true
	start := time.Now()
	failed := t.d.log.Append(context.Background(), &t.event)
	t.d.cfg.Meters.recorded(start)
	if failed != nil {
		return unavailable(failed)
	}
	return err
}

// recordable is nil while the log takes records and changes find their way into it.
func (d *Desk) recordable() error {
	if err := d.log.Err(); err != nil {
		return err
	}
	return d.outbox.healthy()
}
