package custody

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/mem"
)

// What is kept of a folder is what the engine would say, whatever came and went, and its bytes are counted.
func TestListingsFollowEveryChange(t *testing.T) {
	engine := mem.New()
	l := newListings(engine, 16*3000)
	dice := rand.New(rand.NewPCG(1, 2))
	folders := []string{"n//s/", "n//s/a/", "n//s/a/b/", "n//s/c/", "n//s/none/"}
	for i := range 3000 {
		op := store.Op{Key: folders[dice.IntN(len(folders)-1)] + fmt.Sprint(dice.IntN(12)), Delete: dice.IntN(2) == 0}
		if dice.IntN(10) == 0 {
			op.Key = fmt.Sprintf("h//%d", i)
		}
		if !op.Delete {
			op.Value = []byte("x")
		}
		if _, err := l.Apply(t.Context(), []store.Op{op}); err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			if got, want := ask(t, l, f), straight(t, engine, f); !slices.Equal(got, want) {
				t.Fatalf("after %+v: %s holds %q, kept is %q", op, f, want, got)
			}
		}
	}
	kept := 0
	for i := range l.shards {
		s := &l.shards[i]
		sum := int64(0)
		for _, k := range s.lru.Keys() {
			x, _ := s.lru.Peek(k)
			sum += x.size(k)
			kept++
		}
		if s.bytes != sum || sum > s.max {
			t.Errorf("shard %d counts %d bytes, holds %d, may hold %d", i, s.bytes, sum, s.max)
		}
	}
	if kept == 0 {
		t.Error("nothing is kept")
	}
	l.clear()
	for i := range l.shards {
		if l.shards[i].bytes != 0 || l.shards[i].lru.Len() != 0 {
			t.Errorf("shard %d is not empty", i)
		}
	}
}

func ask(t *testing.T, l *listings, folder string) []string {
	t.Helper()
	names, err := l.names(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func straight(t *testing.T, e store.Engine, folder string) []string {
	t.Helper()
	entries, _, err := e.List(t.Context(), store.Query{Prefix: folder, KeysOnly: true, OneLevel: true})
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimPrefix(e.Key, folder)
	}
	return names
}

// overtaken does something between the moment a list is read and the moment it is answered.
type overtaken struct {
	store.Engine
	meanwhile func()
}

func (o *overtaken) List(ctx context.Context, q store.Query) ([]store.Entry, store.Revision, error) {
	entries, rev, err := o.Engine.List(ctx, q)
	if f := o.meanwhile; f != nil {
		o.meanwhile = nil
		f()
	}
	return entries, rev, err
}

// A list that was read before a name came is not kept after.
func TestListingOvertakenByAWrite(t *testing.T) {
	engine := mem.New()
	slow := &overtaken{Engine: engine}
	l := newListings(slow, 1<<20)
	slow.meanwhile = func() {
		if _, err := l.Apply(t.Context(), []store.Op{{Key: "n//s/new", Value: []byte("x")}}); err != nil {
			t.Error(err)
		}
	}
	if got := ask(t, l, "n//s/"); len(got) != 0 {
		t.Fatalf("the list was read before the write: got %q", got)
	}
	if got := ask(t, l, "n//s/"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("after the write: got %q", got)
	}
}
