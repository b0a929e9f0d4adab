package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/keephold/keephold/internal/store"
)

const revSize = 8 // bytes before each value

// view runs fn on a durable state.
func (e *Engine) view(ctx context.Context, fn func(*bbolt.Tx, *bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.usable(); err != nil {
		return err
	}
	return e.guarded(func(tx *bbolt.Tx) error {
		if err := e.settled(ctx, tx.ID()); err != nil {
			return err
		}
		return fn(tx, tx.Bucket(dataBucket()))
	})
}

// split takes a stored value apart. The value still lies in the map of the file.
func split(key string, stored []byte) (store.Revision, []byte, error) {
	if len(stored) < revSize {
		return 0, nil, fmt.Errorf("record %q: %w", key, store.ErrCorrupt)
	}
	return store.Revision(binary.BigEndian.Uint64(stored)), stored[revSize:], nil
}

// owned copies a value out of the map. It never answers nil.
func owned(value []byte) []byte {
	b := make([]byte, len(value))
	copy(b, value)
	return b
}

// Get implements store.Engine.
func (e *Engine) Get(ctx context.Context, atLeast store.Revision, keys ...string) (out []store.Entry, at store.Revision, err error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, 0, err
	}
	err = e.view(ctx, func(_ *bbolt.Tx, data *bbolt.Bucket) error {
		at = store.Revision(data.Sequence())
		if at < atLeast {
			return store.ErrBehind
		}
		out = make([]store.Entry, len(keys))
		c, seek := data.Cursor(), make([]byte, 0, 128) // one for all keys: they grow as they are used
		for i, k := range keys {
			out[i].Key = k
			seek = append(seek[:0], k...)
			found, stored := c.Seek(seek)
			if !bytes.Equal(found, seek) {
				continue
			}
			rev, value, err := split(k, stored)
			if err != nil {
				return err
			}
			out[i].Rev, out[i].Value = rev, owned(value)
		}
		return nil
	})
	if err != nil {
		return nil, at, err
	}
	return out, at, nil
}

// List implements store.Engine.
func (e *Engine) List(ctx context.Context, q store.Query) (out []store.Entry, at store.Revision, err error) {
	if err := store.CheckQuery(q); err != nil {
		return nil, 0, err
	}
	err = e.view(ctx, func(_ *bbolt.Tx, data *bbolt.Bucket) error {
		at = store.Revision(data.Sequence())
		out, err = page(ctx, data.Cursor(), q)
		return err
	})
	return out, at, err
}

func page(ctx context.Context, c *bbolt.Cursor, q store.Query) ([]store.Entry, error) {
	var out []store.Entry
	if q.Limit > 0 {
		out = make([]store.Entry, 0, min(q.Limit, 1024))
	}
	prefix := []byte(q.Prefix)
	for k, v := c.Seek([]byte(q.Start())); k != nil && bytes.HasPrefix(k, prefix); {
		if q.Limit > 0 && len(out) == q.Limit {
			break
		}
		if len(out)%1024 == 1023 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if n := store.GroupLen(q, k); n > 0 {
			group := string(k[:n])
			out = append(out, store.Entry{Key: group})
			k, v = c.Seek([]byte(store.PastGroup(group)))
			continue
		}
		entry := store.Entry{Key: string(k)}
		rev, value, err := split(entry.Key, v)
		if err != nil {
			return nil, err
		}
		entry.Rev = rev
		if !q.KeysOnly {
			entry.Value = owned(value)
		}
		out = append(out, entry)
		k, v = c.Next()
	}
	return out, nil
}

// Export implements store.Engine. As long as it runs, pages that writers replace cannot be used again: a slow reader of the
// stream makes the file grow.
func (e *Engine) Export(ctx context.Context, w io.Writer) (at store.Revision, err error) {
	err = e.view(ctx, func(_ *bbolt.Tx, data *bbolt.Bucket) error {
		at = store.Revision(data.Sequence())
		x, err := store.NewExportWriter(w, at)
		if err != nil {
			return err
		}
		for entry, err := range entries(ctx, data) {
			if err != nil {
				return err
			}
			if err := x.Add(entry.Key, entry.Rev, entry.Value); err != nil {
				return err
			}
		}
		return x.Close()
	})
	return at, err
}

// entries yields all of a bucket in order. The values lie in the map of the file: they are good until the next one.
func entries(ctx context.Context, data *bbolt.Bucket) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		c, n := data.Cursor(), 0
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if n++; n%256 == 0 && ctx.Err() != nil {
				yield(store.Entry{}, ctx.Err())
				return
			}
			entry := store.Entry{Key: string(k)}
			rev, value, err := split(entry.Key, v)
			if err != nil {
				yield(store.Entry{}, err)
				return
			}
			entry.Rev, entry.Value = rev, value
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// ReadIndex implements store.Shared.
func (e *Engine) ReadIndex(ctx context.Context) (at store.Revision, err error) {
	err = e.view(ctx, func(_ *bbolt.Tx, data *bbolt.Bucket) error {
		at = store.Revision(data.Sequence())
		return nil
	})
	return at, err
}

// Watch implements store.Shared.
func (e *Engine) Watch(ctx context.Context, after store.Revision) iter.Seq2[store.Batch, error] {
	return e.feed.Watch(ctx, after)
}
