package git

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/keephold/keephold/internal/scan"
)

// cleanTable remembers stretches of text in which nothing was found. Packs of generated files hold the same stretches
// again and again, as changes against different bases. It is a lossy table of 64-bit hashes under a random seed: a
// stretch that is forgotten is looked at once more, and a wrong hit needs two texts with the same hash.
type cleanTable struct {
	seed  maphash.Seed
	slots []atomic.Uint64
}

const cleanSlots = 1 << 20

func newCleanTable() cleanTable {
	return cleanTable{seed: maphash.MakeSeed(), slots: make([]atomic.Uint64, cleanSlots)}
}

// drop removes the stretches that are known to be clean, in place.
func (t *cleanTable) drop(data []byte, regions []scan.Region) []scan.Region {
	out := regions[:0]
	for _, r := range regions {
		h := maphash.Bytes(t.seed, data[r.Start:r.End])
		if t.slots[h%cleanSlots].Load() != h {
			out = append(out, r)
		}
	}
	return out
}

func (t *cleanTable) add(data []byte, regions []scan.Region) {
	for _, r := range regions {
		h := maphash.Bytes(t.seed, data[r.Start:r.End])
		t.slots[h%cleanSlots].Store(h)
	}
}
