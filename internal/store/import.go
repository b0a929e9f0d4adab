package store

import (
	"context"
	"fmt"
	"io"
)

// Import reads an export into an engine whose store is empty, and returns the revision it then stands at.
//
// A Loader keeps every key's revision and continues counting after the exported one. On other engines the keys get new
// revisions. The stream is checked while it is read: after an error the store holds a part and must be thrown away.
func Import(ctx context.Context, e Engine, r io.Reader) (Revision, error) {
	at, entries, err := ReadExport(r)
	if err != nil {
		return 0, err
	}
	if l, ok := e.(Loader); ok {
		return at, l.Load(ctx, at, entries)
	}
	if found, _, err := e.List(ctx, Query{Limit: 1, KeysOnly: true}); err != nil {
		return 0, err
	} else if len(found) > 0 {
		return 0, fmt.Errorf("import into a store that holds data: %w", ErrInvalid)
	}
	var last Revision
	ops := make([]Op, 0, MaxOps)
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		rev, err := e.Apply(ctx, ops)
		last, ops = rev, ops[:0]
		return err
	}
	for entry, err := range entries {
		if err != nil {
			return 0, err
		}
		ops = append(ops, Op{Key: entry.Key, Value: entry.Value, Expect: Expect(0)})
		if len(ops) == MaxOps {
			if err := flush(); err != nil {
				return 0, err
			}
		}
	}
	err = flush()
	return last, err
}
