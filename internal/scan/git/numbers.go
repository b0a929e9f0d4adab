package git

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// numbers finds the number of an object by its id: those of the packs come first, in the order of their entries, then
// the loose ones. It is an open hash table; ids are hashes already.
type numbers struct {
	layouts []*layout
	firsts  []int32 // number of each pack's first object
	loose   []looseObject
	total   int
	slots   []int32 // number+1, or 0
	mask    uint64
	size    int // of an id
}

// number numbers the objects, once.
func (h *History) number() {
	if h.numbers != nil {
		return
	}
	n := &numbers{layouts: h.layouts, loose: h.loose, size: h.Repo.size}
	for _, l := range h.layouts {
		n.firsts = append(n.firsts, int32(n.total))
		n.total += len(l.offs)
	}
	n.total += len(h.loose)
	n.slots = make([]int32, 1<<bits.Len(uint(2*n.total)))
	n.mask = uint64(len(n.slots) - 1)
	for i := range n.total {
		x := n.id(int32(i))
		at := n.slot(x)
		for n.slots[at] != 0 {
			at = (at + 1) & n.mask
		}
		n.slots[at] = int32(i + 1)
	}
	h.numbers = n
}

func (n *numbers) slot(x []byte) uint64 { return binary.LittleEndian.Uint64(x) & n.mask }

func (n *numbers) count() int { return n.total }

// find returns the number of an object, the first one if it is stored twice, or -1.
func (n *numbers) find(x []byte) int32 {
	for at := n.slot(x); n.slots[at] != 0; at = (at + 1) & n.mask {
		if i := n.slots[at] - 1; bytes.Equal(n.id(i), x) {
			return i
		}
	}
	return -1
}

func (n *numbers) id(i int32) []byte {
	for k := len(n.firsts) - 1; k >= 0; k-- {
		if l := n.layouts[k]; i >= n.firsts[k] && int(i-n.firsts[k]) < len(l.offs) {
			return l.id(i - n.firsts[k])
		}
	}
	return n.loose[int(i)-(n.total-len(n.loose))].id[:n.size]
}
