package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/audit/segment"
)

// syncError marks a failed fsync. The kernel may have dropped the pages that it could not write, so reading the
// file again would show records that are not on the disk: the log stays down until the process starts anew.
type syncError struct{ err error }

func (e *syncError) Error() string { return "sync audit log: " + e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

// syncLoop makes written records durable, SyncInterval after the first of them or as soon as somebody waits.
func (l *Log) syncLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.dur.wake:
		case <-l.dur.urgent:
			poke(l.dur.urgent)
		}
		timer.Reset(l.cfg.SyncInterval)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.dur.urgent:
		}
		if l.Err() == nil {
			_ = l.syncOnce() // a failure is kept in l.failed
		}
	}
}

// syncOnce makes durable what is written at present and lets those go who waited for it.
func (l *Log) syncOnce() error {
	l.dur.dirty.Store(false)
	l.out.fileMu.Lock()
	mark := l.out.written.Load()
	err := l.checkFileLocked()
	if err == nil && mark > l.dur.synced.Load() {
		if e := datasync(l.out.file); e != nil {
			err = &syncError{e}
		}
	}
	l.out.fileMu.Unlock()
	if err != nil {
		l.fail(err)
		return l.Err()
	}
	if mark > l.dur.synced.Load() {
		l.dur.synced.Store(mark)
	}
	l.dur.last.Store(time.Now().UnixNano())
	l.dur.finish()
	poke(l.tree.due)
	return nil
}

// finish ends a round: all who wait look again.
func (d *durability) finish() {
	d.mu.Lock()
	close(d.round)
	d.round = make(chan struct{})
	d.mu.Unlock()
}

func (d *durability) next() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.round
}

// waitSynced returns when the log is durable up to end.
func (l *Log) waitSynced(ctx context.Context, end int64, gen uint64) error {
	return l.waitSyncedPatiently(ctx, end, gen, 0)
}

// waitSyncedPatiently leaves it to others for a while to ask for the sync.
func (l *Log) waitSyncedPatiently(ctx context.Context, end int64, gen uint64, patience time.Duration) error {
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	for {
		round := l.dur.next()
		if l.gen.Load() != gen {
			return fmt.Errorf("%w: it was reopened before the record was durable", ErrUnavailable)
		}
		if l.dur.synced.Load() >= end {
			return nil
		}
		if err := l.Err(); err != nil {
			return err
		}
		if late == nil {
			poke(l.dur.urgent)
		}
		select {
		case <-round:
		case <-late:
			late = nil
		case <-ctx.Done():
			return fmt.Errorf("audit log: wait for durability: %w", ctx.Err())
		}
	}
}

// checkFile reports an error when the segment was removed, replaced or cut while it is open. The caller holds
// out.mu, so the size cannot change. While a sync is under way it does nothing: the sync began with the same look, and
// whoever appends must not wait for the disk.
func (l *Log) checkFile() error {
	if !l.out.fileMu.TryLock() {
		return nil
	}
	defer l.out.fileMu.Unlock()
	return l.checkFileLocked()
}

func (l *Log) checkFileLocked() error {
	want := l.out.written.Load() - l.out.start.Offset
	name := l.out.start.Name()
	info, err := l.out.file.Stat()
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if info.Size() < want {
		return fmt.Errorf("%w: %s holds %d bytes, %d were written", ErrTruncated, name, info.Size(), want)
	}
	if err := segment.SameFile(l.out.file, l.path(name)); err != nil {
		return fmt.Errorf("audit log %s was removed or replaced: %w", l.path(name), err)
	}
	return nil
}

// Reopen tries to bring a log back that has become unavailable: the disk has room again, the file was put back.
// It reads the tail as Open does, and refuses a log that lost records which this process knows to have been
// durable. After a failed fsync only a new process can open the log.
func (l *Log) Reopen() error {
	l.once.mu.Lock() // taken before out.mu, as AppendOnce does
	defer l.once.mu.Unlock()
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return l.reopenLocked()
}

// reopenLoop lets a log come back by itself when its cause has gone away.
func (l *Log) reopenLoop(ctx context.Context) {
	ticker := time.NewTicker(l.cfg.ReopenEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if l.Err() == nil || !l.once.mu.TryLock() {
			continue
		}
		if l.out.mu.TryLock() { // Close holds it while it waits for this loop
			_ = l.reopenLocked() // why it still fails is what Err says already
			l.out.mu.Unlock()
		}
		l.once.mu.Unlock()
	}
}

func (l *Log) reopenLocked() error {
	err := l.Err()
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrClosed) {
		return err
	}
	var fatal *syncError
	if errors.As(err, &fatal) {
		return err
	}
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	l.out.fileMu.Lock()
	defer l.out.fileMu.Unlock()
	l.tree.mu.Lock()
	defer l.tree.mu.Unlock()
	if l.out.file != nil {
		_ = l.out.file.Close()
	}
	if t := l.tree.tree; t != nil {
		l.tree.known = checkpoint{size: t.Size(), root: t.Root()}
	}
	_ = l.tree.closeLocked()
	if err := l.lock.renew(l.cfg.Dir); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := l.load(); err != nil {
		return err
	}
	l.gen.Add(1)
	l.failed.Store(nil)
	l.dur.finish()
	return nil
}
