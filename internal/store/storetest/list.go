package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/store"
)

func (s *suite) fill(keys ...string) {
	s.t.Helper()
	for chunk := range slices.Chunk(keys, store.MaxOps) {
		ops := make([]store.Op, len(chunk))
		for i, k := range chunk {
			ops[i] = store.Op{Key: k, Value: []byte("v:" + k)}
		}
		s.apply(ops...)
	}
}

func testList(t *testing.T, s *suite) {
	s.wantKeys(store.Query{})
	s.wantKeys(store.Query{Prefix: "a", OneLevel: true})
	s.fill("a", "a/1", "a/2", "a/3", "ab", "b", "b/1")
	s.wantKeys(store.Query{}, "a", "a/1", "a/2", "a/3", "ab", "b", "b/1")
	s.wantKeys(store.Query{Prefix: "a/"}, "a/1", "a/2", "a/3")
	s.wantKeys(store.Query{Prefix: "a"}, "a", "a/1", "a/2", "a/3", "ab")
	s.wantKeys(store.Query{Prefix: "a/2"}, "a/2")
	s.wantKeys(store.Query{Prefix: "c"})
	s.wantKeys(store.Query{Prefix: "a/", After: "a/1"}, "a/2", "a/3")
	s.wantKeys(store.Query{Prefix: "a/", After: "a/2x"}, "a/3")
	s.wantKeys(store.Query{Prefix: "a/", After: "a"}, "a/1", "a/2", "a/3")
	s.wantKeys(store.Query{Prefix: "a/", After: "a/"}, "a/1", "a/2", "a/3")
	s.wantKeys(store.Query{Prefix: "a/", After: "a/3"})
	s.wantKeys(store.Query{Prefix: "a/", After: "z"})
	s.wantKeys(store.Query{Limit: 2}, "a", "a/1")
	s.wantKeys(store.Query{Limit: 2, After: "a/1"}, "a/2", "a/3")
	s.wantKeys(store.Query{Limit: 100, After: "b"}, "b/1")

	rev := s.put("a/2", "new")
	entries, at, err := s.List(t.Context(), store.Query{Prefix: "a/2"})
	if err != nil || at != rev || len(entries) != 1 || string(entries[0].Value) != "new" || entries[0].Rev != rev {
		t.Errorf("values: got %+v at %d, %v", entries, at, err)
	}
	entries = s.list(store.Query{Prefix: "a/2", KeysOnly: true})
	if len(entries) != 1 || entries[0].Value != nil || entries[0].Rev != rev {
		t.Errorf("keys only: got %+v", entries)
	}
	s.apply(store.Op{Key: "e", Value: []byte{}})
	if e := s.list(store.Query{Prefix: "e"}); len(e) != 1 || e[0].Value == nil {
		t.Errorf("empty value: got %+v", e)
	}
}

func testOneLevel(t *testing.T, s *suite) {
	s.fill("a", "a!x", "a-b", "a/", "a/1", "a/b/1", "a/b/2", "a/b/c/d", "a/c", "a0", "b/x/y", "c", "c//", "c//x", "c/x", "/r", "/r/s")
	one := func(prefix string) store.Query { return store.Query{Prefix: prefix, OneLevel: true} }
	s.wantKeys(one(""), "/", "a", "a!x", "a-b", "a/", "a0", "b/", "c", "c/")
	s.wantKeys(one("a"), "a", "a!x", "a-b", "a/", "a0")
	s.wantKeys(one("a/"), "a/", "a/1", "a/b/", "a/c")
	s.wantKeys(one("a/b"), "a/b/")
	s.wantKeys(one("a/b/"), "a/b/1", "a/b/2", "a/b/c/")
	s.wantKeys(one("c/"), "c//", "c/x")
	s.wantKeys(one("c//"), "c//", "c//x")
	s.wantKeys(one("/"), "/r", "/r/")
	s.wantKeys(one("nope/"))

	for _, e := range s.list(one("")) {
		group := strings.HasSuffix(e.Key, "/")
		if group != (e.Rev == 0) || group != (e.Value == nil) {
			t.Errorf("%q: got revision %d, value %q", e.Key, e.Rev, e.Value)
		}
	}
	q := one("")
	q.After = "a/"
	s.wantKeys(q, "a0", "b/", "c", "c/")
	q.After = "a/b/zzz" // inside a group: the group's own name is not after it
	s.wantKeys(q, "a0", "b/", "c", "c/")
	q.After = "a"
	s.wantKeys(q, "a!x", "a-b", "a/", "a0", "b/", "c", "c/")
	q = one("a/")
	q.After, q.Limit = "a/b/", 1
	s.wantKeys(q, "a/c")
	q.After = "a/b"
	s.wantKeys(q, "a/b/")
}

func testPages(t *testing.T, s *suite) {
	var keys []string
	for i := range 400 {
		keys = append(keys, fmt.Sprintf("d%02d/k%03d", i%20, i))
	}
	keys = append(keys, oddKeys()...)
	s.fill(keys...)
	for _, q := range []store.Query{{}, {OneLevel: true}, {Prefix: "d"}, {Prefix: "d07/"}, {Prefix: "a", OneLevel: true}} {
		whole := keysOf(s.list(q))
		for _, limit := range []int{1, 2, 7, 1000} {
			var got []string
			p := q
			p.Limit, p.KeysOnly = limit, true
			for {
				page := keysOf(s.list(p))
				if len(page) > limit {
					t.Fatalf("%+v: got %d entries", p, len(page))
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				p.After = page[len(page)-1]
			}
			if !slices.Equal(got, whole) {
				t.Errorf("%+v by %d: got %q, want %q", q, limit, got, whole)
			}
		}
	}
}

// testListModel compares with the definition, read literally.
func testListModel(t *testing.T, s *suite) {
	rnd := dice(1)
	word := func() string {
		b := make([]byte, rnd.intN(6))
		for i := range b {
			b[i] = "ab/0\xff\x00"[rnd.intN(6)]
		}
		return string(b)
	}
	have := map[string]bool{}
	for range 300 {
		if k := word(); k != "" {
			have[k] = true
		}
	}
	var keys []string
	for k := range have {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	s.fill(keys...)
	for range 2000 {
		q := store.Query{Prefix: word(), After: word(), Limit: rnd.intN(5), OneLevel: rnd.intN(2) == 0, KeysOnly: true}
		if rnd.intN(2) == 0 {
			q.Prefix = q.Prefix[:len(q.Prefix)/2]
		}
		if got, want := keysOf(s.list(q)), model(keys, q); !slices.Equal(got, want) {
			t.Fatalf("%+v: got %q, want %q", q, got, want)
		}
	}
}

func model(sorted []string, q store.Query) []string {
	out := []string{}
	for _, k := range sorted {
		rest, ok := strings.CutPrefix(k, q.Prefix)
		if !ok {
			continue
		}
		if i := strings.IndexByte(rest, '/'); q.OneLevel && i >= 0 {
			k = q.Prefix + rest[:i+1]
		}
		if k <= q.After && q.After != "" || slices.Contains(out, k) && q.OneLevel && strings.HasSuffix(k, "/") {
			continue
		}
		if q.Limit > 0 && len(out) == q.Limit {
			break
		}
		out = append(out, k)
	}
	return out
}
