package audit_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit"
)

// The exported tiles are those of C2SP: the library's own tile reader, which checks every tile against the root,
// proves each record out of them.
func TestExportedTilesProveEveryRecord(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "audit"), t.TempDir()
	l := open(t, config(dir))
	unlock(t, l)
	appendN(t, l, 0, 700)
	if _, err := l.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	root, err := l.Root()
	must(t, err)
	appendN(t, l, 700, 710) // not covered yet
	must(t, audit.Export(dir, out))
	reader := tlog.TileHashReader(tlog.Tree{N: 700, Hash: root}, tiles(out))
	for bundle, seq := 0, int64(0); bundle < 3; bundle++ {
		name := []string{"000", "001", "002.p/188"}[bundle]
		b, err := os.ReadFile(filepath.Join(out, "tile", "entries", name))
		must(t, err)
		for ; len(b) > 0; seq++ {
			n := int(binary.BigEndian.Uint16(b))
			rec := b[2 : 2+n]
			b = b[2+n:]
			proof, err := tlog.ProveRecord(700, seq, reader)
			must(t, err)
			must(t, tlog.CheckRecord(proof, 700, root, seq, tlog.RecordHash(rec)))
		}
		if want := int64(min((bundle+1)*256, 700)); seq != want {
			t.Fatalf("bundle %d ends at record %d, want %d", bundle, seq, want)
		}
	}
	must(t, audit.Export(dir, out)) // again, over what is there
}

type tiles string

func (d tiles) Height() int                     { return 8 }
func (d tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (d tiles) ReadTiles(ts []tlog.Tile) (out [][]byte, err error) {
	for _, tl := range ts {
		b, err := os.ReadFile(filepath.Join(string(d), "tile", tl.Path()[len("tile/8/"):]))
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func TestReadTileRefusesOtherPaths(t *testing.T) {
	dir, _, _ := signedLog(t)
	for _, name := range []string{"tile/0/000", "tile/0/002.p/188", "tile/0/002.p/1", "tile/1/000.p/2", "tile/entries/001", "checkpoint"} {
		if _, err := audit.ReadTile(dir, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "tile", "tile/0", "tile/0/0", "tile/0/002", "tile/0/002.p/189", "tile/0/002.p/0", "tile/0/002.p/256", "tile/0/x000/001",
		"tile/1/000", "tile/1/000.p/3", "tile/2/000.p/1", "tile/64/000", "tile/-1/000", "tile/entries/003", "tile/0/../head", "../head",
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999",
	} {
		if _, err := audit.ReadTile(dir, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, want not found", name, err)
		}
	}
}

func FuzzReadTile(f *testing.F) {
	dir, _, _ := signedLog(f)
	for _, s := range []string{"tile/0/000", "tile/1/000.p/2", "tile/entries/x001/067", "checkpoint"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if b, err := audit.ReadTile(dir, name); err == nil && len(b) == 0 {
			t.Fatalf("%q: no bytes, no error", name)
		}
	})
}
