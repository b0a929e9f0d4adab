package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/store"
)

// export returns the whole stream.
func (s *suite) export() ([]byte, store.Revision) {
	s.t.Helper()
	var b bytes.Buffer
	at, err := s.Export(s.t.Context(), &b)
	if err != nil {
		s.t.Fatalf("export: %v", err)
	}
	return b.Bytes(), at
}

func readAll(t *testing.T, stream []byte) ([]store.Entry, store.Revision) {
	t.Helper()
	at, entries, err := store.ReadExport(bytes.NewReader(stream))
	if err != nil {
		t.Fatalf("reading export: %v", err)
	}
	var out []store.Entry
	for e, err := range entries {
		if err != nil {
			t.Fatalf("reading export: %v", err)
		}
		out = append(out, e)
	}
	return out, at
}

func sameEntries(a, b []store.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y store.Entry) bool {
		return x.Key == y.Key && x.Rev == y.Rev && bytes.Equal(x.Value, y.Value)
	})
}

// history writes the same things to any engine.
func (s *suite) history() {
	s.t.Helper()
	s.fill(oddKeys()...)
	for i := range 300 {
		s.put(fmt.Sprintf("h/%03d", i%200), fmt.Sprint("value ", i))
	}
	s.apply(store.Op{Key: "h/007", Delete: true}, store.Op{Key: "h/large", Value: bytes.Repeat([]byte("L"), 200_000)})
}

func testExport(t *testing.T, s *suite) {
	empty, at := s.export()
	if entries, read := readAll(t, empty); len(entries) != 0 || at != 0 || read != 0 {
		t.Errorf("empty store: got %d entries at %d", len(entries), at)
	}
	s.history()
	first, at := s.export()
	again, at2 := s.export()
	if at != at2 || !bytes.Equal(first, again) {
		t.Errorf("two exports of revisions %d and %d differ", at, at2)
	}
	entries, read := readAll(t, first)
	if read != at || !sameEntries(entries, s.list(store.Query{})) {
		t.Errorf("the export is not what the store holds")
	}
	other := &suite{Engine: s.open(t), t: t}
	defer func() { _ = other.Close() }()
	other.history()
	if twin, _ := other.export(); !bytes.Equal(twin, first) {
		t.Errorf("the same history gave another export")
	}
	_, err := s.Export(t.Context(), failing{after: 10_000})
	wantErr(t, "failing writer", err, errFailing)
}

var errFailing = errors.New("the writer failed")

type failing struct{ after int }

func (f failing) Write(p []byte) (int, error) {
	if len(p) > 1000 {
		return 0, errFailing
	}
	return len(p), nil
}

// slowly writes while somebody else does something.
type slowly struct {
	w     io.Writer
	first func()
}

func (s *slowly) Write(p []byte) (int, error) {
	if s.first != nil {
		s.first()
		s.first = nil
	}
	return s.w.Write(p)
}

// testExportWhileWriting: the export shows one revision, and neither waits for the other.
func testExportWhileWriting(t *testing.T, s *suite) {
	s.history()
	want := s.list(store.Query{})
	var b bytes.Buffer
	at, err := s.Export(t.Context(), &slowly{w: &b, first: func() {
		for i := range 50 {
			s.put(fmt.Sprintf("h/%03d", i), "written during the export")
			s.put(fmt.Sprintf("new/%03d", i), "written during the export")
		}
		s.get("new/000")
	}})
	if err != nil {
		t.Fatal(err)
	}
	entries, read := readAll(t, b.Bytes())
	if read != at || !sameEntries(entries, want) {
		t.Errorf("the export shows what was written after it began")
	}
}

func testImport(t *testing.T, s *suite) {
	s.history()
	stream, at := s.export()
	want := s.list(store.Query{})
	// As any engine: with new revisions. The suite around it hides that it may be a Loader.
	plain := &suite{Engine: s.open(t), t: t}
	defer func() { _ = plain.Close() }()
	if rev, err := store.Import(t.Context(), plain, bytes.NewReader(stream)); err != nil || rev == 0 {
		t.Fatalf("plain import: revision %d, %v", rev, err)
	}
	same := func(a, b store.Entry) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }
	if !slices.EqualFunc(plain.list(store.Query{}), want, same) {
		t.Errorf("plain import: other keys or values")
	}
	if _, ok := s.Engine.(store.Loader); ok {
		other := &suite{Engine: s.open(t), t: t}
		defer func() { _ = other.Close() }()
		got, err := store.Import(t.Context(), other.Engine, bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		if copied, _ := other.export(); got != at || !bytes.Equal(copied, stream) {
			t.Errorf("imported at %d, want %d; or the export of the import is another", got, at)
		}
		if rev := other.put("h/000", "x"); rev <= at {
			t.Errorf("counting goes on at %d after an import of %d", rev, at)
		}
	}
	_, err := store.Import(t.Context(), s.Engine, bytes.NewReader(stream))
	wantErr(t, "import into a used store", err, store.ErrInvalid)
	if !sameEntries(want, s.list(store.Query{})) {
		t.Errorf("a refused import changed the store")
	}
}

func testImportDamaged(t *testing.T, s *suite) {
	s.history()
	stream, _ := s.export()
	for _, at := range []int{0, 9, 100, len(stream) / 2, len(stream) - 1} {
		bad := bytes.Clone(stream)
		bad[at] ^= 0x20
		e := s.open(t)
		_, err := store.Import(t.Context(), e, bytes.NewReader(bad))
		wantErr(t, fmt.Sprint("flipped byte ", at), err, store.ErrCorrupt)
		_ = e.Close()
		e = s.open(t)
		_, err = store.Import(t.Context(), e, bytes.NewReader(stream[:at]))
		wantErr(t, fmt.Sprint("cut at ", at), err, store.ErrCorrupt)
		_ = e.Close()
	}
}

func (s *suite) shared() store.Shared {
	sh, ok := s.Engine.(store.Shared)
	if !ok {
		s.t.Skip("not a shared engine")
	}
	return sh
}

// testWatch: what was written is seen once, in order, from any point on, with heartbeats between.
func testWatch(t *testing.T, s *suite) {
	sh := s.shared()
	rev0 := s.put("first", "1")
	if at, err := sh.ReadIndex(t.Context()); err != nil || at < rev0 {
		t.Fatalf("read index %d, %v, after revision %d", at, err, rev0)
	}
	const n = 200
	go together(4, func(w int) {
		for i := range n / 4 {
			if _, err := s.Apply(t.Context(), []store.Op{{Key: fmt.Sprintf("w%d/%d", w, i), Value: []byte("x")}}); err != nil {
				t.Error(err)
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := map[string]store.Revision{}
	upto := rev0
	for b, err := range sh.Watch(ctx, rev0) {
		if err != nil {
			t.Fatalf("after %d changes: %v", len(seen), err)
		}
		if b.Upto < upto || (len(b.Changes) > 0 && b.Upto == upto) {
			t.Fatalf("batch up to %d after %d", b.Upto, upto)
		}
		for _, c := range b.Changes {
			if _, twice := seen[c.Key]; twice || c.Rev <= upto || c.Rev > b.Upto || c.Deleted {
				t.Fatalf("change %+v in the batch (%d, %d]", c, upto, b.Upto)
			}
			seen[c.Key] = c.Rev
		}
		upto = b.Upto
		if len(seen) == n {
			break
		}
	}
	for _, e := range s.list(store.Query{Prefix: "w"}) {
		if seen[e.Key] != e.Rev {
			t.Errorf("%q: told revision %d, has %d", e.Key, seen[e.Key], e.Rev)
		}
	}
	last := s.apply(store.Op{Key: "first", Delete: true})
	beat := false
	for b, err := range sh.Watch(ctx, upto) {
		if err != nil {
			t.Fatal(err)
		}
		if beat = len(b.Changes) == 0; beat {
			if b.Upto != last {
				t.Errorf("heartbeat at %d, want %d", b.Upto, last)
			}
			break
		}
		if c := b.Changes[0]; c.Key != "first" || !c.Deleted || c.Rev != last {
			t.Errorf("delete: got %+v", c)
		}
	}
	if !beat {
		t.Error("no heartbeat")
	}
}

func testWatchCompacted(t *testing.T, s *suite) {
	sh := s.shared()
	rev := s.put("a", "1")
	var got error
	for _, err := range sh.Watch(t.Context(), rev+1000) {
		got = err
	}
	wantErr(t, "watch from a revision that never was", got, store.ErrCompacted)
	ctx, cancel := context.WithTimeout(t.Context(), shortWhile)
	defer cancel()
	for _, err := range sh.Watch(ctx, rev) {
		got = err
	}
	wantErr(t, "watch until the context ends", got, context.DeadlineExceeded)
}

func testHeader(t *testing.T, s *suite) {
	f, ok := s.Engine.(store.Formatted)
	if !ok {
		t.Skip("no header")
	}
	h, err := f.Header(t.Context())
	if err != nil || h.MinReader == 0 || h.MinReader > store.Format {
		t.Fatalf("got %+v, %v", h, err)
	}
	h.Features = []string{"x"}
	if err := f.SetHeader(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Header(t.Context()); err != nil || len(got.Features) != 1 || got.Features[0] != "x" {
		t.Errorf("got %+v, %v", got, err)
	}
	h.MinReader = store.Format + 1
	wantErr(t, "a format that this build cannot read", f.SetHeader(t.Context(), h), store.ErrFormat)
}
