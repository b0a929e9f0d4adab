package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

func one(key, value string) []store.Op { return []store.Op{{Key: key, Value: []byte(value)}} }

func mustApply(t testing.TB, e *bolt.Engine, ops ...store.Op) store.Revision {
	t.Helper()
	rev, err := e.Apply(context.Background(), ops)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func valueOf(t *testing.T, e *bolt.Engine, key string) string {
	t.Helper()
	entries, _, err := e.Get(t.Context(), 0, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(entries[0].Value)
}

// TestDiskFull: at whichever write of a commit the disk is full, nothing has changed, reads go on, and with room again so do writes.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	e := open(t, path, bolt.Options{})
	mustApply(t, e, one("a", "before")...)
	left := -1
	bolt.HookWrites(e, func(next bolt.WriteAt) bolt.WriteAt {
		return func(p []byte, off int64) (int, error) {
			if left == 0 {
				n, _ := next(p[:40], off) // a part of it still fits
				return n, bolt.DiskFull()
			}
			left--
			return next(p, off)
		}
	})
	failures := 0
	for writes := range 10 {
		left = writes
		_, err := e.Apply(t.Context(), one("a", "after"))
		if err == nil {
			break
		}
		failures++
		if !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrUnknown) {
			t.Fatalf("full at write %d: got %v", writes, err)
		}
		if got := valueOf(t, e, "a"); got != "before" {
			t.Fatalf("full at write %d: a is %q", writes, got)
		}
		left = -1
		mustApply(t, e, one(fmt.Sprint("room again ", writes), "x")...)
		if err := e.Check(t.Context()); err != nil {
			t.Fatalf("full at write %d: %v", writes, err)
		}
	}
	if failures < 3 || failures == 10 {
		t.Fatalf("%d writes failed, want each of one commit's", failures)
	}
	left = -1
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, path, bolt.Options{})
	if got := valueOf(t, e, "a"); got != "after" {
		t.Errorf("after opening again: a is %q", got)
	}
}

func TestMaxBytes(t *testing.T) {
	e := open(t, filepath.Join(t.TempDir(), "store.db"), bolt.Options{MaxBytes: 2 << 20})
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = e.Apply(t.Context(), one(fmt.Sprint("k", n), strings.Repeat("x", 100_000)))
	}
	if !errors.Is(err, store.ErrFull) || n < 5 {
		t.Fatalf("after %d values: got %v", n, err)
	}
	if got := valueOf(t, e, "k0"); len(got) != 100_000 {
		t.Errorf("k0 has %d bytes", len(got))
	}
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSyncFails: after a failed sync nothing more is served, and the error says whether the outcome is known.
func TestSyncFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		meta    bool // at the sync of the meta page, else at the one before
		want    error
		notWant error
	}{
		{"before the meta page", false, store.ErrStopped, store.ErrUnknown},
		{"of the meta page", true, store.ErrUnknown, store.ErrFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			e := open(t, path, bolt.Options{})
			mustApply(t, e, one("a", "1")...)
			writes, failAt := 0, -1
			page := bolt.PageSize(e)
			bolt.HookWrites(e, func(next bolt.WriteAt) bolt.WriteAt {
				return func(p []byte, off int64) (int, error) {
					n, err := next(p, off)
					writes++
					if writes == failAt || (failAt >= 0 && c.meta && off < 2*page) {
						bolt.CloseFile(e) // what comes next is the sync
					}
					return n, err
				}
			})
			mustApply(t, e, one("a", "2")...)
			failAt = 2*writes - 1 // the same commit again: its last data page
			if c.meta {
				failAt = 1000
			}
			_, err := e.Apply(t.Context(), one("a", "3"))
			if !errors.Is(err, c.want) || errors.Is(err, c.notWant) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for what, call := range map[string]func() error{
				"apply": func() error { _, err := e.Apply(t.Context(), one("a", "4")); return err },
				"get":   func() error { _, _, err := e.Get(t.Context(), 0, "a"); return err },
				"list":  func() error { _, _, err := e.List(t.Context(), store.Query{}); return err },
				"watch": func() (err error) {
					for _, err = range e.Watch(t.Context(), 1) {
						break
					}
					return err
				},
			} {
				if err := call(); !errors.Is(err, store.ErrStopped) {
					t.Errorf("%s afterwards: got %v", what, err)
				}
			}
			_ = e.Close()
			e = open(t, path, bolt.Options{})
			want := "2"
			if c.meta {
				want = "3" // the system survived, so what it held for the disk did
			}
			if got := valueOf(t, e, "a"); got != want {
				t.Errorf("after opening again: a is %q, want %q", got, want)
			}
		})
	}
}

// TestUnsettled: what a sync has not yet confirmed is not answered.
func TestUnsettled(t *testing.T) {
	e := open(t, filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
	mustApply(t, e, one("a", "1")...)
	settle := bolt.Unsettle(e)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := e.Get(ctx, 0, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("before the sync: got %v", err)
	}
	got := make(chan error)
	go func() {
		_, _, err := e.Get(t.Context(), 0, "a")
		got <- err
	}()
	time.Sleep(10 * time.Millisecond)
	settle()
	if err := <-got; err != nil {
		t.Fatalf("after the sync: %v", err)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	e := open(t, path, bolt.Options{Command: "keephold test"})
	began := time.Now()
	_, err := bolt.Open(path, bolt.Options{LockTimeout: 150 * time.Millisecond})
	var held *store.LockedError
	if !errors.As(err, &held) || held.PID != os.Getpid() || held.Command != "keephold test" || held.Path != path {
		t.Errorf("got %v, want this process named", err)
	}
	if waited := time.Since(began); waited < 100*time.Millisecond {
		t.Errorf("waited only %v", waited)
	}
	if err := os.WriteFile(path+".holder", []byte(`{"pid":1073741824,"command":"long gone"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = bolt.Open(path, bolt.Options{LockTimeout: -1})
	if !errors.As(err, &held) || held.PID != 0 {
		t.Errorf("stale holder: got %v, want nobody named", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".holder"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the holder file is still there: %v", err)
	}
	waits := open(t, path, bolt.Options{})
	time.AfterFunc(100*time.Millisecond, func() { _ = waits.Close() })
	open(t, path, bolt.Options{LockTimeout: 2 * time.Minute}) // gets it when the other lets go
}

// TestReplaced: who waited for the lock of a file that was replaced opens the new one.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "store.db"), filepath.Join(dir, "other.db")
	e := open(t, path, bolt.Options{})
	mustApply(t, e, one("a", "old")...)
	if _, err := e.Compact(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	o := open(t, other, bolt.Options{})
	mustApply(t, o, one("a", "new")...)
	_ = o.Close()
	time.AfterFunc(100*time.Millisecond, func() {
		_ = os.Rename(other, path)
		_ = e.Close()
	})
	if got := valueOf(t, open(t, path, bolt.Options{LockTimeout: 2 * time.Minute}), "a"); got != "new" {
		t.Errorf("a is %q", got)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	if _, err := bolt.Open(path, bolt.Options{ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	e := open(t, path, bolt.Options{})
	mustApply(t, e, one("a", "1")...)
	_ = e.Close()
	first := open(t, path, bolt.Options{ReadOnly: true})
	second := open(t, path, bolt.Options{ReadOnly: true, LockTimeout: -1})
	for _, e := range []*bolt.Engine{first, second} {
		if got := valueOf(t, e, "a"); got != "1" {
			t.Errorf("a is %q", got)
		}
		if _, err := e.Apply(t.Context(), one("a", "2")); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("apply: got %v", err)
		}
		if err := e.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := bolt.Open(path, bolt.Options{LockTimeout: -1}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a writer beside readers: got %v", err)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		name             string
		reader, writer   uint32
		opens, opensRead bool
	}{
		{"of today", store.Format, store.Format, true, true},
		{"newer to write", store.Format, store.Format + 1, false, true},
		{"newer to read", store.Format + 1, store.Format + 1, false, false},
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		bolt.Make(t, path, store.Header{Installation: "here", MinReader: c.reader, MinWriter: c.writer})
		before, _ := os.ReadFile(path)
		for _, readOnly := range []bool{false, true} {
			e, err := bolt.Open(path, bolt.Options{ReadOnly: readOnly, Installation: "not used"})
			want := c.opens
			if readOnly {
				want = c.opensRead
			}
			var format *store.FormatError
			switch {
			case want && err == nil:
				if h, err := e.Header(t.Context()); err != nil || h.Installation != "here" {
					t.Errorf("%s: header %+v, %v", c.name, h, err)
				}
				_ = e.Close()
			case want || !errors.As(err, &format) || !errors.Is(err, store.ErrFormat) || format.Know != store.Format:
				t.Errorf("%s, read only %v: got %v", c.name, readOnly, err)
			}
		}
		if after, _ := os.ReadFile(path); !slices.Equal(before, after) {
			t.Errorf("%s: opening changed the file", c.name)
		}
	}
}

func TestInterruptedLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	e := open(t, path, bolt.Options{})
	broken := errors.New("broken")
	err := e.Load(t.Context(), 9, func(yield func(store.Entry, error) bool) {
		for i := range 20 {
			if !yield(store.Entry{Key: fmt.Sprintf("k%02d", i), Value: make([]byte, store.MaxValue), Rev: 9}, nil) {
				return
			}
		}
		yield(store.Entry{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := e.Get(t.Context(), 0, "k00"); !errors.Is(err, store.ErrStopped) {
		t.Errorf("get afterwards: %v", err)
	}
	_ = e.Close()
	if _, err := bolt.Open(path, bolt.Options{}); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("opening what is left: %v", err)
	}
}

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	e := open(t, filepath.Join(dir, "store.db"), bolt.Options{Installation: "one"})
	for i := range 40 {
		mustApply(t, e, one(fmt.Sprint("big", i%5), strings.Repeat("x", 300_000))...)
	}
	copied := filepath.Join(dir, "copy.db")
	at, err := e.Compact(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Compact(t.Context(), copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a file that is there: got %v", err)
	}
	c := open(t, copied, bolt.Options{})
	a, rev1, _ := e.List(t.Context(), store.Query{})
	b, rev2, _ := c.List(t.Context(), store.Query{})
	same := func(x, y store.Entry) bool {
		return x.Key == y.Key && x.Rev == y.Rev && string(x.Value) == string(y.Value)
	}
	if !slices.EqualFunc(a, b, same) || rev1 != rev2 || at != rev1 {
		t.Errorf("the copy stands at %d with %d keys, the store at %d with %d", rev2, len(b), rev1, len(a))
	}
	if h, err := c.Header(t.Context()); err != nil || h.Installation != "one" {
		t.Errorf("header: %+v, %v", h, err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if was, is := bolt.FileSize(e), bolt.FileSize(c); is > was*2/3 {
		t.Errorf("compacted from %d to %d bytes", was, is)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.new-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestPanicWhileWriting: a panic below, as bbolt answers damaged pages with, stops the engine; it does not hang, and the file
// can be opened again at once.
func TestPanicWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	e := open(t, path, bolt.Options{})
	mustApply(t, e, one("a", "1")...)
	bolt.HookWrites(e, func(bolt.WriteAt) bolt.WriteAt {
		return func([]byte, int64) (int, error) { panic("damaged") }
	})
	if _, err := e.Apply(t.Context(), one("a", "2")); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("apply: got %v", err)
	}
	if _, _, err := e.Get(t.Context(), 0, "a"); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("get afterwards: got %v", err)
	}
	closed := make(chan error)
	go func() { closed <- e.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("close: %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("close hangs")
	}
	if got := valueOf(t, open(t, path, bolt.Options{LockTimeout: -1}), "a"); got != "1" {
		t.Errorf("a is %q", got)
	}
}

// TestCloseUnderLoad: what was acknowledged while the engine closed is there afterwards, what was refused is not.
func TestCloseUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	e := open(t, path, bolt.Options{})
	var mu sync.Mutex
	acked := map[string]bool{}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprint(w, "/", i)
				_, err := e.Apply(context.Background(), one(key, "x"))
				mu.Lock()
				acked[key] = err == nil
				mu.Unlock()
				if err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("%s: %v", key, err)
					}
					return
				}
			}
		})
	}
	writes := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	for until := time.Now().Add(2 * time.Minute); writes() < 64 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	e = open(t, path, bolt.Options{})
	for key, want := range acked {
		entries, _, err := e.Get(t.Context(), 0, key)
		if err != nil || (entries[0].Rev != 0) != want {
			t.Errorf("%s: acknowledged %v, found revision %d, %v", key, want, entries[0].Rev, err)
		}
	}
	if len(acked) < 64 {
		t.Errorf("only %d writes", len(acked))
	}
}
