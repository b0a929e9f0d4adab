package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/audit/segment"
)

// onceEvery is how often a drain of the outbox asks for a sync of its own.
const onceEvery = 50 * time.Millisecond

// keepBuffer is the largest buffer that is kept for later use.
const keepBuffer = 1 << 20

// frames holds *[]byte for encoding outside of the locks. A pool has no state that anybody could observe.
var frames = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// Append hands the event to the kernel before it returns; it becomes durable within SyncInterval, or before the
// return when SyncAlways is set. Concurrent callers share one write.
func (l *Log) Append(ctx context.Context, ev *Event) error {
	end, gen, err := l.enqueue(ev)
	if err != nil {
		return err
	}
	if err := l.flush(end, gen, false); err != nil {
		return err
	}
	if l.cfg.SyncAlways {
		return l.waitSynced(ctx, end, gen)
	}
	return nil
}

// AppendSync is Append of all events, one after the other, durable on return. Concurrent callers share one sync.
func (l *Log) AppendSync(ctx context.Context, evs ...*Event) error {
	var end int64
	var gen uint64
	for _, ev := range evs {
		var err error
		if end, gen, err = l.enqueue(ev); err != nil {
			return err
		}
	}
	if len(evs) == 0 {
		return nil
	}
	if err := l.flush(end, gen, false); err != nil {
		return err
	}
	return l.waitSynced(ctx, end, gen)
}

// AppendOnce appends those records that the log does not hold yet, durable on return. A record is known by its
// ID, also after a crash, as long as it is among the last 100,000 records that had one. It is how the store's
// outbox is drained: again and again, until its rows are gone.
func (l *Log) AppendOnce(ctx context.Context, recs []OutboxRecord) error {
	l.once.mu.Lock() // one drain at a time, so that nobody appends between look and note
	defer l.once.mu.Unlock()
	if err := l.recall(); err != nil {
		return err
	}
	end, gen := l.out.written.Load(), l.gen.Load()
	var fresh []onceKey
	err := func() error {
		for _, r := range recs {
			frames, keys, err := l.once.missing(r)
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				continue
			}
			if end, gen, err = l.add(frames, uint64(len(keys))); err != nil {
				return err
			}
			fresh = append(fresh, keys...)
			l.once.add(keys)
		}
		return nil
	}()
	if len(fresh) > 0 { // also after a bad record: what is known must be written
		err = errors.Join(l.flush(end, gen, true), err)
	}
	if err != nil {
		if l.Err() != nil {
			l.once.remove(fresh)
		}
		return err
	}
	// Also when nothing is new: an earlier call may have been cut off between the write and the sync. The store
	// holds these records durably already, so that a busy drain need not sync more often than this.
	patience := onceEvery - time.Since(time.Unix(0, l.dur.last.Load()))
	return l.waitSyncedPatiently(ctx, end, gen, patience)
}

// enqueue encodes the event and puts it behind what waits to be written.
func (l *Log) enqueue(ev *Event) (end int64, gen uint64, err error) {
	if ev.Time.IsZero() {
		ev.Time = l.cfg.Now()
	}
	b := frames.Get().(*[]byte)
	buf, n := ev.appendFrames((*b)[:0])
	end, gen, err = l.add(buf, uint64(n))
	if cap(buf) <= segment.MaxRecord*2 {
		*b = buf
		frames.Put(b)
	}
	return end, gen, err
}

func (l *Log) add(framed []byte, count uint64) (end int64, gen uint64, err error) {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	if err := l.Err(); err != nil {
		return 0, 0, err
	}
	l.in.buf = append(l.in.buf, framed...)
	l.in.count += count
	l.in.end += int64(len(framed))
	return l.in.end, l.gen.Load(), nil
}

// take empties the intake; put gives the buffer back.
func (in *intake) take() (buf []byte, count uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	buf, count = in.buf, in.count
	in.buf, in.spare, in.count = in.spare[:0], nil, 0
	return buf, count
}

func (in *intake) put(buf []byte) {
	if cap(buf) > keepBuffer {
		return
	}
	in.mu.Lock()
	in.spare = buf[:0]
	in.mu.Unlock()
}

// flush returns when the log has been written up to end: whoever gets the lock first writes for all who wait. A
// lazy caller sees to the sync itself; when others' records went along, their flush finds them written but must
// still start the clock, so that they are durable in time.
func (l *Log) flush(end int64, gen uint64, lazy bool) error {
	if l.out.written.Load() >= end && l.gen.Load() == gen {
		l.startClock(lazy)
		return nil
	}
	runtime.Gosched() // let those who are about to append do so first: one write then serves them all
	if l.out.written.Load() >= end && l.gen.Load() == gen {
		l.startClock(lazy)
		return nil
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if l.gen.Load() != gen {
		return fmt.Errorf("%w: it was reopened before the record was written", ErrUnavailable)
	}
	if l.out.written.Load() >= end {
		l.startClock(lazy)
		return nil
	}
	if err := l.Err(); err != nil {
		return err
	}
	if err := l.writeGroup(); err != nil {
		l.fail(err)
		return l.Err()
	}
	l.startClock(lazy)
	return nil
}

// startClock has the written records synced within SyncInterval. The flag spares all but the first the channel.
func (l *Log) startClock(lazy bool) {
	if !lazy && !l.dur.dirty.Load() && l.dur.dirty.CompareAndSwap(false, true) {
		poke(l.dur.wake)
	}
}

// writeGroup writes all that waits. The caller holds out.mu.
func (l *Log) writeGroup() error {
	if now := time.Now(); now.Sub(l.out.checked) >= l.cfg.SyncInterval {
		if err := l.checkFile(); err != nil {
			return err
		}
		l.out.checked = now
	}
	buf, count := l.in.take()
	at := l.out.written.Load()
	n, err := l.cfg.write(l.out.file, buf)
	if err != nil {
		if n > 0 { // leave no half record behind; should this fail too, the next Open cuts it off
			_ = l.out.file.Truncate(at - l.out.start.Offset)
		}
		return fmt.Errorf("write audit log: %w", err)
	}
	l.out.written.Store(at + int64(len(buf)))
	l.out.size.Add(count)
	l.in.put(buf)
	if at+int64(len(buf))-l.out.start.Offset >= l.cfg.SegmentSize {
		return l.rotate()
	}
	return nil
}

// rotate makes the present segment durable and begins the next one. The caller holds out.mu.
func (l *Log) rotate() error {
	l.out.fileMu.Lock()
	defer l.out.fileMu.Unlock()
	if err := datasync(l.out.file); err != nil {
		return &syncError{err}
	}
	start := segment.Position{Seq: l.out.size.Load(), Offset: l.out.written.Load()}
	f, err := l.openSegment(start)
	if err != nil {
		return err
	}
	_ = l.out.file.Close()
	l.out.file, l.out.start = f, start
	return nil
}

// openSegment opens the segment that begins at start for appending and makes its name durable. One that holds something has
// a durable name: nobody wrote into it before.
func (l *Log) openSegment(start segment.Position) (*os.File, error) {
	f, err := segment.OpenRegular(l.path(start.Name()), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = syncDir(l.cfg.Dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return f, nil
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
