package tile

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
)

// Hashes reads a stored tree for proofs. It implements tlog.HashReader; close it after use.
type Hashes struct {
	dir   string
	files [maxLevels]*os.File
}

var _ tlog.HashReader = (*Hashes)(nil)

// NewHashes reads the tree in dir; files are opened when they are needed.
func NewHashes(dir string) *Hashes { return &Hashes{dir: dir} }

// ReadHashes returns the hashes with the given stored-hash indexes (see tlog.StoredHashIndex).
func (r *Hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		lvl, n := tlog.SplitStoredHashIndex(x)
		span := int64(1) << (lvl % height)
		hs, err := r.Read(lvl/height, uint64(n*span), int(span))
		if err != nil {
			return nil, err
		}
		out[i] = fold(hs)
	}
	return out, nil
}

// Read returns count hashes of one level, from the nth on.
func (r *Hashes) Read(l int, n uint64, count int) ([]tlog.Hash, error) {
	if l < 0 || l >= maxLevels {
		return nil, fmt.Errorf("audit tree: no level %d", l)
	}
	if r.files[l] == nil {
		f, err := segment.OpenRegular(filepath.Join(r.dir, FileName(l)), os.O_RDONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("audit tree: %w", err)
		}
		r.files[l] = f
	}
	raw := make([]byte, count*tlog.HashSize)
	if _, err := r.files[l].ReadAt(raw, int64(n)*tlog.HashSize); err != nil {
		return nil, fmt.Errorf("audit tree: %s: hash %d and %d more: %w", FileName(l), n, count-1, err)
	}
	hs := make([]tlog.Hash, count)
	for i := range hs {
		hs[i] = tlog.Hash(raw[i*tlog.HashSize:])
	}
	return hs, nil
}

// Close closes the files.
func (r *Hashes) Close() error {
	for i, f := range r.files {
		if f != nil {
			_ = f.Close()
			r.files[i] = nil
		}
	}
	return nil
}
