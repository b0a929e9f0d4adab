// Package store is the seam between the keep and the bytes on disk.
//
// A store is one ordered map from keys to values with one revision counter. It sees only ciphertext: values arrive
// sealed and leave sealed. Keys are readable on disk, and the threat model says so.
//
// # Revisions
//
// Every [Engine.Apply] that changes something takes the next revision of the whole store; each key remembers the revision
// of its own last change. There are no interactive transactions: a caller reads, notes the revisions, and applies its
// changes with what it expects ([Op].Expect). That maps to one bbolt transaction, one etcd If/Then, or one SQL
// statement, and it is why an Apply holds at most [MaxOps] operations.
//
// # Engines
//
// store/bolt is the durable default, store/mem the one that forgets. Both also are [Shared] (within one process),
// [Formatted] and [Loader]. store/storetest is the contract that every engine passes.
package store

import (
	"context"
	"io"
	"iter"
)

// Limits that hold on every engine, so that no data can exist on one engine that another one could not take.
const (
	MaxKey   = 1 << 10 // bytes in a key; a key is never empty
	MaxValue = 1 << 20 // bytes in a value: the product's 512 KiB and what sealing adds to it
	MaxOps   = 128     // operations in one Apply
)

// Revision counts the changes of a whole store in commit order. Zero stands for none.
type Revision uint64

// Entry is a key with its value at one revision.
//
// A key that does not exist is answered by Get as an Entry with Rev 0 and a nil Value; an existing empty value is not
// nil. Whoever received an Entry owns its Value and may keep and change it.
type Entry struct {
	Key   string
	Value []byte
	Rev   Revision // of the last change of this key
}

// Op is one step of an Apply: a put, a delete (Delete) or a bare expectation (Check).
//
// A key may appear once in an Apply. Deleting a key that does not exist is no error (use Expect to make it one).
type Op struct {
	Key    string
	Value  []byte    // of a put; the engine does not keep the slice after Apply returns
	Delete bool      // remove the key
	Check  bool      // change nothing, only compare with Expect
	Expect *Revision // the revision that the key must have; 0: it must not exist; nil: whatever it has
	Queued bool      // of a put: the key lies behind all others of its kind and goes soon. It changes nothing but how the engine lays it down
}

// Expect returns what Op.Expect wants.
func Expect(r Revision) *Revision { return &r }

// Query selects a page of keys in byte order.
type Query struct {
	Prefix   string // keys that begin so
	After    string // answer only entries whose Key is greater, in byte order; empty: from the start
	Limit    int    // entries at most; 0: all there are
	KeysOnly bool   // leave Value nil
	OneLevel bool   // collapse: see Engine.List
}

// Change tells that a key was put or deleted.
type Change struct {
	Key     string
	Rev     Revision
	Deleted bool
}

// Batch holds all changes after the previous batch up to and including revision Upto. A batch without changes is a
// heartbeat.
type Batch struct {
	Upto    Revision
	Changes []Change
}

// Engine keeps the map. All methods are safe for concurrent use.
//
// After Close, and after an engine stopped itself because a sync failed, every method answers [ErrClosed] or
// [ErrStopped]. A context that has ended before the work began ends the call with its error and without effect.
type Engine interface {
	// Get answers the keys in the order asked, all from one consistent point whose revision it returns.
	// The point is not older than atLeast, nor than any Apply that was acknowledged before the call. An engine
	// that cannot reach atLeast answers ErrBehind. Only durable state is answered.
	Get(ctx context.Context, atLeast Revision, keys ...string) ([]Entry, Revision, error)

	// List answers one page of one consistent point, sorted by key, and costs what it returns.
	//
	// With OneLevel, all keys that have a '/' after the prefix are answered as one Entry for each distinct text up
	// to and including that '/': its Key ends in "/", its Rev is 0 and its Value nil. It is found by seeking past
	// the group, not by scanning it. After compares with the keys of the entries as answered, so the last Key of a
	// page is the After of the next.
	List(ctx context.Context, q Query) ([]Entry, Revision, error)

	// Apply does all operations or none and returns the revision they got. When it returns nil, they are durable.
	//
	// Expectations are checked in the same transaction; one that fails is a *ConflictError with the current
	// revisions. ErrUnknown, and nothing else, means that the outcome is not known: the caller reads again. A
	// context that ends after the commit began does not end the call: it waits for the outcome. An Apply of
	// checks only takes no revision and returns the current one.
	Apply(ctx context.Context, ops []Op) (Revision, error)

	// Export writes the whole store as it is at one revision, which it returns, sorted by key, in the form that
	// ReadExport reads. Two exports of one revision are the same bytes. Reads and writes go on meanwhile.
	Export(ctx context.Context, w io.Writer) (Revision, error)

	// Close ends the engine. Calls that have begun are finished first.
	Close() error
}

// Shared is what an engine offers whose state can change behind a caller's back.
type Shared interface {
	// ReadIndex returns a revision that is not less than that of any Apply acknowledged before the call.
	ReadIndex(ctx context.Context) (Revision, error)

	// Watch yields what was committed after the given revision, in commit order and without gaps, with heartbeats
	// while nothing happens. It ends with an error: ErrCompacted when the engine no longer knows what came next
	// (drop what was cached, read on from now), the context's, or ErrClosed. A batch must not be changed.
	Watch(ctx context.Context, after Revision) iter.Seq2[Batch, error]
}

// Formatted is an engine whose store carries a header.
type Formatted interface {
	Header(ctx context.Context) (Header, error)
	SetHeader(ctx context.Context, h Header) error
}

// Loader is an engine that can take a whole sorted export at once, keeping each key's revision.
//
// The store must be empty and unused. When Load fails, or the process dies in it, the store is good for nothing and says so
// when it is opened: load into a new one, then swap.
type Loader interface {
	Load(ctx context.Context, at Revision, entries iter.Seq2[Entry, error]) error
}
