package custody

import (
	"context"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/store"
)

// outbox carries the audit records of changes from the store, where each was committed with its change, into the log.
// One goroutine drains it in commit order, idempotently by record id; the rows that are in the log are deleted by
// later commits, or by a sweep when none comes. A crash anywhere between leaves rows, which the next start drains.
type outbox struct {
	engine store.Engine
	log    *audit.Log
	wake   chan struct{}
	stopc  chan struct{}
	ended  chan struct{}

	mu      sync.Mutex
	waiting []audit.OutboxRecord // committed, not yet in the log
	drained []string             // in the log, row still in the store
	failed  error                // why the last drain failed; nil when it did not
	lost    bool                 // a commit of unknown outcome may have left a row that nobody pushed

	recovered bool // guarded by Desk.sealing
}

const (
	outboxSweep  = time.Second // how long a drained row waits for a commit to ride on
	outboxRide   = 16          // drained rows that one commit takes along at most
	outboxBehind = 1 << 16     // more waiting rows than this refuse service: the log does not keep up
)

func newOutbox(engine store.Engine, log *audit.Log) *outbox {
	o := &outbox{engine: engine, log: log, wake: make(chan struct{}, 1), stopc: make(chan struct{}), ended: make(chan struct{})}
	go o.run()
	return o
}

// row is the operation that stores ev together with its change.
func (o *outbox) row(ev *audit.Event) (store.Op, string) {
	key := outPrefix + ev.ID
	return store.Op{Key: key, Value: ev.AppendJSON(nil), Expect: store.Expect(0), Queued: true}, key
}

// push hands a committed row to the drain.
func (o *outbox) push(key string, value []byte) {
	o.mu.Lock()
	o.waiting = append(o.waiting, audit.OutboxRecord{ID: key[len(outPrefix):], Data: value})
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// lose lets the next sweep look for rows in the store.
func (o *outbox) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = true
}

// find drains rows that a commit of unknown outcome left. Appending is idempotent, so rows that wait anyway do no harm.
func (o *outbox) find() {
	o.mu.Lock()
	lost := o.lost
	o.lost = false
	o.mu.Unlock()
	if lost && o.recover(context.Background()) != nil {
		o.lose()
	}
}

// healthy is nil while changes find their way into the log.
func (o *outbox) healthy() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed != nil {
		return o.failed
	}
	if len(o.waiting) > outboxBehind {
		return errBehind
	}
	return nil
}

// recover drains the rows that an earlier process left. It looks once, before this process commits a row of its own:
// later every row in the store is known already, and appending or deleting one twice would be a fault.
func (o *outbox) recover(ctx context.Context) error {
	if o.recovered {
		return nil
	}
	after := ""
	for {
		entries, _, err := o.engine.List(ctx, store.Query{Prefix: outPrefix, After: after, Limit: 1000})
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			o.recovered = true
			return nil
		}
		records := make([]audit.OutboxRecord, len(entries))
		keys := make([]string, len(entries))
		for i, e := range entries {
			records[i] = audit.OutboxRecord{ID: e.Key[len(outPrefix):], Data: e.Value}
			keys[i] = e.Key
		}
		if err := o.log.AppendOnce(ctx, records); err != nil {
			return err
		}
		o.mu.Lock()
		o.drained = append(o.drained, keys...)
		o.mu.Unlock()
		after = entries[len(entries)-1].Key
	}
}

func (o *outbox) run() {
	defer close(o.ended)
	sweep := time.NewTicker(outboxSweep)
	defer sweep.Stop()
	for {
		select {
		case <-o.wake:
			o.drain()
		case <-sweep.C:
			o.drain()
			o.find()
			o.sweep()
		case <-o.stopc:
			o.drain()
			o.sweep()
			return
		}
	}
}

// drain appends what waits. On failure everything stays and is tried again at the next wake or tick.
func (o *outbox) drain() {
	o.mu.Lock()
	batch := o.waiting
	o.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	err := o.log.AppendOnce(context.Background(), batch)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = err
	if err != nil {
		return
	}
	o.waiting = append([]audit.OutboxRecord(nil), o.waiting[len(batch):]...)
	for _, r := range batch {
		o.drained = append(o.drained, outPrefix+r.ID)
	}
}

// sweep deletes drained rows when no commit took them along.
func (o *outbox) sweep() {
	for {
		c := o.claim(store.MaxOps)
		if len(c.keys) == 0 {
			return
		}
		if _, err := o.engine.Apply(context.Background(), c.ops()); err != nil {
			c.giveBack()
			return
		}
	}
}

// claimed are drained rows on their way to deletion.
type claimed struct {
	o    *outbox
	keys []string
}

// claim takes at most n drained rows, so that a commit can delete them on its way.
func (o *outbox) claim(n int) claimed {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = max(0, min(n, len(o.drained)))
	if n == 0 {
		return claimed{}
	}
	keys := append([]string(nil), o.drained[:n]...)
	o.drained = o.drained[n:]
	return claimed{o, keys}
}

func (c claimed) ops() []store.Op {
	ops := make([]store.Op, len(c.keys))
	for i, k := range c.keys {
		ops[i] = store.Op{Key: k, Delete: true}
	}
	return ops
}

func (c claimed) giveBack() {
	if len(c.keys) == 0 {
		return
	}
	c.o.mu.Lock()
	c.o.drained = append(c.o.drained, c.keys...)
	c.o.mu.Unlock()
}

func (o *outbox) stop(ctx context.Context) error {
	close(o.stopc)
	select {
	case <-o.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return o.healthy()
}
