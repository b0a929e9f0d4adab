package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/store"
)

// shortWhile is how long the suite gives what should not need it.
const shortWhile = 50 * time.Millisecond

const writers = 16

// together runs fn in several goroutines and waits for all.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}

// testConcurrentCreate: of many that create one key, one wins, and all others are told its revision.
func testConcurrentCreate(t *testing.T, s *suite) {
	for round := range 20 {
		key := fmt.Sprint("key", round)
		var won atomic.Int64
		var seen sync.Map
		together(writers, func(i int) {
			rev, err := s.Apply(t.Context(), []store.Op{
				{Key: key, Value: []byte{byte(i)}, Expect: store.Expect(0)},
				{Key: fmt.Sprintf("%s/by/%d", key, i), Value: []byte("x")},
			})
			var conflict *store.ConflictError
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &conflict) && len(conflict.Current) == 1:
				rev = conflict.Current[0].Rev
			default:
				t.Errorf("got %v", err)
			}
			seen.Store(rev, true)
		})
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		if won.Load() != 1 || n != 1 {
			t.Fatalf("%s: %d winners, %d revisions told", key, won.Load(), n)
		}
		if e := s.list(store.Query{Prefix: key + "/by/"}); len(e) != 1 {
			t.Fatalf("%s: losers left %d traces", key, len(e))
		}
	}
}

// testConcurrentCounter: increments by compare-and-set are never lost, and revisions are distinct and ordered as the values are.
func testConcurrentCounter(t *testing.T, s *suite) {
	const each = 30
	var mu sync.Mutex
	value := map[store.Revision]int{}
	s.put("n", "0")
	together(writers, func(int) {
		for done := 0; done < each; {
			entries, _, err := s.Get(t.Context(), 0, "n")
			if err != nil {
				t.Error(err)
				return
			}
			n, _ := strconv.Atoi(string(entries[0].Value))
			rev, err := s.Apply(t.Context(), []store.Op{{
				Key: "n", Value: []byte(strconv.Itoa(n + 1)), Expect: store.Expect(entries[0].Rev),
			}})
			if errors.Is(err, store.ErrConflict) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if after, _, _ := s.Get(t.Context(), rev, "n"); len(after) != 1 || after[0].Rev < rev {
				t.Errorf("own write at revision %d is not seen: %+v", rev, after)
			}
			mu.Lock()
			value[rev] = n + 1
			mu.Unlock()
			done++
		}
	})
	if got := string(s.get("n")[0].Value); got != strconv.Itoa(writers*each) || len(value) != writers*each {
		t.Fatalf("counted to %s with %d revisions, want %d", got, len(value), writers*each)
	}
	for a, x := range value {
		for b, y := range value {
			if (a < b) != (x < y) && a != b {
				t.Fatalf("revision %d holds %d, revision %d holds %d", a, x, b, y)
			}
		}
	}
}

// testIsolation: pairs of keys that are always written together are never seen apart, by Get or by List.
func testIsolation(t *testing.T, s *suite) {
	stop := make(chan struct{})
	var readers sync.WaitGroup
	s.apply(store.Op{Key: "l", Value: []byte("0")}, store.Op{Key: "r", Value: []byte("0")})
	for range 4 {
		readers.Go(func() {
			var last store.Revision
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, at, err := s.Get(t.Context(), last, "l", "r")
				if err != nil || string(a[0].Value) != string(a[1].Value) || a[0].Rev != a[1].Rev || at < last || a[0].Rev > at {
					t.Errorf("get: %+v at %d after %d, %v", a, at, last, err)
					return
				}
				last = at
				b, at, err := s.List(t.Context(), store.Query{})
				if err != nil || len(b) != 2 || string(b[0].Value) != string(b[1].Value) || at < last {
					t.Errorf("list: %+v at %d after %d, %v", b, at, last, err)
					return
				}
				last = at
			}
		})
	}
	together(4, func(w int) {
		for i := range 50 {
			v := []byte(fmt.Sprint(w, " ", i))
			if _, err := s.Apply(t.Context(), []store.Op{{Key: "l", Value: v}, {Key: "r", Value: v}}); err != nil {
				t.Error(err)
			}
		}
	})
	close(stop)
	readers.Wait()
}

// testCancelUnderLoad: whatever a context does, an Apply is answered by what really happened.
func testCancelUnderLoad(t *testing.T, s *suite) {
	var applied, ended atomic.Int64
	together(writers, func(w int) {
		rnd := dice(w)
		for i := range 60 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.intN(3000))*time.Microsecond)
			key := fmt.Sprintf("%02d/%03d", w, i)
			rev, err := s.Apply(ctx, []store.Op{{Key: key, Value: []byte("x"), Expect: store.Expect(0)}})
			cancel()
			entries, _, gerr := s.Get(t.Context(), 0, key)
			if gerr != nil {
				t.Error(gerr)
				return
			}
			switch {
			case err == nil && entries[0].Rev == rev:
				applied.Add(1)
			case errors.Is(err, context.DeadlineExceeded) && entries[0].Rev == 0:
				ended.Add(1)
			case errors.Is(err, store.ErrUnknown):
			default:
				t.Errorf("%s: answered %d, %v; found revision %d", key, rev, err, entries[0].Rev)
			}
		}
	})
	if applied.Load() == 0 {
		t.Errorf("nothing was applied, %d ended", ended.Load())
	}
	if got := len(s.list(store.Query{KeysOnly: true})); int64(got) < applied.Load() {
		t.Errorf("%d applied, %d found", applied.Load(), got)
	}
}
