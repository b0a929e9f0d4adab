// Package tile keeps the Merkle tree (RFC 6962, section 2.1) over the audit records in the layout of C2SP
// tlog-tiles (https://c2sp.org/tlog-tiles).
//
// The hashes of tile level L lie one after the other in one append-only file, hash.L: 32 bytes for each
// subtree of 256^L records. The tile "tile/L/N" is therefore bytes 8192·N to 8192·N+8191 of that file, and the
// partial tile "tile/L/N.p/W" its first 32·W bytes. All of it is derived from the records.
package tile

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
)

const (
	width     = 256 // hashes in a full tile
	height    = 8   // levels of the tree in a tile
	maxLevels = 8   // 256^8 records
)

// Tree appends record hashes. It is not safe for concurrent use.
type Tree struct {
	dir     string
	size    uint64
	levels  []*level
	sum     hash.Hash
	scratch [1 + tlog.HashSize]byte
}

// level is one hash file: its hashes that are not yet written, and those of its last, partial tile.
type level struct {
	f     *os.File
	n     uint64      // hashes at this level, written or not
	edge  []tlog.Hash // the last n % width hashes
	dirty []byte      // hashes that the file does not hold yet
	moved bool        // written since the last Sync
}

// FileName is the name of the file of one level.
func FileName(l int) string { return fmt.Sprintf("hash.%d", l) }

// Open opens the tree of the first size records; hashes of later ones are dropped. Files that are too short
// are an error: the caller then opens at size 0 and appends the records again.
func Open(dir string, size uint64) (*Tree, error) {
	t := &Tree{dir: dir, size: size, sum: sha256.New()}
	for l, n := 0, size; l == 0 || n > 0; l, n = l+1, n/width {
		if err := t.addLevel(l, n); err != nil {
			_ = t.Close()
			return nil, err
		}
	}
	return t, t.dropAbove()
}

// dropAbove removes the files of levels that a tree of this size does not have.
func (t *Tree) dropAbove() error {
	for l := len(t.levels); l < maxLevels; l++ {
		if err := os.Remove(filepath.Join(t.dir, FileName(l))); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("audit tree: %w", err)
		}
	}
	return nil
}

func (t *Tree) addLevel(l int, n uint64) error {
	f, err := segment.OpenRegular(filepath.Join(t.dir, FileName(l)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("audit tree: %w", err)
	}
	lv := &level{f: f, n: n}
	t.levels = append(t.levels, lv)
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("audit tree: %w", err)
	}
	if info.Size() < int64(n)*tlog.HashSize {
		return fmt.Errorf("audit tree: %s holds %d bytes, %d hashes wanted: %w", FileName(l), info.Size(), n, segment.ErrGap)
	}
	if info.Size() > int64(n)*tlog.HashSize { // else it would only be dirty for the next Sync
		if err := f.Truncate(int64(n) * tlog.HashSize); err != nil {
			return fmt.Errorf("audit tree: %w", err)
		}
	}
	edge := make([]byte, n%width*tlog.HashSize)
	if _, err := f.ReadAt(edge, int64(n-n%width)*tlog.HashSize); err != nil && len(edge) > 0 {
		return fmt.Errorf("audit tree: %w", err)
	}
	lv.edge = make([]tlog.Hash, 0, width)
	for ; len(edge) > 0; edge = edge[tlog.HashSize:] {
		lv.edge = append(lv.edge, tlog.Hash(edge[:tlog.HashSize]))
	}
	return nil
}

// Size is the count of records in the tree.
func (t *Tree) Size() uint64 { return t.size }

// Append adds one record. The files change at the next Flush.
func (t *Tree) Append(rec []byte) error {
	t.scratch[0] = 0x00
	t.sum.Reset()
	t.sum.Write(t.scratch[:1])
	t.sum.Write(rec)
	t.sum.Sum(t.scratch[1:1])
	t.size++
	return t.push(0, tlog.Hash(t.scratch[1:]))
}

func (t *Tree) push(l int, h tlog.Hash) error {
	if l == len(t.levels) {
		if err := t.addLevel(l, 0); err != nil {
			return err
		}
	}
	lv := t.levels[l]
	lv.n++
	lv.edge = append(lv.edge, h)
	lv.dirty = append(lv.dirty, h[:]...)
	if len(lv.edge) < width {
		return nil
	}
	full := fold(lv.edge)
	lv.edge = lv.edge[:0]
	return t.push(l+1, full)
}

// fold hashes a perfect subtree: len(hs) is a power of two.
func fold(hs []tlog.Hash) tlog.Hash {
	if len(hs) == 1 {
		return hs[0]
	}
	var row [width / 2]tlog.Hash
	n := len(hs) / 2
	for i := range n {
		row[i] = tlog.NodeHash(hs[2*i], hs[2*i+1])
	}
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

// Root is the tree's hash at its present size.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	var acc tlog.Hash
	have := false
	for _, lv := range t.levels {
		rest := lv.edge
		for bit := 1; len(rest) > 0; bit <<= 1 {
			if len(rest)&bit == 0 {
				continue
			}
			sub := fold(rest[len(rest)-bit:])
			rest = rest[:len(rest)-bit]
			if have {
				sub = tlog.NodeHash(sub, acc)
			}
			acc, have = sub, true
		}
	}
	return acc
}

// Flush hands the new hashes to the files.
func (t *Tree) Flush() error {
	for l, lv := range t.levels {
		if len(lv.dirty) == 0 {
			continue
		}
		at := int64(lv.n)*tlog.HashSize - int64(len(lv.dirty))
		if _, err := lv.f.WriteAt(lv.dirty, at); err != nil {
			return fmt.Errorf("audit tree: write %s: %w", FileName(l), err)
		}
		lv.dirty, lv.moved = lv.dirty[:0], true
	}
	return nil
}

// Sync flushes and makes the files durable.
func (t *Tree) Sync() error {
	if err := t.Flush(); err != nil {
		return err
	}
	for l, lv := range t.levels {
		if !lv.moved {
			continue
		}
		if err := lv.f.Sync(); err != nil {
			return fmt.Errorf("audit tree: sync %s: %w", FileName(l), err)
		}
		lv.moved = false
	}
	return nil
}

// Close closes the files without flushing.
func (t *Tree) Close() error {
	var first error
	for _, lv := range t.levels {
		if err := lv.f.Close(); err != nil && first == nil {
			first = err
		}
	}
	t.levels = nil
	return first
}

// RecordHash is the leaf hash of a record.
func RecordHash(rec []byte) tlog.Hash {
	var buf [2048]byte
	if len(rec) < len(buf) {
		n := copy(buf[1:], rec)
		return sha256.Sum256(buf[:1+n])
	}
	return sha256.Sum256(append([]byte{0x00}, rec...))
}
