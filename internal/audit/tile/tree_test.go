package tile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/tile"
)

// The tree agrees with the reference implementation at every size, also when it is closed and opened again.
func TestTreeAgainstReference(t *testing.T) {
	dir := t.TempDir()
	tree, err := tile.Open(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	var stored []tlog.Hash
	reference := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	const size = 256*256 + 700 // three levels
	for n := range int64(size) {
		rec := fmt.Appendf(nil, "record %d", n)
		if err := tree.Append(rec); err != nil {
			t.Fatal(err)
		}
		hs, err := tlog.StoredHashes(n, rec, reference)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		if n > 600 && n%997 != 0 && n < size-3 && (n < 65530 || n > 65540) {
			continue
		}
		want, err := tlog.TreeHash(n+1, reference)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree.Root(); got != want {
			t.Fatalf("size %d: got root %v, want %v", n+1, got, want)
		}
		if n%3 == 0 {
			if err := tree.Sync(); err != nil {
				t.Fatal(err)
			}
			_ = tree.Close()
			if tree, err = tile.Open(dir, uint64(n+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tree.Sync(); err != nil {
		t.Fatal(err)
	}
	hashes := tile.NewHashes(dir)
	defer hashes.Close()
	for _, n := range []int64{1, 2, 255, 256, 257, 65535, 65536, 65537, size} {
		want, _ := tlog.TreeHash(n, reference)
		if got, err := tlog.TreeHash(n, hashes); err != nil || got != want {
			t.Errorf("stored tree of %d: got %v, %v, want %v", n, got, err, want)
		}
		proof, err := tlog.ProveTree(size, n, hashes)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(proof, size, tree.Root(), n, want); err != nil {
			t.Errorf("consistency of %d: %v", n, err)
		}
	}
	_ = tree.Close()
	if tree, err = tile.Open(dir, 300); err != nil { // a smaller tree: later hashes are dropped
		t.Fatal(err)
	}
	defer tree.Close()
	if want, _ := tlog.TreeHash(300, reference); tree.Root() != want {
		t.Error("root of the tree cut to 300")
	}
	if _, err := os.Stat(filepath.Join(dir, tile.FileName(2))); !os.IsNotExist(err) {
		t.Errorf("a level that such a tree does not have: %v", err)
	}
}

func TestShortFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := tile.Open(dir, 5); err == nil {
		t.Fatal("five hashes out of nothing")
	}
}

func TestRecordHash(t *testing.T) {
	for _, n := range []int{0, 1, 2046, 2047, 2048, 2049, 65535} {
		rec := make([]byte, n)
		if got, want := tile.RecordHash(rec), tlog.RecordHash(rec); got != want {
			t.Errorf("%d bytes: got %v, want %v", n, got, want)
		}
	}
}
