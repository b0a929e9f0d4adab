//go:build unix

package server_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/server"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

const records = 300 // several pages of a step

func oldStore(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	e, err := bolt.Open(filepath.Join(dir, "keephold.db"), bolt.Options{Installation: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if _, err := e.Apply(t.Context(), []store.Op{{Key: fmt.Sprintf("a/%03d", i), Value: fmt.Appendf(nil, "value %d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// formatOf opens a store, looks whether all its records are of its format, and answers that.
func formatOf(t *testing.T, file string) uint32 {
	t.Helper()
	e, err := bolt.Open(file, bolt.Options{Format: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	h, err := e.Header(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	prefix, change := "a/", strings.ToLower
	if h.MinWriter == 3 {
		prefix, change = "b/", strings.ToUpper
	}
	entries, _, err := e.List(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, entry := range entries {
		if strings.HasPrefix(entry.Key, "out/") {
			if h.MinWriter != 3 || !strings.Contains(string(entry.Value), "values are upper case") {
				t.Errorf("a record of an upgrade in format %d: %s", h.MinWriter, entry.Value)
			}
			continue
		}
		if want := change(fmt.Sprintf("value %d", found)); entry.Key != fmt.Sprintf("%s%03d", prefix, found) || string(entry.Value) != want {
			t.Fatalf("format %d: %s is %q, want %q", h.MinWriter, entry.Key, entry.Value, want)
		}
		found++
	}
	if found != records || h.MinReader != h.MinWriter {
		t.Fatalf("%d records, header %+v", found, h)
	}
	return h.MinWriter
}

// TestUpgradeKilledAtEveryStep kills an upgrade over two formats, made up for this test, by SIGKILL after each of its steps and
// commits. What opens is the store of before or the upgraded one; asking again upgrades; the store as it was is beside it.
func TestUpgradeKilledAtEveryStep(t *testing.T) {
	base := oldStore(t)
	seen := map[uint32]int{}
	for step := 1; ; step += stride() {
		dir := filepath.Join(t.TempDir(), "keep")
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "keephold.db")
		died := run(t, server.Errand{What: "upgrade", Dir: dir, Die: step})
		seen[formatOf(t, file)]++
		if run(t, server.Errand{What: "upgrade", Dir: dir}); formatOf(t, file) != 3 || formatOf(t, file+".format-1") != 1 {
			t.Errorf("killed after step %d: asking again does not upgrade", step)
		}
		names, err := filepath.Glob(file + "*")
		if err != nil || len(names) != 2 {
			t.Errorf("killed after step %d: left %q, %v", step, names, err)
		}
		if !died {
			break
		}
	}
	if seen[1]*stride() < 8 || seen[3] == 0 || len(seen) != 2 {
		t.Errorf("formats that were found after a kill: %v", seen)
	}
}

// TestUpgradeRefuses: this build does not open what is newer; an upgrade that finds somebody's copy in its way changes nothing;
// a store of the newest format is left alone.
func TestUpgradeRefuses(t *testing.T) {
	dir := oldStore(t)
	file := filepath.Join(dir, "keephold.db")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	up, err := server.Upgrade(t.Context(), server.KeepConfig{Dir: dir})
	if err != nil || up.From != up.To || up.Copy != "" {
		t.Errorf("upgrade of the newest format: %+v, %v", up, err)
	}
	if err := os.WriteFile(file+".format-1", []byte("a copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.UpgradeMadeUp(t.Context(), dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a copy in the way: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("a refused upgrade changed the store: %v", err)
	}
	if err := os.Remove(file + ".format-1"); err != nil {
		t.Fatal(err)
	}
	if err := server.UpgradeMadeUp(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := server.OpenKeep(server.KeepConfig{Dir: dir}); server.FaultOf(err) != server.FaultBadData {
		t.Errorf("opening what a newer release upgraded: %v", err)
	}
	if _, err := server.Upgrade(t.Context(), server.KeepConfig{Dir: dir}); server.FaultOf(err) != server.FaultBadData {
		t.Errorf("upgrading what a newer release upgraded: %v", err)
	}
}
