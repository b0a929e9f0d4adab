package git

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"github.com/keephold/keephold/internal/scan"
)

// cleanTable remembers pieces of text in which nothing was found, and what stood before them when their seam was looked at.
// Packs hold the same lines again and again: as changes against different bases, as copies, as generated files. Pieces
// end where the bytes before a newline say so, so that an insertion does not move the ends of what follows.
//
// It is a lossy table of 64-bit hashes under a random seed: a piece that is forgotten is looked at once more, and a
// wrong hit needs two texts with the same hash.
type cleanTable struct {
	seed  maphash.Seed
	mask  uint64
	slots []atomic.Uint64
}

const (
	pieceMost = 8 << 10 // longest piece; a line without an end is cut into such
	seam      = 448     // bytes on either side of a seam and of a new piece that are looked at too
	slotWays  = 4       // slots of one cache line that a hash may be in
	bytesSlot = 256     // of text for each slot
)

// newCleanTable makes a table for so many bytes of text.
func newCleanTable(size uint64) *cleanTable {
	n := uint64(1) << bits.Len64(min(max(size/bytesSlot, 1<<12), 1<<21-1))
	return &cleanTable{seed: maphash.MakeSeed(), mask: n - 1, slots: make([]atomic.Uint64, n)}
}

func (t *cleanTable) has(h uint64) bool {
	at := h & t.mask &^ (slotWays - 1)
	for i := range uint64(slotWays) {
		if t.slots[at+i].Load() == h {
			return true
		}
	}
	return false
}

func (t *cleanTable) add(h uint64) {
	at := h & t.mask &^ (slotWays - 1)
	for i := range uint64(slotWays) {
		if v := t.slots[at+i].Load(); v == 0 || v == h {
			t.slots[at+i].Store(h)
			return
		}
	}
	t.slots[at+h>>60&(slotWays-1)].Store(h)
}

// ends reports that a piece ends behind the newline before i: one line of about sixteen does.
func ends(data []byte, i int) bool {
	if i < 8 {
		return false
	}
	return binary.LittleEndian.Uint64(data[i-8:])*0x9e3779b97f4a7c15>>60 == 0
}

// pieceStart finds the start of the piece that holds i.
func pieceStart(data []byte, i int) int {
	low := max(0, i-pieceMost)
	for p := i; ; {
		k := bytes.LastIndexByte(data[low:p], '\n')
		if k < 0 {
			return low
		}
		if p = low + k + 1; ends(data, p) {
			return p
		}
		p--
	}
}

func pieceEnd(data []byte, i int) int {
	high := min(len(data), i+pieceMost)
	for p := i; ; {
		k := bytes.IndexByte(data[p:high], '\n')
		if k < 0 {
			return high
		}
		if p += k + 1; p == high || ends(data, p) {
			return p
		}
	}
}

// sieve is what one goroutine needs to pass data through the table.
type sieve struct {
	table   *cleanTable
	regions []scan.Region
	marks   []mark
}

// mark is a hash to be remembered when nothing is found from start to end.
type mark struct {
	hash       uint64
	start, end int
}

// fresh returns what has to be looked at of the changed regions: pieces that the table does not know, and seams between
// pieces that it has not seen beside each other. The result holds until the next call.
func (s *sieve) fresh(data []byte, changed []scan.Region) []scan.Region {
	s.regions, s.marks = s.regions[:0], s.marks[:0]
	done := 0
	for _, c := range changed {
		if c.End <= done && c.End > 0 {
			continue
		}
		from := max(done, pieceStart(data, c.Start))
		for to := from; to <= c.End && from < len(data); from = to {
			to = pieceEnd(data, from)
			h := maphash.Bytes(s.table.seed, data[from:to])
			pair := bits.RotateLeft64(maphash.Bytes(s.table.seed, data[max(0, from-seam):from]), 23) ^ h
			switch {
			case !s.table.has(h):
				s.look(data, from-seam, to+seam)
				s.marks = append(s.marks, mark{h, from, to}, mark{pair, from, from})
			case !s.table.has(pair):
				s.look(data, from-seam, from+seam)
				s.marks = append(s.marks, mark{pair, from, from})
			}
			done = to
		}
	}
	return s.regions
}

func (s *sieve) look(data []byte, start, end int) {
	start, end = max(0, start), min(len(data), end)
	if n := len(s.regions); n > 0 && start <= s.regions[n-1].End {
		s.regions[n-1].End = max(end, s.regions[n-1].End)
		return
	}
	s.regions = append(s.regions, scan.Region{Start: start, End: end})
}

// remember notes what was looked at, but for pieces and seams near finds.
func (s *sieve) remember(finds []scan.Region) {
	for _, m := range s.marks {
		near := false
		for _, f := range finds {
			near = near || f.Start < m.end+seam && m.start-seam < f.End
		}
		if !near {
			s.table.add(m.hash)
		}
	}
}
