// Package mem is the engine that forgets: a store in memory, for tests and for `keephold dev` without a directory.
//
// The map is a copy-on-write B-tree. A writer changes a copy under a lock and then puts it in place; readers take the
// tree that is in place and never wait. Durable here means: until Close.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/keephold/keephold/internal/store"
)

// Engine is a store in memory. Use New.
type Engine struct {
	feed *store.Feed
	now  atomic.Pointer[state]

	mu     sync.Mutex   // serialises writers
	header store.Header // guarded by mu
}

// state is the map at one revision. It is never changed once it is in place; nil is in place after Close.
type state struct {
	rev  store.Revision
	tree *btree.BTreeG[item]
}

type item struct {
	key   string
	value []byte
	rev   store.Revision
}

var (
	_ store.Engine    = (*Engine)(nil)
	_ store.Shared    = (*Engine)(nil)
	_ store.Formatted = (*Engine)(nil)
	_ store.Loader    = (*Engine)(nil)
)

// New returns an empty store.
func New() *Engine {
	e := &Engine{
		feed:   store.NewFeed(0, 0, 0),
		header: store.Header{MinReader: store.Format, MinWriter: store.Format},
	}
	e.now.Store(&state{tree: newTree()})
	return e
}

func newTree() *btree.BTreeG[item] {
	less := func(a, b item) bool { return a.key < b.key }
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

// view returns the state to read from.
func (e *Engine) view(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := e.now.Load()
	if s == nil {
		return nil, store.ErrClosed
	}
	return s, nil
}

// Get implements store.Engine.
func (e *Engine) Get(ctx context.Context, atLeast store.Revision, keys ...string) ([]store.Entry, store.Revision, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, 0, err
	}
	s, err := e.view(ctx)
	if err != nil {
		return nil, 0, err
	}
	if s.rev < atLeast {
		return nil, s.rev, store.ErrBehind
	}
	out := make([]store.Entry, len(keys))
	for i, k := range keys {
		out[i].Key = k
		if it, ok := s.tree.Get(item{key: k}); ok {
			out[i].Value, out[i].Rev = bytes.Clone(it.value), it.rev
		}
	}
	return out, s.rev, nil
}

// List implements store.Engine.
func (e *Engine) List(ctx context.Context, q store.Query) ([]store.Entry, store.Revision, error) {
	if err := store.CheckQuery(q); err != nil {
		return nil, 0, err
	}
	s, err := e.view(ctx)
	if err != nil {
		return nil, 0, err
	}
	var out []store.Entry
	it := s.tree.Iter()
	defer it.Release()
	for ok := it.Seek(item{key: q.Start()}); ok; {
		at := it.Item()
		if len(at.key) < len(q.Prefix) || at.key[:len(q.Prefix)] != q.Prefix || (q.Limit > 0 && len(out) == q.Limit) {
			break
		}
		if n := store.GroupLen(q, at.key); n > 0 {
			group := at.key[:n]
			out = append(out, store.Entry{Key: group})
			ok = it.Seek(item{key: store.PastGroup(group)})
			continue
		}
		entry := store.Entry{Key: at.key, Rev: at.rev}
		if !q.KeysOnly {
			entry.Value = bytes.Clone(at.value)
		}
		out = append(out, entry)
		ok = it.Next()
	}
	return out, s.rev, nil
}

// Apply implements store.Engine.
func (e *Engine) Apply(ctx context.Context, ops []store.Op) (store.Revision, error) {
	if _, err := store.CheckOps(ops); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.view(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.expect(ops); err != nil {
		return 0, err
	}
	rev := s.rev + 1
	var tree *btree.BTreeG[item] // copied when there is something to change
	var changes []store.Change
	for i := range ops {
		op := &ops[i]
		if op.Check {
			continue
		}
		if tree == nil {
			tree = s.tree.Copy()
		}
		if op.Delete {
			tree.Delete(item{key: op.Key})
		} else {
			tree.Set(item{key: op.Key, value: append([]byte{}, op.Value...), rev: rev})
		}
		changes = append(changes, store.Change{Key: op.Key, Rev: rev, Deleted: op.Delete})
	}
	if tree == nil {
		return s.rev, nil
	}
	e.now.Store(&state{rev: rev, tree: tree})
	e.feed.Publish(store.Batch{Upto: rev, Changes: changes})
	return rev, nil
}

// expect compares every expectation.
func (s *state) expect(ops []store.Op) error {
	var failed []store.KeyRevision
	for i := range ops {
		if ops[i].Expect == nil {
			continue
		}
		it, _ := s.tree.Get(item{key: ops[i].Key})
		if it.rev != *ops[i].Expect {
			failed = append(failed, store.KeyRevision{Key: ops[i].Key, Rev: it.rev})
		}
	}
	if failed != nil {
		return &store.ConflictError{Current: failed}
	}
	return nil
}

// Export implements store.Engine.
func (e *Engine) Export(ctx context.Context, w io.Writer) (store.Revision, error) {
	s, err := e.view(ctx)
	if err != nil {
		return 0, err
	}
	x, err := store.NewExportWriter(w, s.rev)
	if err != nil {
		return 0, err
	}
	s.tree.Scan(func(it item) bool {
		if err = ctx.Err(); err == nil {
			err = x.Add(it.key, it.rev, it.value)
		}
		return err == nil
	})
	if err == nil {
		err = x.Close()
	}
	return s.rev, err
}

// Load implements store.Loader. Here a load that fails leaves the store as it was.
func (e *Engine) Load(ctx context.Context, at store.Revision, entries iter.Seq2[store.Entry, error]) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.view(ctx)
	if err != nil {
		return err
	}
	if s.rev != 0 {
		return fmt.Errorf("load into a store that was used: %w", store.ErrInvalid)
	}
	tree := newTree()
	for entry, err := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		tree.Set(item{key: entry.Key, value: append([]byte{}, entry.Value...), rev: entry.Rev})
	}
	e.now.Store(&state{rev: at, tree: tree})
	e.feed.Reset(at)
	return nil
}

// Header implements store.Formatted.
func (e *Engine) Header(ctx context.Context) (store.Header, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := e.view(ctx)
	return e.header, err
}

// SetHeader implements store.Formatted.
func (e *Engine) SetHeader(ctx context.Context, h store.Header) error {
	if _, err := h.Encode(); err != nil {
		return err
	}
	if err := h.Check("memory", store.Format, true); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.view(ctx); err != nil {
		return err
	}
	e.header = h
	return nil
}

// ReadIndex implements store.Shared.
func (e *Engine) ReadIndex(ctx context.Context) (store.Revision, error) {
	s, err := e.view(ctx)
	if err != nil {
		return 0, err
	}
	return s.rev, nil
}

// Watch implements store.Shared.
func (e *Engine) Watch(ctx context.Context, after store.Revision) iter.Seq2[store.Batch, error] {
	return e.feed.Watch(ctx, after)
}

// Close implements store.Engine.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now.Store(nil)
	e.feed.Close(store.ErrClosed)
	return nil
}
