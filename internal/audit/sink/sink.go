// Package sink feeds an audit log to a place elsewhere, from a durable cursor.
//
// The log on this machine is the truth and never waits for a sink: a sink that is slow, broken, or hangs for ever
// only falls behind, and goes on from its cursor when it is well again, also after a restart.
package sink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/audit/segment"
)

// Feed moves records from a log to one sink.
type Feed struct {
	Log     *audit.Log
	Sink    audit.Sink
	Cursor  string                    // file that holds the number of the next record; its directory exists
	Batch   int                       // most records of one call; default 256
	Timeout time.Duration             // of one call; default 30 s
	Retry   func(n int) time.Duration // pause after the nth failure in a row; default 0.1 s doubling to 1 min
	OnError func(error)               // told of each failure; may be nil

	sent atomic.Uint64
}

// Sent is the number of the next record, for a gauge of how far the sink is behind.
func (f *Feed) Sent() uint64 { return f.sent.Load() }

// Run feeds until ctx ends or the log is closed. A sink that ignores its context is left behind then.
func (f *Feed) Run(ctx context.Context) error {
	next, err := readCursor(f.Cursor)
	if err != nil {
		return err
	}
	f.sent.Store(next)
	follower := f.Log.Follow(next)
	defer follower.Close()
	for failures := 0; ; {
		records, err := follower.Next(ctx, f.batch())
		if ctx.Err() != nil || errors.Is(err, audit.ErrClosed) {
			return ctx.Err()
		}
		for err == nil && len(records) > 0 {
			if err = f.deliver(ctx, records); err == nil {
				failures = 0
				break
			}
			failures++
			if !f.pause(ctx, failures, err) {
				return ctx.Err()
			}
			err = nil // the same records again
		}
		if err != nil { // the log could not be read; it tells its own caller why
			failures++
			if !f.pause(ctx, failures, err) {
				return ctx.Err()
			}
		}
	}
}

func (f *Feed) batch() int {
	if f.Batch > 0 {
		return f.Batch
	}
	return 256
}

// deliver hands records over and moves the cursor.
func (f *Feed) deliver(ctx context.Context, records []audit.Record) error {
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	call, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan error, 1) // a sink that never returns leaves its goroutine here, and is not called again
	go func() { done <- f.Sink.Append(call, records) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("audit sink: %w", err)
	}
	next := records[len(records)-1].Seq + 1
	if err := segment.ReplaceFile(f.Cursor, []byte(strconv.FormatUint(next, 10)+"\n")); err != nil {
		return fmt.Errorf("audit sink: write cursor: %w", err)
	}
	f.sent.Store(next)
	return nil
}

func (f *Feed) pause(ctx context.Context, n int, err error) bool {
	if f.OnError != nil {
		f.OnError(err)
	}
	wait := min(100*time.Millisecond<<min(n-1, 10), time.Minute)
	if f.Retry != nil {
		wait = f.Retry(n)
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// CursorFile is where the cursor of the sink called name is kept beside the log in dir.
func CursorFile(dir, name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, name)
	return filepath.Join(dir, "cursor-"+clean)
}

func readCursor(name string) (uint64, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("audit sink: read cursor: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("audit sink: cursor %s holds no number; remove it to send everything again", filepath.Base(name))
	}
	return n, nil
}
