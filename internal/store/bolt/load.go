package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/keephold/keephold/internal/store"
)

const (
	loadBytes = 8 << 20 // in one transaction of a load
	loadFill  = 0.9     // of a page: what is loaded in order has no insertions to leave room for
)

// update runs one write transaction. It is for the committer's goroutine.
func (e *Engine) update(fn func(*bbolt.Tx) error) error {
	tx, err := e.db.Begin(true)
	if err != nil {
		return e.closedError(err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return e.commit(tx)
}

// Load implements store.Loader.
func (e *Engine) Load(ctx context.Context, at store.Revision, entries iter.Seq2[store.Entry, error]) error {
	return e.exclusive(ctx, func() error {
		err := e.update(func(tx *bbolt.Tx) error {
			if data := tx.Bucket(dataBucket()); data.Sequence() != 0 {
				return fmt.Errorf("load into a store that was used: %w", store.ErrInvalid)
			}
			return tx.Bucket(metaBucket()).Put(loadingKey(), []byte{1})
		})
		if err != nil {
			return err
		}
		if err := bulk(ctx, e.db, e.commit, at, entries); err != nil {
			e.halt(fmt.Errorf("%s: %w: a load did not finish", e.path, store.ErrStopped))
			return err
		}
		e.feed.Reset(at)
		return nil
	})
}

// bulk puts sorted entries, in transactions that fit in memory. The last one sets the revision and takes the mark of an
// unfinished load away.
func bulk(
	ctx context.Context, db *bbolt.DB, commit func(*bbolt.Tx) error, at store.Revision, entries iter.Seq2[store.Entry, error],
) (err error) {
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && tx != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	size := 0
	for entry, err := range entries {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		stored := make([]byte, 0, revSize+len(entry.Value)) // bbolt keeps it until the commit
		stored = append(binary.BigEndian.AppendUint64(stored, uint64(entry.Rev)), entry.Value...)
		data := tx.Bucket(dataBucket())
		data.FillPercent = loadFill
		if err := data.Put([]byte(entry.Key), stored); err != nil {
			return err
		}
		if size += len(entry.Key) + len(stored); size < loadBytes {
			continue
		}
		size = 0
		full := tx
		tx = nil // commit ends it, whatever happens
		if err := commit(full); err != nil {
			return err
		}
		if tx, err = db.Begin(true); err != nil {
			return err
		}
	}
	err = errors.Join(tx.Bucket(dataBucket()).SetSequence(uint64(at)), tx.Bucket(metaBucket()).Delete(loadingKey()))
	if err != nil {
		return err
	}
	last := tx
	tx = nil
	return commit(last)
}

// Compact writes a copy of the store as it is at one revision, without the free pages that a file gathers and never gives back. The
// copy appears under dst when it is complete; a file that is already there is not replaced. The store serves
// meanwhile, but what is written then is not in the copy: to swap them, hold writers off.
func (e *Engine) Compact(ctx context.Context, dst string) (at store.Revision, err error) {
	err = e.view(ctx, func(tx *bbolt.Tx, data *bbolt.Bucket) error {
		at = store.Revision(data.Sequence())
		h, err := store.DecodeHeader(tx.Bucket(metaBucket()).Get(headerKey()))
		if err != nil {
			return err
		}
		return build(dst, func(db *bbolt.DB) error {
			if err := initialize(db, h); err != nil {
				return err
			}
			return bulk(ctx, db, (*bbolt.Tx).Commit, at, entries(ctx, data))
		})
	})
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("compacting: %w", err)
	}
	return at, err
}

// maxDamage bounds what Check reports.
const maxDamage = 20

// Check reads every page and every record and reports what is wrong: the shape of the tree, pages that are lost or used twice, records
// that cannot be. It knows nothing of the values' seals. Writes wait while the pages are counted. What it found wraps
// store.ErrCorrupt.
func (e *Engine) Check(ctx context.Context) error {
	// The records first: bbolt's own check runs on a goroutine where a page outside the file would be the end of the process.
	if err := e.view(ctx, func(tx *bbolt.Tx, data *bbolt.Bucket) error { return e.checkRecords(ctx, tx, data) }); err != nil {
		return err
	}
	if e.opts.ReadOnly { // nobody writes
		return e.view(ctx, func(tx *bbolt.Tx, _ *bbolt.Bucket) error { return e.checkPages(tx) })
	}
	return e.exclusive(ctx, func() error {
		tx, err := e.db.Begin(true) // it is only safe while nobody else writes
		if err != nil {
			return e.closedError(err)
		}
		defer func() { _ = tx.Rollback() }()
		return e.checkPages(tx)
	})
}

func (e *Engine) checkRecords(ctx context.Context, tx *bbolt.Tx, data *bbolt.Bucket) error {
	if info, err := e.file.Stat(); err != nil || tx.Size() > info.Size() {
		return errors.Join(fmt.Errorf("%s is cut short: %w", e.path, store.ErrCorrupt), err)
	}
	var found []error
	at, last := store.Revision(data.Sequence()), ""
	for entry, err := range entries(ctx, data) {
		switch {
		case err == nil && entry.Rev > 0 && entry.Rev <= at && entry.Key > last:
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the iteration ends
			found = append(found, err)
		case len(found) < maxDamage:
			found = append(found, fmt.Errorf("record %q of revision %d after %q, in a store of revision %d", entry.Key, entry.Rev, last, at))
		}
		last = entry.Key
	}
	return e.damage(found)
}

func (e *Engine) checkPages(tx *bbolt.Tx) error {
	var found []error
	for err := range tx.Check() { // to the end, or its goroutine would stay
		if len(found) < maxDamage {
			found = append(found, err)
		}
	}
	return e.damage(found)
}

func (e *Engine) damage(found []error) error {
	if len(found) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", e.path, store.ErrCorrupt, errors.Join(found...))
}
