package audit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
)

func searchLog(t testing.TB, n int) (string, *audit.Log) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	unlock(t, l)
	for i := range n {
		e := event(i)
		e.Time = time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC)
		e.What = audit.What{Space: fmt.Sprintf("space-%d", i%3), Path: fmt.Sprintf("key-%d", i%500), UID: fmt.Sprintf("u%d", i%500), Version: uint64(i % 7)}
		e.Who.ID = fmt.Sprintf("actor-%d", i%11)
		e.Values = []string{l.HMAC(fmt.Sprintf("value-%d", i/10))}
		if i%100 == 50 {
			e.Items = []audit.What{{Space: "batch", Path: "x", Version: 1}, {Space: "batch", Path: fmt.Sprint(i), Version: 2}}
		}
		must(t, l.Append(context.Background(), e))
	}
	if _, err := l.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	return dir, l
}

func TestSearchEqualsFullScan(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 1600
	}
	dir, l := searchLog(t, n)
	at := func(i int) time.Time { return time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC) }
	queries := map[string]audit.Query{
		"path":            {Space: "space-1", Path: "key-4"},
		"path, version":   {Space: "space-1", Path: "key-4", Version: 4},
		"path since":      {Space: "space-1", Path: "key-4", Since: at(600)},
		"space":           {Space: "batch"},
		"item":            {Space: "batch", Path: "1250"},
		"item, version 1": {Space: "batch", Path: "1250", Version: 1},
		"actor":           {Actor: "actor-7"},
		"actor by name":   {Actor: "web"},
		"value":           {Value: l.HMAC("value-77")},
		"uid":             {UID: "u499"},
		"time":            {Since: at(300), Until: at(310)},
		"kind":            {Kinds: []audit.Kind{audit.Change}},
		"tail":            {Since: at(n - 10)},
		"nothing":         {Actor: "nobody"},
	}
	var all []audit.Entry
	for e, err := range l.Events(context.Background(), 0) {
		must(t, err)
		all = append(all, e)
	}
	wantSome := 0
	check := func(t *testing.T) {
		for name, q := range queries {
			var want, got []uint64
			for _, e := range all {
				if q.Matches(&e.Event) {
					want = append(want, e.Seq)
				}
			}
			for e, err := range l.Search(context.Background(), q) {
				must(t, err)
				got = append(got, e.Seq)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %d answers, want %d", name, len(got), len(want))
			}
			if len(want) > 0 {
				wantSome++
			}
		}
	}
	index := filepath.Join(dir, "search.idx")
	t.Run("index is made", check)
	if info, err := os.Stat(index); err != nil || info.Size() == 0 {
		t.Fatalf("no index was written: %v", err)
	}
	t.Run("index is used", check)
	edit(t, index, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	t.Run("index is damaged", check)
	edit(t, index, func(b []byte) []byte { return b[:len(b)/3] })
	t.Run("index is cut", check)
	must(t, audit.DropIndex(dir))
	t.Run("index is dropped", check)
	if wantSome < 5*11 {
		t.Fatalf("only %d queries had an answer", wantSome)
	}
}

func TestSearchStops(t *testing.T) {
	_, l := searchLog(t, 600)
	n := 0
	for range l.Search(context.Background(), audit.Query{Actor: "web"}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Fatalf("got %d answers", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range l.Search(ctx, audit.Query{Actor: "web"}) {
		if err == nil {
			t.Fatal("an answer after the context ended")
		}
	}
}

func BenchmarkSearchIndexed(b *testing.B) {
	_, l := searchLog(b, 50_000)
	q := audit.Query{Value: l.HMAC("value-4321")}
	for range l.Search(context.Background(), q) { // makes the index
	}
	n := 0
	for b.Loop() {
		n = 0
		for _, err := range l.Search(context.Background(), q) {
			must(b, err)
			n++
		}
	}
	if n != 10 {
		b.Fatalf("got %d answers, want 10", n)
	}
}
