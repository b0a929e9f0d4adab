package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
	"github.com/keephold/keephold/internal/audit/tile"
)

// ReadTile answers a path of C2SP tlog-tiles out of the log's own files: "checkpoint", "tile/0/x001/067",
// "tile/1/000.p/5", "tile/entries/x001/067". What the last checkpoint does not cover is not there.
func ReadTile(dir, name string) ([]byte, error) {
	if name == "checkpoint" {
		return readSmall(filepath.Join(dir, checkpointName), segment.MaxRecord)
	}
	c, _, err := readCheckpoint(filepath.Join(dir, checkpointName))
	if err != nil {
		return nil, err
	}
	level, n, width, ok := parseTilePath(name)
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	have := c.size
	for range max(level, 0) {
		have /= bundleSize
	}
	if n >= have/bundleSize+1 || n*bundleSize+uint64(width) > have {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if level < 0 {
		return readBundle(dir, n*bundleSize, width)
	}
	hashes := tile.NewHashes(dir)
	defer hashes.Close()
	hs, err := hashes.Read(level, n*bundleSize, width)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, width*tlog.HashSize)
	for _, h := range hs {
		out = append(out, h[:]...)
	}
	return out, nil
}

func readBundle(dir string, seq uint64, count int) ([]byte, error) {
	r, err := readerAt(dir, seq)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []byte
	for end := seq + uint64(count); r.Pos().Seq < end; {
		at := r.Pos().Seq
		rec, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("audit record %d: %w", at, err)
		}
		if at >= seq {
			out = segment.AppendFrame(out, rec)
		}
	}
	return out, nil
}

// parseTilePath reads tile/<L>/<N>[.p/<W>]; level -1 stands for "entries".
func parseTilePath(name string) (level int, n uint64, width int, ok bool) {
	rest, found := strings.CutPrefix(name, "tile/")
	if !found {
		return 0, 0, 0, false
	}
	what, rest, _ := strings.Cut(rest, "/")
	level = -1
	if what != "entries" {
		l, err := strconv.ParseUint(what, 10, 6)
		if err != nil {
			return 0, 0, 0, false
		}
		level = int(l)
	}
	width = bundleSize
	if number, w, partial := strings.Cut(rest, ".p/"); partial {
		v, err := strconv.ParseUint(w, 10, 8)
		if err != nil || v == 0 {
			return 0, 0, 0, false
		}
		rest, width = number, int(v)
	}
	for group := range strings.SplitSeq(rest, "/") {
		v, err := strconv.ParseUint(strings.TrimPrefix(group, "x"), 10, 10)
		if err != nil || v > 999 || n > 1<<40 {
			return 0, 0, 0, false
		}
		n = n*1000 + v
	}
	// One spelling for each tile.
	return level, n, width, name == tilePath(level, n, width)
}

func tilePath(level int, n uint64, width int) string {
	what := "entries"
	if level >= 0 {
		what = strconv.Itoa(level)
	}
	number := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	if width < bundleSize {
		number += fmt.Sprintf(".p/%d", width)
	}
	return path.Join("tile", what, number)
}

// Export writes the log as a static directory of tiles that C2SP tools read. Files that are there already are
// kept, so that a second export adds what is new.
func Export(dir, out string) error {
	c, signed, err := readCheckpoint(filepath.Join(dir, checkpointName))
	if err != nil {
		return err
	}
	if signed == nil {
		return ErrNotCovered
	}
	have := c.size
	for level := -1; level < 1 || have > 0; level++ {
		if level > 0 {
			have /= bundleSize
		}
		for n := uint64(0); n*bundleSize < have; n++ {
			name := tilePath(level, n, int(min(bundleSize, have-n*bundleSize)))
			if err := exportOne(dir, out, name); err != nil {
				return err
			}
		}
	}
	return segment.ReplaceFile(filepath.Join(out, "checkpoint"), signed)
}

func exportOne(dir, out, name string) error {
	target := filepath.Join(out, filepath.FromSlash(name))
	if _, err := os.Lstat(target); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := ReadTile(dir, name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return segment.ReplaceFile(target, b)
}
