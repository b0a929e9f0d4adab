package git

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// openPacks opens the packs of a directory of objects. One that cannot be opened, and one without an index, is there all
// the same: what it holds is counted as not scanned, and the others are scanned.
func (r *Repo) openPacks(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "pack", "*.idx"))
	if err != nil {
		return err
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, ".idx")
		p, err := openPack(base, r.size)
		if err != nil {
			p = lostPack(base, r.size, err)
		}
		r.packs = append(r.packs, p)
		if _, err := os.Stat(base + ".promisor"); err == nil {
			r.partial = true
		}
	}
	bare, err := filepath.Glob(filepath.Join(dir, "pack", "pack-*.pack"))
	if err != nil {
		return err
	}
	for _, name := range bare {
		base := strings.TrimSuffix(name, ".pack")
		if _, err := os.Stat(base + ".idx"); err != nil {
			r.packs = append(r.packs, lostPack(base, r.size, err))
		}
	}
	return nil
}

// leastEntry is the size of the smallest object of a pack: a byte of header and an empty deflated stream.
const leastEntry = 9

// lostPack stands for a pack that cannot be read: as many objects as its header counts, which nothing finds and all of
// which are corrupt.
func lostPack(base string, size int, why error) *pack {
	n := 1 // at least, when not even the header can be read
	if f, err := os.Open(base + ".pack"); err == nil {
		var head [12]byte
		info, err := f.Stat()
		_, failed := f.ReadAt(head[:], 0)
		if count := int64(binary.BigEndian.Uint32(head[8:])); err == nil && failed == nil && string(head[:4]) == "PACK" {
			n = int(max(1, min(count, info.Size()/leastEntry)))
		}
		_ = f.Close()
	}
	p := &pack{name: fmt.Sprintf("%s: %v", base, why), size: size, n: n, idx: make([]byte, 8+256*4), ids: make([]byte, n*size), small: make([]byte, 4*n)}
	for i := range n {
		binary.LittleEndian.PutUint64(p.ids[i*size:], uint64(i+1)*0x9e3779b97f4a7c15) // apart from each other, for tables of ids
		binary.BigEndian.PutUint32(p.small[4*i:], 1<<31)                              // beyond the end
	}
	return p
}
