package offline_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/offline"
	"github.com/keephold/keephold/internal/seal"
)

// bench is a Store with a clock and a key at hand.
type bench struct {
	*offline.Store
	dir string
	now time.Time
	key []byte
	err error // of the key
}

func newBench(t *testing.T) *bench {
	b := &bench{dir: t.TempDir(), now: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC), key: seal.NewKey()}
	b.reopen()
	return b
}

func (b *bench) reopen() {
	b.Store = offline.New(offline.Config{
		Leases: filepath.Join(b.dir, "leases"), Reads: filepath.Join(b.dir, "reads"), Now: func() time.Time { return b.now },
		Key: func(_ context.Context, kind string) (seal.Wrapper, string, error) {
			if b.err != nil {
				return nil, "", b.err
			}
			w, err := seal.NewKeyWrap(b.key, "test")
			return w, "test", err
		},
	})
}

var shop = offline.Place{Addr: "https://keep.example", Space: "shop/dev"}

func (b *bench) lease() offline.Lease {
	return offline.Lease{Values: map[string]string{"A": "hunter2"}, Versions: map[string]uint64{"A": 3}, Fetched: b.now, Ends: b.now.Add(24 * time.Hour)}
}

func TestLease(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	if _, err := b.Find(ctx, shop, 0); !errors.Is(err, offline.ErrNone) {
		t.Errorf("of an empty store: %v", err)
	}
	want := b.lease()
	if err := b.Keep(ctx, shop, want); err != nil {
		t.Fatal(err)
	}
	b.reopen() // another process
	b.now = b.now.Add(time.Hour)
	if got, err := b.Find(ctx, shop, 2*time.Hour); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := b.Find(ctx, shop, time.Minute); !errors.Is(err, offline.ErrOver) {
		t.Errorf("older than allowed: %v", err)
	}
	for _, other := range []offline.Place{
		{Addr: "https://other.example", Space: "shop/dev"}, {Addr: shop.Addr, Space: "shop/prod"}, {Addr: shop.Addr, Namespace: "team", Space: "shop/dev"},
	} {
		if _, err := b.Find(ctx, other, 0); !errors.Is(err, offline.ErrNone) {
			t.Errorf("%+v: %v", other, err)
		}
	}
	if err := b.Drop(shop); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Find(ctx, shop, 0); !errors.Is(err, offline.ErrNone) {
		t.Errorf("after a drop: %v", err)
	}
}

func TestLeaseEnds(t *testing.T) {
	for name, later := range map[string]time.Duration{"its time is over": 24 * time.Hour, "the clock went back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			b, ctx := newBench(t), t.Context()
			if err := b.Keep(ctx, shop, b.lease()); err != nil {
				t.Fatal(err)
			}
			b.now = b.now.Add(later)
			if _, err := b.Find(ctx, shop, 0); !errors.Is(err, offline.ErrOver) {
				t.Errorf("got %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(b.dir, "leases", "*.lease")); len(left) > 0 {
				t.Errorf("it still lies there: %v", left)
			}
		})
	}
	b := newBench(t)
	over := b.lease()
	over.Ends = b.now
	if err := b.Keep(t.Context(), shop, over); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "leases", "*.lease")); len(left) > 0 {
		t.Errorf("a lease without time was kept: %v", left)
	}
}

// Nothing in the directory shows a value, and what was moved, cut or flipped does not open.
func TestAtRest(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	if err := b.Keep(ctx, shop, b.lease()); err != nil {
		t.Fatal(err)
	}
	prod := offline.Place{Addr: shop.Addr, Space: "shop/prod"}
	if err := b.Keep(ctx, prod, b.lease()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(b.dir, "leases", "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	var leases []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("hunter2")) || bytes.Contains(text, []byte("keep.example")) {
			t.Errorf("%s shows what it should not", f)
		}
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f, info.Mode(), err)
		}
		if filepath.Ext(f) == ".lease" {
			leases = append(leases, f)
		}
	}
	one, _ := os.ReadFile(leases[0])
	two, _ := os.ReadFile(leases[1])
	flipped := bytes.Clone(one)
	flipped[len(flipped)/2] ^= 1
	for name, text := range map[string][]byte{"moved": two, "cut": one[:len(one)-1], "flipped": flipped, "empty": nil} {
		if err := os.WriteFile(leases[0], text, 0o600); err != nil {
			t.Fatal(err)
		}
		failures := 0
		for _, p := range []offline.Place{shop, prod} {
			if _, err := b.Find(ctx, p, 0); errors.Is(err, offline.ErrNone) {
				failures++
			}
		}
		if failures != 1 {
			t.Errorf("%s: %d of 2 did not open, want 1", name, failures)
		}
	}
}

// With another key nothing opens, and the next answer begins anew; a key that cannot be reached is not a lost one.
func TestLostKey(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	if err := b.Keep(ctx, shop, b.lease()); err != nil {
		t.Fatal(err)
	}
	away := errors.New("the keyring is locked")
	b.err = away
	b.reopen()
	if _, err := b.Find(ctx, shop, 0); !errors.Is(err, away) {
		t.Errorf("find: %v", err)
	}
	if err := b.Keep(ctx, shop, b.lease()); !errors.Is(err, away) {
		t.Errorf("keep: %v", err)
	}
	b.err, b.key = nil, seal.NewKey()
	b.reopen()
	if _, err := b.Find(ctx, shop, 0); !errors.Is(err, offline.ErrNone) {
		t.Errorf("with another key: %v", err)
	}
	if err := b.Keep(ctx, shop, b.lease()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Find(ctx, shop, 0); err != nil {
		t.Error(err)
	}
}

func TestReads(t *testing.T) {
	b := newBench(t)
	l := b.lease()
	if got, err := b.Pending(shop.Addr, ""); err != nil || got != nil {
		t.Errorf("at first: %v, %v", got, err)
	}
	for _, doing := range []string{"run", "get"} {
		b.now = b.now.Add(time.Minute)
		if err := b.Record(shop, &l, doing); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(b.dir, "reads", "junk.read"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := b.Pending(shop.Addr, "")
	if err != nil || len(got) != 2 || got[0].Doing != "run" || got[1].Doing != "get" || got[0].Versions["A"] != 3 || got[0].ID == got[1].ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	if other, err := b.Pending("https://other.example", ""); err != nil || len(other) != 0 {
		t.Errorf("another server is told %v, %v", other, err)
	}
	if err := b.Told(got[:1]); err != nil {
		t.Fatal(err)
	}
	if left, err := b.Pending(shop.Addr, ""); err != nil || len(left) != 1 || left[0].Doing != "get" {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// Processes that start at once make one key between them.
func TestAtOnce(t *testing.T) {
	b, ctx := newBench(t), t.Context()
	var wg sync.WaitGroup
	for range 8 {
		one := &bench{dir: b.dir, now: b.now, key: b.key}
		one.reopen()
		wg.Go(func() {
			if err := one.Keep(ctx, shop, one.lease()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := b.Find(ctx, shop, 0); err != nil {
		t.Error(err)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte(`{"kind":"test","key":"AAAA","ring":"AAAA"}`), []byte("lease"), []byte(`{"id":"00","space":"a"}`))
	f.Add([]byte("{"), []byte(""), []byte(`{"id":"../../x","space":"a","at":"2027-01-31T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, keys, lease, read []byte) {
		b := newBench(t)
		if err := b.Keep(t.Context(), shop, b.lease()); err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Glob(filepath.Join(b.dir, "leases", "*.lease"))
		if err != nil || len(name) != 1 {
			t.Fatal(name, err)
		}
		_ = os.MkdirAll(filepath.Join(b.dir, "reads"), 0o700)
		for file, text := range map[string][]byte{name[0]: lease, filepath.Join(b.dir, "leases", "keys.json"): keys, filepath.Join(b.dir, "reads", "x.read"): read} {
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.reopen()
		if _, err := b.Find(t.Context(), shop, 0); err == nil {
			t.Error("what nobody sealed opened")
		}
		got, err := b.Pending(shop.Addr, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if filepath.Base(r.ID) != r.ID {
				t.Errorf("an id that is a path: %q", r.ID)
			}
		}
	})
}
