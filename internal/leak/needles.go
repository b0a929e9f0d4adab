package leak

import (
	"bytes"
	"encoding/binary"
)

// Needles finds any of many byte strings in a text, and tells how much of the end of a text could still grow into one.
//
// An Aho–Corasick automaton over ten thousand forms has hundreds of thousands of states and misses the cache on every
// byte. Here only every stride-th position is looked at: each needle enters the four-byte grams of stride successive
// offsets into a bit table, so that one of them falls on a visited position wherever the needle stands. The grams are
// taken where the needle is least like ordinary text. What the table lets through is compared byte by byte.
type Needles struct {
	text    [][]byte
	stride  int
	longest int
	bits    [gramBits / 64]uint64
	again   [gramBits / 64]uint64 // the same grams under another hash, to save most look-ups below
	grams   map[uint32][]gramRef
	// Live prefixes: the first four bytes of each needle, and shorter beginnings with their length in the top byte.
	heads    [gramBits / 64]uint64
	byHead   map[uint32][]int32
	starting map[uint32]bool
}

type gramRef struct{ needle, offset int32 }

const (
	gramSize  = 4
	gramBits  = 1 << 20
	maxStride = 6
)

// NewNeedles prepares the search. Texts shorter than six bytes are left out; it returns nil when none remains.
func NewNeedles(texts [][]byte) *Needles {
	n := &Needles{text: texts, stride: maxStride, grams: map[uint32][]gramRef{}, byHead: map[uint32][]int32{}, starting: map[uint32]bool{}}
	usable := 0
	for _, t := range texts {
		if len(t) < minValue {
			continue
		}
		usable++
		n.stride = min(n.stride, len(t)-gramSize+1)
		n.longest = max(n.longest, len(t))
	}
	if usable == 0 {
		return nil
	}
	for i, t := range texts {
		if len(t) < minValue {
			continue
		}
		from := n.rarest(t)
		for o := from; o < from+n.stride; o++ {
			g := binary.LittleEndian.Uint32(t[o:])
			n.grams[g] = append(n.grams[g], gramRef{int32(i), int32(o)})
			setBit(&n.bits, g)
			setBit(&n.again, rehash(g))
		}
		head := binary.LittleEndian.Uint32(t)
		n.byHead[head] = append(n.byHead[head], int32(i))
		setBit(&n.heads, head)
		for k := 1; k < gramSize; k++ {
			n.starting[short(t[:k])] = true
		}
	}
	return n
}

func setBit(bits *[gramBits / 64]uint64, g uint32) {
	h := g * 0x9E3779B1 >> 12
	bits[h>>6] |= 1 << (h & 63)
}

func hasBit(bits *[gramBits / 64]uint64, g uint32) bool {
	h := g * 0x9E3779B1 >> 12
	return bits[h>>6]>>(h&63)&1 != 0
}

func rehash(g uint32) uint32 { return (g ^ g>>15) * 0x85EBCA6B }

func short(b []byte) uint32 {
	g := uint32(len(b)) << 24
	for i, c := range b {
		g |= uint32(c) << (8 * i)
	}
	return g
}

// rarest picks the offset from which stride grams hold the fewest bytes that ordinary text is full of.
func (n *Needles) rarest(t []byte) int {
	best, bestCost := 0, 1<<30
	for from := 0; from+n.stride+gramSize-1 <= len(t) && from < 256; from++ {
		cost := 0
		for o := from; o < from+n.stride; o++ {
			cost += 10*len(n.grams[binary.LittleEndian.Uint32(t[o:])]) + plainness(t[o:o+gramSize])
		}
		if cost < bestCost {
			best, bestCost = from, cost
		}
	}
	return best
}

// plainness is high for grams of words and of blanks.
func plainness(g []byte) int {
	p := 0
	for i, c := range g {
		switch {
		case 'a' <= c && c <= 'z':
			p += 2
			if i > 0 && 'a' <= g[i-1] && g[i-1] <= 'z' && usualPair(g[i-1], c) {
				p += 2
			}
		case c == ' ' || c == '-' || c == '/' || c == '=' || c == 'A' || c == '0':
			p += 3
		}
	}
	return p
}

// Match calls f for each occurrence of each needle in b, in no particular order.
func (n *Needles) Match(b []byte, f func(start, end, needle int)) {
	bits := &n.bits
	for p := 0; p+gramSize <= len(b); p += n.stride {
		g := binary.LittleEndian.Uint32(b[p:])
		if h := g * 0x9E3779B1 >> 12; bits[h>>6]>>(h&63)&1 == 0 {
			continue
		}
		if !hasBit(&n.again, rehash(g)) {
			continue
		}
		for _, ref := range n.grams[g] {
			t := n.text[ref.needle]
			start := p - int(ref.offset)
			if start >= 0 && start+len(t) <= len(b) && string(b[start:start+len(t)]) == string(t) {
				f(start, start+len(t), int(ref.needle))
			}
		}
	}
}

// Live returns the smallest index from which the rest of b is a proper beginning of a needle, or len(b).
func (n *Needles) Live(b []byte) int {
	start := max(0, len(b)-n.longest+1)
	for ; start+gramSize <= len(b); start++ {
		g := binary.LittleEndian.Uint32(b[start:])
		if !hasBit(&n.heads, g) {
			continue
		}
		rest := b[start:]
		for _, i := range n.byHead[g] {
			if t := n.text[i]; len(t) > len(rest) && bytes.HasPrefix(t, rest) {
				return start
			}
		}
	}
	for ; start < len(b); start++ {
		if n.starting[short(b[start:])] {
			return start
		}
	}
	return len(b)
}
