package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/keephold/keephold/internal/store"
)

// Apply implements store.Engine.
func (e *Engine) Apply(ctx context.Context, ops []store.Op) (store.Revision, error) {
	size, err := store.CheckOps(ops)
	if err != nil {
		return 0, err
	}
	if e.opts.ReadOnly {
		return 0, store.ErrReadOnly
	}
	return e.queue.run(ctx, &request{ops: ops, size: size, done: make(chan struct{})})
}

// exclusive runs a job on the committer's goroutine, with no Apply beside it.
func (e *Engine) exclusive(ctx context.Context, job func() error) error {
	if e.opts.ReadOnly {
		return store.ErrReadOnly
	}
	_, err := e.queue.run(ctx, &request{job: job, done: make(chan struct{})})
	return err
}

// commitLoop is the one goroutine that writes.
func (e *Engine) commitLoop() {
	defer close(e.done)
	debug.SetPanicOnFault(true)
	var list []*request
	b := batch{pending: make(map[string]pending)}
	for {
		list = e.queue.take(list)
		if list == nil {
			return
		}
		switch err := e.usable(); {
		case err != nil:
			for _, r := range list {
				r.finish(0, err)
			}
		case list[0].job != nil:
			list[0].finish(0, e.runJob(list[0].job))
		default:
			e.commitBatch(&b, list)
			b.release()
		}
		clear(list) // the callers' values are theirs again
	}
}

func (e *Engine) runJob(job func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = e.wreck(r)
		}
	}()
	return job()
}

// queuedFill is how full a page becomes that splits in a batch with rows of a queue. They come in order and nothing is put between
// them, so that bbolt's half is room for nobody; what other pages split in the same batch wants a little.
const queuedFill = 0.7

// batch is the work space of one transaction, kept between transactions for its memory.
type batch struct {
	rev     store.Revision
	queued  bool               // some of what is put are rows of a queue
	pending map[string]pending // the effect of the requests so far
	keys    []string           // of pending, in the order of the first change
	values  []byte             // the stored form of all values
}

// pending is the new state of a key.
type pending struct {
	stored  []byte // nil: deleted
	rev     store.Revision
	changed store.Revision // equals rev, but is kept for a deleted key, whose rev is 0
}

// commitBatch decides each request, commits what they change as one transaction, and answers them.
func (e *Engine) commitBatch(b *batch, list []*request) {
	b.reset(list)
	err := e.transact(b, list)
	if err == nil && len(b.keys) > 0 {
		e.feed.Publish(store.Batch{Upto: b.rev, Changes: b.changes()})
	}
	for _, r := range list {
		switch {
		case err != nil:
			r.finish(0, err)
		case r.err != nil:
			r.finish(0, r.err)
		default:
			r.finish(r.rev, nil)
		}
	}
}

func (e *Engine) transact(b *batch, list []*request) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = e.wreck(r)
		}
	}()
	tx, err := e.db.Begin(true)
	if err != nil {
		return e.closedError(err)
	}
	data := tx.Bucket(dataBucket())
	b.rev = store.Revision(data.Sequence())
	for _, r := range list {
		r.rev, r.err = b.decide(data, r.ops)
	}
	if len(b.keys) == 0 {
		return tx.Rollback()
	}
	if err := b.write(data); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return e.commit(tx)
}

// reset makes room for what the requests bring.
func (b *batch) reset(list []*request) {
	size := 0
	for _, r := range list {
		size += r.size + revSize*len(r.ops)
	}
	if cap(b.values) < size { // now, not while it fills: bbolt holds slices of it until the commit
		b.values = make([]byte, 0, size)
	}
}

// release lets go of the requests' keys and, when they were uncommonly many, of the room for their values.
func (b *batch) release() {
	clear(b.pending)
	clear(b.keys)
	b.keys, b.values, b.queued = b.keys[:0], b.values[:0], false
	if cap(b.values) > 2*maxBytes {
		b.values = nil
	}
}

// decide checks one request against the state that those before it have made, and adds its effect.
func (b *batch) decide(data *bbolt.Bucket, ops []store.Op) (store.Revision, error) {
	var failed []store.KeyRevision
	changes := false
	for i := range ops {
		op := &ops[i]
		changes = changes || !op.Check
		if op.Expect == nil {
			continue
		}
		rev, err := b.current(data, op.Key)
		if err != nil {
			return 0, err
		}
		if rev != *op.Expect {
			failed = append(failed, store.KeyRevision{Key: op.Key, Rev: rev})
		}
	}
	if failed != nil {
		return 0, &store.ConflictError{Current: failed}
	}
	if !changes {
		return b.rev, nil
	}
	b.rev++
	for i := range ops {
		if !ops[i].Check {
			b.add(&ops[i])
		}
	}
	return b.rev, nil
}

func (b *batch) current(data *bbolt.Bucket, key string) (store.Revision, error) {
	if p, ok := b.pending[key]; ok {
		return p.rev, nil
	}
	stored := data.Get([]byte(key))
	if stored == nil {
		return 0, nil
	}
	rev, _, err := split(key, stored)
	return rev, err
}

func (b *batch) add(op *store.Op) {
	if _, again := b.pending[op.Key]; !again {
		b.keys = append(b.keys, op.Key)
	}
	p := pending{changed: b.rev}
	if !op.Delete {
		from := len(b.values)
		b.values = binary.BigEndian.AppendUint64(b.values, uint64(b.rev))
		b.values = append(b.values, op.Value...)
		p.stored, p.rev = b.values[from:len(b.values):len(b.values)], b.rev
		b.queued = b.queued || op.Queued
	}
	b.pending[op.Key] = p
}

// write puts the final state of each changed key, in order.
func (b *batch) write(data *bbolt.Bucket) error {
	slices.Sort(b.keys)
	if b.queued {
		data.FillPercent = queuedFill
	}
	for _, k := range b.keys {
		var err error
		if p := b.pending[k]; p.stored != nil {
			err = data.Put([]byte(k), p.stored)
		} else {
			err = data.Delete([]byte(k))
		}
		if err != nil {
			return err
		}
	}
	return data.SetSequence(uint64(b.rev))
}

// changes tells watchers the last change of each key.
func (b *batch) changes() []store.Change {
	out := make([]store.Change, len(b.keys))
	for i, k := range b.keys {
		p := b.pending[k]
		out[i] = store.Change{Key: k, Rev: p.changed, Deleted: p.stored == nil}
	}
	return out
}

// commit makes a transaction durable. It is called by the committer's goroutine only.
//
// A failure is told apart by what the file's meta pages say afterwards. When they still name the transaction before, this one
// did not happen and never will; if the disk was merely full the engine goes on. When they name this one, it may or may
// not survive: the outcome is unknown. After anything but a full disk nothing more is served.
func (e *Engine) commit(tx *bbolt.Tx) error {
	id := int64(tx.ID())
	e.db.AllocSize = int(min(max(tx.Size()/8, 256<<10), 64<<20)) // grow in steps that fit the size
	err := tx.Commit()
	if err == nil {
		e.durable.Store(id)
		e.announce()
		return nil
	}
	happened, looked := e.wrote(id)
	switch full := noSpace(err); {
	case looked && !happened && full:
		return fmt.Errorf("%s: %w: %w", e.path, store.ErrFull, err)
	case looked && !happened:
		err = fmt.Errorf("%s: %w: %w", e.path, store.ErrStopped, err)
		e.halt(err)
		return err
	}
	e.halt(fmt.Errorf("%s: %w: %w", e.path, store.ErrStopped, err))
	return fmt.Errorf("%s: %w: %w", e.path, store.ErrUnknown, err)
}

// wrote looks whether the meta pages name a transaction.
func (e *Engine) wrote(id int64) (happened, looked bool) {
	err := e.guarded(func(tx *bbolt.Tx) error {
		happened = int64(tx.ID()) >= id
		return nil
	})
	if errors.Is(err, berrors.ErrInvalidMapping) { // the map was lost while allocating, before anything was written
		return false, true
	}
	return happened, err == nil
}

// noSpace tells whether an error means that a write found no room. A sync that found none is not among them: like
// every failed sync it leaves open what is on the disk.
func noSpace(err error) bool {
	if errors.Is(err, berrors.ErrMaxSizeReached) {
		return true
	}
	var p *fs.PathError
	return errors.As(err, &p) && p.Op != "sync" &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG))
}
