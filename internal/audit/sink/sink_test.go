package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/audit/sink"
)

type sinkFunc func(ctx context.Context, records []audit.Record) error

func (f sinkFunc) Append(ctx context.Context, records []audit.Record) error { return f(ctx, records) }

func openLog(t *testing.T) (*audit.Log, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := audit.Open(audit.Config{Dir: dir, Origin: "node", SyncInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, dir
}

func fill(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.Append(context.Background(), &audit.Event{Kind: audit.Read, Action: fmt.Sprintf("act-%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// run starts a feed and stops it at the end of the test; Run must return then, whatever the sink does.
func run(t *testing.T, f *sink.Feed) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case <-done:
			case <-time.After(2 * time.Minute):
				t.Error("the feed did not stop")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timed out: %s", what)
		}
	}
}

// A sink that hangs for ever, and ignores its context, must not stall anybody.
func TestHangingSinkStallsNobody(t *testing.T) {
	l, dir := openLog(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	called := make(chan struct{}, 1)
	f := &sink.Feed{Log: l, Cursor: sink.CursorFile(dir, "hang"), Timeout: time.Millisecond, Sink: sinkFunc(
		func(context.Context, []audit.Record) error { called <- struct{}{}; <-hang; return nil })}
	stop := run(t, f)
	fill(t, l, 1)
	<-called
	done := make(chan struct{})
	go func() {
		defer close(done)
		fill(t, l, 5000)
		if err := l.AppendSync(context.Background(), &audit.Event{Kind: audit.Refusal}); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("appends wait for a sink that hangs")
	}
	if l.Size() != 5002 || f.Sent() != 0 {
		t.Fatalf("log holds %d records, sink took %d; want 5002 and 0", l.Size(), f.Sent())
	}
	stop()
}

func TestFeedGoesOnFromItsCursor(t *testing.T) {
	l, dir := openLog(t)
	cursor := sink.CursorFile(dir, "col-lector")
	var mu sync.Mutex
	var got []uint64
	fail := 3
	mk := func() *sink.Feed {
		return &sink.Feed{Log: l, Cursor: cursor, Batch: 10, Retry: func(int) time.Duration { return time.Millisecond },
			Sink: sinkFunc(func(_ context.Context, rs []audit.Record) error {
				mu.Lock()
				defer mu.Unlock()
				if len(got) >= 50 && fail > 0 {
					fail--
					return errors.New("not now")
				}
				for _, r := range rs {
					if _, err := audit.DecodeEvent(r.Data); err != nil {
						t.Error(err)
					}
					got = append(got, r.Seq)
				}
				return nil
			})}
	}
	f := mk()
	stop := run(t, f)
	fill(t, l, 100)
	eventually(t, "100 records", func() bool { return f.Sent() == 100 })
	stop()
	fill(t, l, 100)
	f = mk()
	stop = run(t, f)
	eventually(t, "200 records", func() bool { return f.Sent() == 200 })
	stop()
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 200 || fail != 0 {
		t.Fatalf("got %d records, %d failures left", len(got), fail)
	}
	for i, seq := range got {
		if seq != uint64(i) {
			t.Fatalf("record %d: got number %d", i, seq)
		}
	}
	if b, err := os.ReadFile(cursor); err != nil || !bytes.Equal(b, []byte("200\n")) {
		t.Fatalf("cursor: %q, %v", b, err)
	}
}

func TestBrokenCursorIsRefused(t *testing.T) {
	l, dir := openLog(t)
	cursor := sink.CursorFile(dir, "x/../y")
	if filepath.Dir(cursor) != dir {
		t.Fatalf("cursor left the directory: %s", cursor)
	}
	if err := os.WriteFile(cursor, []byte("many"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &sink.Feed{Log: l, Cursor: cursor, Sink: sinkFunc(nil)}
	if err := f.Run(context.Background()); err == nil {
		t.Fatal("a cursor without a number was accepted")
	}
}
