package audit_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
)

func testKeys(b byte) audit.Keys {
	key := []byte{b}
	return audit.Keys{
		SigningSeed: []byte(strings.Repeat(string(rune(b)), 32)),
		HMAC: func(m []byte) [32]byte {
			h := hmac.New(sha256.New, key)
			h.Write(m)
			return [32]byte(h.Sum(nil))
		},
	}
}

func config(dir string) audit.Config {
	return audit.Config{Dir: dir, Origin: "node.test/a", SyncInterval: 2 * time.Millisecond, LockWait: 50 * time.Millisecond, ReopenEvery: -1}
}

func open(t testing.TB, cfg audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func unlock(t testing.TB, l *audit.Log) {
	t.Helper()
	if err := l.Unlock(testKeys('k')); err != nil {
		t.Fatal(err)
	}
}

func event(i int) *audit.Event {
	return &audit.Event{
		Kind: audit.Read, Action: "read", Time: time.Date(2026, 1, 2, 3, 4, 5, 600_000_000+i, time.UTC),
		Who:      audit.Who{ID: "id-7f3a", Name: "web", Method: "approle", Policies: []string{"default", "web-read"}},
		From:     audit.From{Addr: "10.0.3.17:51514", RequestID: "b6d2a9a2-7d20-4a53-9d6b-0f1f3f1a2b3c", Dialect: "vault"},
		What:     audit.What{Space: "secret", Path: fmt.Sprintf("shop/prod/key-%d", i), UID: "u_0123456789abcdef", Version: 3, Capability: "read"},
		Decision: audit.Decision{Allowed: true, Rule: "web-read:3"},
	}
}

func appendN(t testing.TB, l *audit.Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := l.Append(context.Background(), event(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t testing.TB, l *audit.Log, from uint64) int {
	t.Helper()
	n := 0
	for e, err := range l.Events(context.Background(), from) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != from+uint64(n) {
			t.Fatalf("record %d: got number %d", from+uint64(n), e.Seq)
		}
		n++
	}
	return n
}

func TestAppendAndReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := config(dir)
	cfg.SegmentSize = 64 << 10 // several segments
	l := open(t, cfg)
	unlock(t, l)
	appendN(t, l, 0, 1000)
	if got := count(t, l, 0); got != 1000 {
		t.Fatalf("got %d records, want 1000", got)
	}
	root, err := l.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(context.Background(), event(1)); !errors.Is(err, audit.ErrClosed) {
		t.Fatalf("append after close: got %v, want ErrClosed", err)
	}
	l = open(t, cfg)
	again, err := l.Root()
	if err != nil || again != root {
		t.Fatalf("root after reopen: got %x %v, want %x", again, err, root)
	}
	appendN(t, l, 1000, 1700)
	for _, from := range []uint64{0, 1, 255, 256, 257, 999, 1000, 1699, 1700} {
		if got := count(t, l, from); got != 1700-int(from) {
			t.Errorf("from %d: got %d records, want %d", from, got, 1700-int(from))
		}
	}
	for e, err := range l.Events(context.Background(), 1234) {
		if err != nil || e.Event.What.Path != "shop/prod/key-1234" {
			t.Fatalf("record 1234: got %+v, %v", e, err)
		}
		break
	}
}

// The derived files are a convenience: a log without them opens, with the same root.
func TestDerivedFilesAreRebuilt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	appendN(t, l, 0, 777)
	root, err := l.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"head", "hash.0", "hash.1", "bundle.idx", "once.idx"} {
		t.Run(name, func(t *testing.T) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			l := open(t, config(dir))
			got, err := l.Root()
			if err != nil || got != root {
				t.Fatalf("got %x %v, want %x", got, err, root)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestConcurrentAppendersLoseNothing(t *testing.T) {
	l := open(t, config(filepath.Join(t.TempDir(), "audit")))
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 50 {
				var err error
				if i%10 == 0 {
					err = l.AppendSync(context.Background(), event(g*100+i))
				} else {
					err = l.Append(context.Background(), event(g*100+i))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for e, err := range l.Events(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Event.What.Path] = true
	}
	if len(seen) != 800 || l.Size() != 800 {
		t.Fatalf("got %d records, size %d, want 800", len(seen), l.Size())
	}
}

func TestAppendOnceIsIdempotent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	var recs []audit.OutboxRecord
	for i := range 40 {
		e := event(i)
		e.Kind, e.ID = audit.Change, fmt.Sprintf("r-%04d", i)
		if i == 39 { // does not fit into one record
			for j := range 1000 {
				e.Items = append(e.Items, audit.What{Path: strings.Repeat("p", 200), UID: fmt.Sprint(j)})
			}
		}
		recs = append(recs, audit.OutboxRecord{ID: e.ID, Data: e.AppendJSON(nil)})
	}
	l := open(t, config(dir))
	if err := l.AppendOnce(context.Background(), recs[:25]); err != nil {
		t.Fatal(err)
	}
	if err := l.AppendOnce(context.Background(), recs[10:40]); err != nil {
		t.Fatal(err)
	}
	size := l.Size()
	if size < 42 {
		t.Fatalf("got %d records, want 39 and at least 3 parts", size)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, lose := range []string{"", "once.idx", "head"} {
		if lose != "" {
			if err := os.Remove(filepath.Join(dir, lose)); err != nil {
				t.Fatal(err)
			}
		}
		l = open(t, config(dir))
		if err := l.AppendOnce(context.Background(), recs); err != nil {
			t.Fatal(err)
		}
		if l.Size() != size {
			t.Fatalf("without %q: got %d records, want %d", lose, l.Size(), size)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	items := 0
	for e, err := range audit.Events(context.Background(), dir, 39) {
		if err != nil {
			t.Fatal(err)
		}
		items += len(e.Event.Items)
	}
	if items != 1000 {
		t.Fatalf("got %d items over all parts, want 1000", items)
	}
	if err := open(t, config(dir)).AppendOnce(context.Background(), []audit.OutboxRecord{{ID: "x", Data: recs[0].Data}}); err == nil {
		t.Fatal("a record under another id was accepted")
	}
}

func TestLogIsHeldByOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	_, err := audit.Open(config(dir))
	if !errors.Is(err, audit.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("got %v, want ErrInUse naming process %d", err, os.Getpid())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, config(dir))
}

func TestSealedLogHasNoKeyedFields(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	if got := l.HMAC("s3cret"); got != "" {
		t.Fatalf("HMAC while sealed: got %q", got)
	}
	if _, err := l.Checkpoint(context.Background()); !errors.Is(err, audit.ErrLocked) {
		t.Fatalf("checkpoint while sealed: got %v", err)
	}
	appendN(t, l, 0, 3)
	unlock(t, l)
	if got := l.HMAC("s3cret"); !strings.HasPrefix(got, "hmac-sha256:") || len(got) != 76 {
		t.Fatalf("HMAC: got %q", got)
	}
	cp, err := l.Checkpoint(context.Background())
	if err != nil || !strings.HasPrefix(string(cp), "node.test/a\n3\n") {
		t.Fatalf("checkpoint: got %q, %v", cp, err)
	}
	if err := l.Lock(); err != nil {
		t.Fatal(err)
	}
	appendN(t, l, 3, 5)
	unlock(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil || !strings.HasPrefix(string(b), "node.test/a\n5\n") {
		t.Fatalf("checkpoint after close: got %q, %v", b, err)
	}
}
