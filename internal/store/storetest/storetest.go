// Package storetest is the contract of store.Engine, written as tests that every engine runs.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/store"
)

// TestEngine checks every obligation of store.Engine, and those of the optional interfaces that the engine has. open
// returns a new, empty store each time; the suite closes it.
func TestEngine(t *testing.T, open func(t *testing.T) store.Engine) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"get", testGet},
		{"put and delete", testPutDelete},
		{"expect", testExpect},
		{"conflict changes nothing", testConflictAtomic},
		{"checks only", testChecksOnly},
		{"refused operations", testRefused},
		{"limits", testLimits},
		{"bytes as keys", testOddKeys},
		{"slices belong to their owner", testOwnership},
		{"list", testList},
		{"list one level", testOneLevel},
		{"list pages", testPages},
		{"list like a model", testListModel},
		{"at least", testAtLeast},
		{"ended context", testEndedContext},
		{"closed", testClosed},
		{"concurrent create", testConcurrentCreate},
		{"concurrent counter", testConcurrentCounter},
		{"snapshot isolation", testIsolation},
		{"cancellation under load", testCancelUnderLoad},
		{"export", testExport},
		{"export while writing", testExportWhileWriting},
		{"import", testImport},
		{"import damaged", testImportDamaged},
		{"watch", testWatch},
		{"watch too late", testWatchCompacted},
		{"header", testHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t)
			t.Cleanup(func() { _ = e.Close() })
			c.run(t, &suite{Engine: e, t: t, open: open})
		})
	}
}

// suite is an engine under test, with methods that fail the test instead of returning errors.
type suite struct {
	store.Engine
	t    *testing.T
	open func(t *testing.T) store.Engine
}

func (s *suite) apply(ops ...store.Op) store.Revision {
	s.t.Helper()
	rev, err := s.Apply(s.t.Context(), ops)
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	return rev
}

func (s *suite) put(key, value string) store.Revision {
	s.t.Helper()
	return s.apply(store.Op{Key: key, Value: []byte(value)})
}

func (s *suite) get(keys ...string) []store.Entry {
	s.t.Helper()
	entries, _, err := s.Get(s.t.Context(), 0, keys...)
	if err != nil {
		s.t.Fatalf("get: %v", err)
	}
	return entries
}

func (s *suite) list(q store.Query) []store.Entry {
	s.t.Helper()
	entries, _, err := s.List(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("list %+v: %v", q, err)
	}
	return entries
}

func (s *suite) wantKeys(q store.Query, want ...string) {
	s.t.Helper()
	if got := keysOf(s.list(q)); !slices.Equal(got, want) {
		s.t.Errorf("list %+v: got %q, want %q", q, got, want)
	}
}

func keysOf(entries []store.Entry) []string {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func testGet(t *testing.T, s *suite) {
	if got := s.get(); len(got) != 0 {
		t.Errorf("no keys: got %v", got)
	}
	a := s.put("a", "1")
	b := s.apply(store.Op{Key: "b", Value: []byte{}}, store.Op{Key: "c", Value: nil})
	entries, at, err := s.Get(t.Context(), 0, "c", "nope", "a", "b", "a")
	if err != nil || at != b {
		t.Fatalf("got revision %d, %v, want %d", at, err, b)
	}
	want := []store.Entry{{Key: "c", Rev: b}, {Key: "nope"}, {Key: "a", Rev: a}, {Key: "b", Rev: b}, {Key: "a", Rev: a}}
	for i, e := range entries {
		if e.Key != want[i].Key || e.Rev != want[i].Rev {
			t.Errorf("entry %d: got %q@%d, want %q@%d", i, e.Key, e.Rev, want[i].Key, want[i].Rev)
		}
		if exists := e.Rev != 0; (e.Value != nil) != exists {
			t.Errorf("entry %d %q: got value %#v of revision %d", i, e.Key, e.Value, e.Rev)
		}
	}
	if string(entries[2].Value) != "1" {
		t.Errorf("a: got %q, want 1", entries[2].Value)
	}
}

func testPutDelete(t *testing.T, s *suite) {
	var last store.Revision
	step := func(what string, want string, ops ...store.Op) {
		t.Helper()
		rev := s.apply(ops...)
		if rev <= last {
			t.Errorf("%s: revision %d after %d", what, rev, last)
		}
		last = rev
		e := s.get("k")[0]
		if string(e.Value) != want || (e.Rev != 0 && e.Rev != rev) {
			t.Errorf("%s: got %q@%d, want %q@%d", what, e.Value, e.Rev, want, rev)
		}
	}
	step("create", "1", store.Op{Key: "k", Value: []byte("1")})
	step("replace", "2", store.Op{Key: "k", Value: []byte("2")})
	step("same again", "2", store.Op{Key: "k", Value: []byte("2")})
	step("delete", "", store.Op{Key: "k", Delete: true})
	if e := s.get("k")[0]; e.Rev != 0 || e.Value != nil {
		t.Errorf("deleted: got %+v", e)
	}
	step("delete what is not there", "", store.Op{Key: "k", Delete: true})
	step("create again", "3", store.Op{Key: "k", Value: []byte("3"), Expect: store.Expect(0)})
	if before := s.get("k")[0].Rev; s.put("other", "x") == before || s.get("k")[0].Rev != before {
		t.Errorf("another key's change moved the revision of k")
	}
}

func testExpect(t *testing.T, s *suite) {
	rev := s.put("have", "1")
	for _, c := range []struct {
		name     string
		op       store.Op
		conflict bool
	}{
		{"create what is there", store.Op{Key: "have", Value: []byte("x"), Expect: store.Expect(0)}, true},
		{"wrong revision", store.Op{Key: "have", Value: []byte("x"), Expect: store.Expect(rev + 1)}, true},
		{"older revision", store.Op{Key: "have", Delete: true, Expect: store.Expect(rev - 1)}, true},
		{"change what is not there", store.Op{Key: "none", Value: []byte("x"), Expect: store.Expect(rev)}, true},
		{"check fails", store.Op{Key: "have", Check: true, Expect: store.Expect(rev + 7)}, true},
		{"check absence fails", store.Op{Key: "have", Check: true, Expect: store.Expect(0)}, true},
		{"delete what is not there, expecting that", store.Op{Key: "none", Delete: true, Expect: store.Expect(0)}, false},
		{"check", store.Op{Key: "have", Check: true, Expect: store.Expect(rev)}, false},
		{"right revision", store.Op{Key: "have", Value: []byte("2"), Expect: store.Expect(rev)}, false},
	} {
		_, err := s.Apply(t.Context(), []store.Op{c.op})
		if !c.conflict {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		wantErr(t, c.name, err, store.ErrConflict)
		var conflict *store.ConflictError
		if !errors.As(err, &conflict) || len(conflict.Current) != 1 || conflict.Current[0].Key != c.op.Key {
			t.Errorf("%s: got %#v, want the one key", c.name, err)
			continue
		}
		if got, want := conflict.Current[0].Rev, s.get(c.op.Key)[0].Rev; got != want {
			t.Errorf("%s: got current revision %d, want %d", c.name, got, want)
		}
	}
}

func testConflictAtomic(t *testing.T, s *suite) {
	s.put("b", "old")
	before, at, _ := s.Get(t.Context(), 0, "a", "b", "c", "d")
	_, err := s.Apply(t.Context(), []store.Op{
		{Key: "a", Value: []byte("new")},
		{Key: "b", Value: []byte("new"), Expect: store.Expect(99)},
		{Key: "c", Value: []byte("new"), Expect: store.Expect(0)},
		{Key: "d", Check: true, Expect: store.Expect(5)},
	})
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	got := map[string]store.Revision{}
	for _, k := range conflict.Current {
		got[k.Key] = k.Rev
	}
	if want := map[string]store.Revision{"b": before[1].Rev, "d": 0}; !maps.Equal(got, want) {
		t.Errorf("conflict: got %v, want %v", got, want)
	}
	after, at2, _ := s.Get(t.Context(), 0, "a", "b", "c", "d")
	for i := range after {
		if after[i].Rev != before[i].Rev || string(after[i].Value) != string(before[i].Value) {
			t.Errorf("%q changed by an Apply that conflicted", after[i].Key)
		}
	}
	if at2 != at {
		t.Errorf("the store moved from revision %d to %d", at, at2)
	}
}

func testChecksOnly(t *testing.T, s *suite) {
	rev := s.put("a", "1")
	got := s.apply(
		store.Op{Key: "a", Check: true, Expect: store.Expect(rev)},
		store.Op{Key: "b", Check: true, Expect: store.Expect(0)},
	)
	if got != rev {
		t.Errorf("got revision %d, want the current %d", got, rev)
	}
	next := s.apply(
		store.Op{Key: "a", Check: true, Expect: store.Expect(rev)},
		store.Op{Key: "b", Value: []byte("1")},
	)
	if next <= rev || s.get("a")[0].Rev != rev {
		t.Errorf("a check beside a put: revision %d after %d, a at %d", next, rev, s.get("a")[0].Rev)
	}
}

func testRefused(t *testing.T, s *suite) {
	many := make([]store.Op, store.MaxOps+1)
	twice := make([]store.Op, 20)
	for i := range many {
		many[i] = store.Op{Key: fmt.Sprint("k", i), Value: []byte("x")}
	}
	copy(twice, many)
	twice[19].Key = twice[3].Key
	for name, ops := range map[string][]store.Op{
		"nothing":                     nil,
		"too many":                    many,
		"empty key":                   {{Key: "", Value: []byte("x")}},
		"a key twice":                 {{Key: "a", Value: []byte("x")}, {Key: "a", Delete: true}},
		"a key twice among many":      twice,
		"check without expectation":   {{Key: "a", Check: true}},
		"check and delete":            {{Key: "a", Check: true, Delete: true, Expect: store.Expect(0)}},
		"check with value":            {{Key: "a", Check: true, Value: []byte{}, Expect: store.Expect(0)}},
		"delete with value":           {{Key: "a", Delete: true, Value: []byte("x")}},
		"good one first, then no key": {{Key: "a", Value: []byte("x")}, {}},
	} {
		_, err := s.Apply(t.Context(), ops)
		wantErr(t, name, err, store.ErrInvalid)
	}
	_, _, err := s.List(t.Context(), store.Query{Limit: -1})
	wantErr(t, "negative limit", err, store.ErrInvalid)
	_, _, err = s.Get(t.Context(), 0, "a", "")
	wantErr(t, "get of the empty key", err, store.ErrInvalid)
	s.wantKeys(store.Query{})
}

func testLimits(t *testing.T, s *suite) {
	longest := strings.Repeat("k", store.MaxKey)
	largest := make([]byte, store.MaxValue)
	largest[len(largest)-1] = 7
	s.apply(store.Op{Key: longest, Value: largest})
	if e := s.get(longest)[0]; string(e.Value) != string(largest) {
		t.Errorf("largest value: got %d bytes back", len(e.Value))
	}
	s.wantKeys(store.Query{After: longest[1:]}, longest)
	s.wantKeys(store.Query{After: longest})
	_, err := s.Apply(t.Context(), []store.Op{{Key: longest + "k", Value: nil}})
	wantErr(t, "long key", err, store.ErrInvalid)
	_, err = s.Apply(t.Context(), []store.Op{{Key: "v", Value: slices.Concat(largest, []byte{0})}})
	wantErr(t, "large value", err, store.ErrInvalid)
	_, _, err = s.Get(t.Context(), 0, longest+"k")
	wantErr(t, "get of a long key", err, store.ErrInvalid)

	most := make([]store.Op, store.MaxOps)
	for i := range most {
		most[i] = store.Op{Key: fmt.Sprintf("most/%03d", i), Value: []byte("x"), Expect: store.Expect(0)}
	}
	rev := s.apply(most...)
	for _, e := range s.list(store.Query{Prefix: "most/"}) {
		if e.Rev != rev {
			t.Errorf("%q: got revision %d, want %d", e.Key, e.Rev, rev)
		}
	}
}

// oddKeys are keys in byte order that a careless engine mixes up.
func oddKeys() []string {
	keys := []string{
		"\x00", "\x00\x00", "\x01", " ", "-", ".", "..", "/", "//", "/a", "/a/", "0", "a", "a\x00", "a\x00b", "a ", "a!b", "a-b", "a.",
		"a/", "a/\x00", "a//", "a//b", "a/b", "a/b/", "a/b/c", "a/b/c/d", "a/b0", "a/\xff", "a0", "a0/b", "aa", "b", "b/", "ä", "日本", "\xfe", "\xff",
		"\xff/", "\xff/a", "\xff\xff",
	}
	slices.Sort(keys)
	return keys
}

func testOddKeys(t *testing.T, s *suite) {
	keys := oddKeys()
	ops := make([]store.Op, len(keys))
	for i, k := range keys {
		ops[i] = store.Op{Key: k, Value: []byte("=" + k)}
	}
	s.apply(ops...)
	s.wantKeys(store.Query{}, keys...)
	for i, e := range s.get(keys...) {
		if string(e.Value) != "="+keys[i] {
			t.Errorf("%q: got %q", keys[i], e.Value)
		}
	}
	for _, k := range keys {
		s.apply(store.Op{Key: k, Delete: true})
	}
	s.wantKeys(store.Query{})
}

func testOwnership(t *testing.T, s *suite) {
	value := []byte("before")
	s.apply(store.Op{Key: "a", Value: value})
	copy(value, "xxxxxx")
	got := s.get("a")[0].Value
	listed := s.list(store.Query{})[0].Value
	for i := range got {
		got[i], listed[i] = 'y', 'z'
	}
	_ = append(got[:0], "longer than it was before"...)
	if e := s.get("a")[0]; string(e.Value) != "before" {
		t.Errorf("a caller's writes reached the store: %q", e.Value)
	}
	kept := s.get("a")[0].Value
	for i := range 200 { // enough to use pages again
		s.put("a", fmt.Sprintf("%06d", i))
		s.put(fmt.Sprint("b", i), strings.Repeat("n", 500))
	}
	if string(kept) != "before" {
		t.Errorf("the store's writes reached a caller: %q", kept)
	}
}

func testAtLeast(t *testing.T, s *suite) {
	rev := s.put("a", "1")
	if _, at, err := s.Get(t.Context(), rev, "a"); err != nil || at < rev {
		t.Errorf("at the revision: got %d, %v", at, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), shortWhile)
	defer cancel()
	_, _, err := s.Get(ctx, rev+1000, "a")
	wantErr(t, "beyond", err, store.ErrBehind)
}

func testEndedContext(t *testing.T, s *suite) {
	s.put("a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Apply(ctx, []store.Op{{Key: "a", Value: []byte("2")}})
	wantErr(t, "apply", err, context.Canceled)
	_, _, err = s.Get(ctx, 0, "a")
	wantErr(t, "get", err, context.Canceled)
	_, _, err = s.List(ctx, store.Query{})
	wantErr(t, "list", err, context.Canceled)
	_, err = s.Export(ctx, discard{})
	wantErr(t, "export", err, context.Canceled)
	if e := s.get("a")[0]; string(e.Value) != "1" {
		t.Errorf("got %q, want what was before", e.Value)
	}
}

func testClosed(t *testing.T, s *suite) {
	s.put("a", "1")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	ctx := t.Context()
	_, err := s.Apply(ctx, []store.Op{{Key: "a", Value: []byte("2")}})
	wantErr(t, "apply", err, store.ErrClosed)
	_, _, err = s.Get(ctx, 0, "a")
	wantErr(t, "get", err, store.ErrClosed)
	_, _, err = s.List(ctx, store.Query{})
	wantErr(t, "list", err, store.ErrClosed)
	_, err = s.Export(ctx, discard{})
	wantErr(t, "export", err, store.ErrClosed)
	if sh, ok := s.Engine.(store.Shared); ok {
		_, err = sh.ReadIndex(ctx)
		wantErr(t, "read index", err, store.ErrClosed)
		for _, err = range sh.Watch(ctx, 0) {
			break
		}
		wantErr(t, "watch", err, store.ErrClosed)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
