// Package bolt is the durable engine: one bbolt file and a group committer of our own.
//
// # The bytes
//
// The file is a bbolt database (go.etcd.io/bbolt, format version 2; its own tools can read, check and repair it)
// with two top-level buckets:
//
//	"data"   key → revision[8, big-endian] value…      the bucket's sequence number is the store's revision
//	"meta"   "header"  → JSON, see store.Header
//	         "loading" → present while a Load is under way
//
// Keys and values are as the caller gave them; values are ciphertext. Beside the file PATH lies PATH.holder while a process
// has it open for writing: JSON naming that process, for the error message of the next one. Truth is the file lock alone.
//
// A file is made under another name, synced, and then linked into place: a crash while making it leaves nothing under PATH.
//
// # Writing
//
// Callers of Apply queue up; one goroutine takes what waits, up to 256 requests or 4 MiB, and commits it as one
// transaction: two fdatasyncs for all of them, and no timer that makes a lone writer wait. Each request sees the effects
// of those before it in the batch, has its own expectations checked, and gets its own revision; one that fails drops out
// alone. Keys are put in order, so that neighbours share pages while they are hot.
//
// A full disk fails the batch and changes nothing. Any other failed write, above all a failed sync, stops the engine: after it
// the page cache and the disk may differ, and only opening the file again tells what is true.
//
// # Reading
//
// A read is a bbolt read transaction on the caller's goroutine. A commit's meta page can be seen between being written and
// being synced; a read that began in that moment waits for the sync, so that nothing is ever answered that a power cut
// could take back.
//
// Damage of the file's pages becomes an error that wraps store.ErrCorrupt, for the reads that meet it.
//
// BUG(store): bbolt's pages have no checksums. A damaged branch page that points back to its own ancestor would send a read
// round in circles until the stack ends; no other damage is known to end the process.
//
// BUG(store): on Windows the map of the file cannot be larger than the file. When the file grows, writes there wait for reads
// that have begun, an Export among them.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/keephold/keephold/internal/store"
)

// DefaultLockTimeout is how long Open waits for another process to let go of the file.
const DefaultLockTimeout = 5 * time.Second

// Options say how to open a store. The zero value is good.
type Options struct {
	LockTimeout  time.Duration // 0: DefaultLockTimeout; negative: do not wait
	ReadOnly     bool          // share the file with other readers; Apply answers ErrReadOnly; never creates
	Installation string        // goes into the header of a store that is made; kept as it is in one that exists
	Command      string        // what the holder file calls this process; empty: the program's name
	Format       uint32        // the newest format that the caller knows; 0: store.Format
	MaxBytes     int64         // the file grows no further, ErrFull; 0: as far as the disk goes
	Feed         int           // changes that Watch remembers; 0: store.DefaultFeed
	Heartbeat    time.Duration // of Watch; 0: store.DefaultHeartbeat
}

// smallest is the size of an empty bbolt file: four pages. An empty file, which bbolt would make a database of, is
// what is left of something, not a wish for a new store.
const smallest = 4 * 4096

func dataBucket() []byte { return []byte("data") }
func metaBucket() []byte { return []byte("meta") }
func headerKey() []byte  { return []byte("header") }
func loadingKey() []byte { return []byte("loading") }

// Engine is an open store. Use Open.
type Engine struct {
	path  string
	db    *bbolt.DB
	file  *os.File // db's
	opts  Options
	feed  *store.Feed
	queue *queue

	durable atomic.Int64         // id of the newest bbolt transaction whose meta page is synced
	stopped atomic.Pointer[stop] // set once; why nothing more is served
	wrecked atomic.Bool          // bbolt panicked where it may have left its locks held
	done    chan struct{}        // closed when the committer has ended
	closing sync.Once

	mu   sync.Mutex
	turn chan struct{} // guarded by mu; closed and replaced when durable or stopped has changed
}

type stop struct{ err error }

var (
	_ store.Engine    = (*Engine)(nil)
	_ store.Shared    = (*Engine)(nil)
	_ store.Formatted = (*Engine)(nil)
	_ store.Loader    = (*Engine)(nil)
)

// Open opens the store in the file, or makes it. It never changes the format of one that exists. The engine's one goroutine
// ends with Close.
func Open(path string, o Options) (*Engine, error) {
	if o.LockTimeout == 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.Format == 0 {
		o.Format = store.Format
	}
	if !o.ReadOnly {
		if err := create(path, o); err != nil {
			return nil, fmt.Errorf("making store: %w", err)
		}
	}
	db, file, err := openFile(path, o)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		path: path, db: db, file: file, opts: o, queue: newQueue(),
		done: make(chan struct{}), turn: make(chan struct{}),
	}
	at, err := e.inspect()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.feed = store.NewFeed(at, o.Feed, o.Heartbeat)
	if !o.ReadOnly {
		writeHolder(path, o.Command)
	}
	go e.commitLoop()
	return e, nil
}

// openFile opens an existing database under its lock. It starts over when the file was replaced (a restore, a compaction) while it
// waited for the lock: the lock must be on the file that the path names.
func openFile(path string, o Options) (*bbolt.DB, *os.File, error) {
	deadline := time.Now().Add(o.LockTimeout)
	for {
		db, file, err := openLocked(path, o, max(time.Until(deadline), time.Nanosecond))
		if err != nil {
			return nil, nil, err
		}
		mine, err1 := file.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, named) {
			if tooShort(db, mine.Size()) {
				return nil, nil, errors.Join(fmt.Errorf("%s is cut short: %w", path, store.ErrCorrupt), db.Close())
			}
			return db, file, nil
		}
		if err := errors.Join(err1, err2, db.Close()); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, openError(err))
		}
	}
}

// openLocked calls bbolt, which panics or faults on some damaged files and then would keep the file locked.
func openLocked(path string, o Options, wait time.Duration) (db *bbolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if file != nil {
				unlock(file)
				_ = file.Close()
			}
			db, err = nil, fmt.Errorf("%s: %v: %w", path, r, store.ErrCorrupt)
		}
	}()
	opts := boltOptions(path, o)
	opts.Timeout = wait
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
		if err == nil {
			file = f
			if info, err := f.Stat(); err == nil && info.Size() < smallest {
				return nil, errors.Join(fmt.Errorf("a file of %d bytes: %w", info.Size(), store.ErrCorrupt), f.Close())
			}
		}
		return f, err
	}
	db, err = bbolt.Open(path, 0o600, opts)
	if errors.Is(err, syscall.ENOMEM) { // a limit on address space: make do with less
		opts.InitialMmapSize = 0
		db, err = bbolt.Open(path, 0o600, opts)
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, nil, lockedError(path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, openError(err))
	}
	return db, file, nil
}

func boltOptions(path string, o Options) *bbolt.Options {
	return &bbolt.Options{
		FreelistType:    bbolt.FreelistMapType,
		PreLoadFreelist: !o.ReadOnly,
		ReadOnly:        o.ReadOnly,
		InitialMmapSize: mapSize(path),
		MaxSize:         int(o.MaxBytes),
		NoStatistics:    true, // they take a lock on each read
	}
}

// openError puts bbolt's and the system's words for what is wrong with a file into ours.
func openError(err error) error {
	switch {
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", store.ErrReadOnly, err)
	case noSpace(err):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// tooShort finds a file that lost its end: to read there would be a fault.
func tooShort(db *bbolt.DB, size int64) bool {
	tx, err := db.Begin(false)
	if err != nil {
		return false
	}
	defer func() { _ = tx.Rollback() }()
	return tx.Size() > size
}

// inspect checks the store's own format and returns the revision it stands at.
func (e *Engine) inspect() (at store.Revision, err error) {
	err = e.guarded(func(tx *bbolt.Tx) error {
		e.durable.Store(int64(tx.ID()))
		data, meta := tx.Bucket(dataBucket()), tx.Bucket(metaBucket())
		if data == nil || meta == nil {
			return fmt.Errorf("%s is not a store: %w", e.path, store.ErrCorrupt)
		}
		if meta.Get(loadingKey()) != nil {
			return fmt.Errorf("%s is what an interrupted restore left: %w", e.path, store.ErrCorrupt)
		}
		h, err := store.DecodeHeader(meta.Get(headerKey()))
		if err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		at = store.Revision(data.Sequence())
		return h.Check(e.path, e.opts.Format, !e.opts.ReadOnly)
	})
	return at, err
}

// guarded runs a read transaction and turns what bbolt does on damaged pages, a panic or a memory fault, into an error.
func (e *Engine) guarded(fn func(*bbolt.Tx) error) (err error) {
	began := false
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover(); {
		case r == nil:
		case began: // the one record cannot be read; the others can
			err = fmt.Errorf("%s: %v: %w", e.path, r, store.ErrCorrupt)
		default:
			err = e.wreck(r)
		}
	}()
	tx, err := e.db.Begin(false)
	began = true
	if err != nil {
		return e.closedError(err)
	}
	defer func() { _ = tx.Rollback() }()
	return fn(tx)
}

// wreck stops an engine whose bbolt panicked while it held locks that it will not give back.
func (e *Engine) wreck(reason any) error {
	err := fmt.Errorf("%s: %v: %w", e.path, reason, store.ErrCorrupt)
	e.wrecked.Store(true)
	e.halt(err)
	return err
}

// usable returns why the engine serves nothing more, or nil.
func (e *Engine) usable() error {
	if s := e.stopped.Load(); s != nil {
		return s.err
	}
	return nil
}

func (e *Engine) closedError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

// halt makes the engine refuse everything from now on. The first reason stays.
func (e *Engine) halt(err error) {
	e.stopped.CompareAndSwap(nil, &stop{err})
	e.feed.Close(e.usable())
	e.announce()
}

// announce wakes the readers that wait for a commit to settle.
func (e *Engine) announce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.turn)
	e.turn = make(chan struct{})
}

// settled waits until the transaction whose state a reader sees is durable.
func (e *Engine) settled(ctx context.Context, id int) error {
	for int64(id) > e.durable.Load() {
		e.mu.Lock()
		turn := e.turn
		e.mu.Unlock()
		if err := e.usable(); err != nil {
			return err
		}
		if int64(id) <= e.durable.Load() {
			return nil
		}
		select {
		case <-turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close implements store.Engine. What waits in the queue is still committed.
func (e *Engine) Close() error {
	var err error
	e.closing.Do(func() {
		e.queue.close()
		<-e.done
		e.halt(store.ErrClosed)
		if !e.opts.ReadOnly {
			removeHolder(e.path)
		}
		if e.wrecked.Load() { // to close bbolt would wait for its locks; the map stays, the file and its lock do not
			unlock(e.file)
			err = e.file.Close()
			return
		}
		err = e.db.Close() // waits for the readers
	})
	return err
}

// Header implements store.Formatted.
func (e *Engine) Header(ctx context.Context) (h store.Header, err error) {
	err = e.view(ctx, func(tx *bbolt.Tx, _ *bbolt.Bucket) error {
		h, err = store.DecodeHeader(tx.Bucket(metaBucket()).Get(headerKey()))
		return err
	})
	return h, err
}

// SetHeader implements store.Formatted.
func (e *Engine) SetHeader(ctx context.Context, h store.Header) error {
	b, err := h.Encode()
	if err != nil {
		return err
	}
	if err := h.Check(e.path, e.opts.Format, true); err != nil {
		return err
	}
	return e.exclusive(ctx, func() error {
		return e.update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket()).Put(headerKey(), b) })
	})
}

// Path returns the file's path.
func (e *Engine) Path() string { return filepath.Clean(e.path) }
