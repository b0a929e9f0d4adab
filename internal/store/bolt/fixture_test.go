package bolt_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// TestFixtures opens a store of every released format, for ever. testdata/format-N.db was written by the first release of format N with
// the history below, and testdata/format-N.export is its export. To make those of a new format, set
// KEEPHOLD_WRITE_FIXTURE to a directory; files that exist are never written again.
func TestFixtures(t *testing.T) {
	if dir := os.Getenv("KEEPHOLD_WRITE_FIXTURE"); dir != "" {
		writeFixture(t, dir)
	}
	for format := uint32(1); format <= store.Format; format++ {
		name := filepath.Join("testdata", fmt.Sprintf("format-%d", format))
		file, err := os.ReadFile(name + ".db")
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name + ".export")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "store.db")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		e := open(t, path, bolt.Options{})
		if h, err := e.Header(t.Context()); err != nil || h.Installation != "fixture" || h.MinReader != format {
			t.Errorf("%s: header %+v, %v", name, h, err)
		}
		var got bytes.Buffer
		at, err := e.Export(t.Context(), &got)
		if err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: the export at revision %d differs from the one of then: %v", name, at, err)
		}
		if err := e.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if rev := mustApply(t, e, one("new", "x")...); rev != at+1 {
			t.Errorf("%s: revision %d after %d", name, rev, at)
		}
		fresh := open(t, filepath.Join(t.TempDir(), "store.db"), bolt.Options{})
		if _, err := store.Import(t.Context(), fresh, bytes.NewReader(want)); err != nil {
			t.Errorf("%s: importing the export of then: %v", name, err)
		}
	}
}

func writeFixture(t *testing.T, dir string) {
	t.Helper()
	e := open(t, filepath.Join(t.TempDir(), "store.db"), bolt.Options{Installation: "fixture"})
	for i := range 40 {
		mustApply(t, e, store.Op{Key: fmt.Sprintf("dir/%d/%02d", i%3, i), Value: bytes.Repeat([]byte{byte(i)}, i)})
	}
	mustApply(t, e, store.Op{Key: "dir/0/03", Delete: true}, store.Op{Key: "dir/0/00", Value: []byte("again")}, store.Op{Key: "\x00\xff/", Value: nil})
	mustApply(t, e, store.Op{Key: "large", Value: bytes.Repeat([]byte("large "), 1500)})
	name := filepath.Join(dir, fmt.Sprintf("format-%d", store.Format))
	if _, err := e.Compact(t.Context(), name+".db"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name+".export", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := e.Export(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}
