package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
)

// Config says where and how a log is kept. Only Dir and Origin are needed.
type Config struct {
	Dir          string           // made with mode 0700 when it is missing; never a symbolic link
	Origin       string           // first line of each checkpoint: the id of this node
	SyncInterval time.Duration    // how long an appended record may be without being durable; default 10 ms
	SyncAlways   bool             // Append waits for durability too
	SegmentSize  int64            // a segment of this many bytes is followed by a new one; default 256 MiB
	LockWait     time.Duration    // how long Open waits for another process to let go; default 5 s
	ReopenEvery  time.Duration    // an unavailable log tries Reopen this often; default 1 s, negative: never
	Now          func() time.Time // default time.Now
	OnError      func(error)      // told when the log becomes unavailable; must not block

	write func(f *os.File, b []byte) (int, error) // test hook: a disk that is full
}

func (c *Config) complete() error {
	if c.Dir == "" {
		return errors.New("audit: no directory configured")
	}
	if err := checkOrigin(c.Origin); err != nil {
		return err
	}
	if c.SyncInterval <= 0 {
		c.SyncInterval = 10 * time.Millisecond
	}
	if c.SegmentSize <= 0 {
		c.SegmentSize = 256 << 20
	}
	if c.LockWait <= 0 {
		c.LockWait = 5 * time.Second
	}
	if c.ReopenEvery == 0 {
		c.ReopenEvery = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	if c.write == nil {
		c.write = (*os.File).Write
	}
	return nil
}

// Log is one node's audit log, open for appending. All methods may be called concurrently.
type Log struct {
	cfg  Config
	lock *dirLock

	in   intake
	out  output
	dur  durability
	tree sequencer
	once onceSet
	keys atomic.Pointer[keyring]

	failed atomic.Pointer[failure]
	gen    atomic.Uint64 // counts Reopens: what was pending before one was not written

	stop context.CancelFunc
	done sync.WaitGroup // the loops
}

// intake holds encoded frames that nobody has written yet.
type intake struct {
	mu    sync.Mutex
	buf   []byte
	spare []byte
	count uint64 // records in buf
	end   int64  // log offset behind buf
}

// output is the segment being written.
type output struct {
	mu      sync.Mutex   // the one who writes holds it
	written atomic.Int64 // log offset handed to the kernel
	size    atomic.Uint64
	checked time.Time // guarded by mu: when the file's identity was last looked at

	fileMu sync.Mutex // guards the two below; taken after mu
	file   *os.File
	start  segment.Position
}

// durability lets many callers wait for one sync.
type durability struct {
	synced atomic.Int64
	last   atomic.Int64 // when the last sync ended, Unix nanoseconds
	dirty  atomic.Bool
	wake   chan struct{} // something was written
	urgent chan struct{} // somebody waits

	mu    sync.Mutex
	round chan struct{} // closed when the next sync has ended
}

type failure struct{ err error }

// Open opens the log in cfg.Dir, or makes a new one. It takes the log's own lock, reads the tail again, cuts off
// a record that a crash left half-written (the bytes are kept in a file torn-…), and refuses with
// ErrUnavailable when the log is shorter than, or differs from, its stored checkpoint.
func Open(cfg Config) (*Log, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if err := makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir, cfg.LockWait)
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, lock: lock}
	l.dur.wake = make(chan struct{}, 1)
	l.dur.urgent = make(chan struct{}, 1)
	l.dur.round = make(chan struct{})
	l.tree.due = make(chan struct{}, 1)
	l.done.Go(readyEd25519) // while the files are read
	if err := l.load(); err != nil {
		_ = lock.release()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.done.Go(func() { l.syncLoop(ctx) })
	l.done.Go(func() { l.sequenceLoop(ctx) })
	if cfg.ReopenEvery > 0 {
		l.done.Go(func() { l.reopenLoop(ctx) })
	}
	return l, nil
}

// Close makes all records durable, signs a last checkpoint when there are keys, and lets go of the lock. Calls
// that come later fail with ErrClosed.
func (l *Log) Close() error {
	was := l.Err()
	if errors.Is(was, ErrClosed) {
		return nil
	}
	l.failed.Store(&failure{ErrClosed})
	l.out.mu.Lock() // the last writer is done; those behind it see ErrClosed
	defer l.out.mu.Unlock()
	l.stop()
	l.done.Wait()
	var err error
	if was == nil {
		err = l.settle()
	}
	l.dur.finish()
	if l.out.file != nil {
		err = errors.Join(err, l.out.file.Close())
	}
	return errors.Join(err, l.tree.close(), l.lock.release())
}

// settle brings everything that was written to its last form. The loops have ended.
func (l *Log) settle() error {
	l.out.fileMu.Lock()
	mark := l.out.written.Load()
	err := l.checkFileLocked()
	if err == nil && mark > l.dur.synced.Load() {
		err = datasync(l.out.file)
	}
	l.out.fileMu.Unlock()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	l.dur.synced.Store(mark)
	if err := l.tree.advance(l, mark); err != nil {
		return err
	}
	return l.tree.seal(l, true)
}

// Err is nil while the log takes records, and says why not otherwise.
func (l *Log) Err() error {
	if f := l.failed.Load(); f != nil {
		return f.err
	}
	return nil
}

// down is Err for those who found the files closed.
func (l *Log) down() error {
	if err := l.Err(); err != nil {
		return err
	}
	return ErrUnavailable // between a failure and a Reopen
}

// fail stops the log. The first reason stays.
func (l *Log) fail(err error) {
	err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	if l.failed.CompareAndSwap(nil, &failure{err}) {
		l.cfg.OnError(err)
	}
	l.dur.finish() // let those who wait see it
}

// Size is the count of records handed to the kernel.
func (l *Log) Size() uint64 { return l.out.size.Load() }

// Root makes all records so far durable and returns the tree's hash over them.
func (l *Log) Root() ([32]byte, error) {
	if err := l.catchUp(context.Background()); err != nil {
		return [32]byte{}, err
	}
	_, root, err := l.tree.head(l)
	return [32]byte(root), err
}

// Head is Root together with the count of records that it covers.
func (l *Log) Head(ctx context.Context) (size uint64, root tlog.Hash, err error) {
	if err := l.catchUp(ctx); err != nil {
		return 0, tlog.Hash{}, err
	}
	return l.tree.head(l)
}

func (l *Log) catchUp(ctx context.Context) error {
	if err := l.waitSynced(ctx, l.out.written.Load(), l.gen.Load()); err != nil {
		return err
	}
	return l.tree.advance(l, l.dur.synced.Load())
}

func (l *Log) path(name string) string { return filepath.Join(l.cfg.Dir, name) }
