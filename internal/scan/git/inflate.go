package git

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
)

// inflater undoes deflate (RFC 1951) from a slice into a slice of known size. Packs hold hundreds of thousands of small
// streams whose sizes are known and that are in memory: without a window, a reader and a byte at a time this takes less
// than half of what a general decoder does. The Adler-32 of the zlib wrapper (RFC 1950) is not checked: the object id
// would be the proof that matters, and neither changes what a scanner sees.
type inflater struct {
	lit  table
	dist table
	lens [320]uint8
	code table // of the code lengths
}

// table decodes a Huffman code: rootBits of input index the first part, longer codes go on in a second one.
//
//	literal:  value<<16 | kindLiteral | bits
//	base:     base<<16 | extra<<8 | kindBase | bits     (extra is at most 13)
//	pointer:  offset<<16 | subBits<<8 | kindSub | rootBits
type table struct {
	root uint
	e    []uint32
}

const (
	kindLiteral = 1 << 5
	kindBase    = 1 << 6
	kindSub     = 1 << 7
	kindEnd     = kindLiteral | kindBase
	kindMask    = kindLiteral | kindBase | kindSub
	bitsMask    = 31
	maxBits     = 15
	litRoot     = 10
	distRoot    = 8
	codeRoot    = 7
)

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	lensOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// litEntry is what a symbol of the literal and length code stands for; 0 for the two that must not occur.
func litEntry(sym int) uint32 {
	switch {
	case sym < 256:
		return uint32(sym)<<16 | kindLiteral
	case sym == 256:
		return kindEnd
	case sym < 286:
		return uint32(lengthBase[sym-257])<<16 | uint32(lengthExtra[sym-257])<<8 | kindBase
	}
	return 0
}

func distEntry(sym int) uint32 {
	if sym < 30 {
		return uint32(distBase[sym])<<16 | uint32(distExtra[sym])<<8 | kindBase
	}
	return 0
}

func codeEntry(sym int) uint32 { return uint32(sym)<<16 | kindLiteral }

// build makes the table of a canonical code. A code that is over-subscribed is refused, and so is an incomplete one
// unless it has at most one symbol, which section 3.2.7 allows for distances.
func (t *table) build(lens []uint8, root uint, entry func(int) uint32) bool {
	var count, next [maxBits + 1]int
	for _, l := range lens {
		count[l]++
	}
	left, used := 1, len(lens)-count[0]
	for l := 1; l <= maxBits; l++ {
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
	}
	if left > 0 && used > 1 {
		return false
	}
	count[0] = 0
	for l := 1; l <= maxBits; l++ {
		next[l] = (next[l-1] + count[l-1]) << 1
	}
	t.root = root
	t.e = slices.Grow(t.e[:0], 1<<root)[:1<<root]
	clear(t.e)
	var codes [320]uint16
	long := false
	for sym, l := range lens {
		if l == 0 {
			continue
		}
		r := bits.Reverse16(uint16(next[l])) >> (16 - l)
		next[l]++
		codes[sym] = r
		if uint(l) > root {
			// Note the longest code behind each root entry; the pointers come next.
			long = true
			p := &t.e[r&(1<<root-1)]
			*p = max(*p, uint32(l)-uint32(root))
			continue
		}
		v := entry(sym)
		if v != 0 {
			v |= uint32(l)
		}
		for k := int(r); k < 1<<root; k += 1 << l {
			t.e[k] = v
		}
	}
	if long {
		t.second(lens, &codes, root, entry)
	}
	return true
}

// second builds the sub-tables of codes longer than the root.
func (t *table) second(lens []uint8, codes *[320]uint16, root uint, entry func(int) uint32) {
	for k := range 1 << root {
		if sub := t.e[k]; sub != 0 && sub <= maxBits && sub&kindMask == 0 {
			off := len(t.e)
			t.e = slices.Grow(t.e, 1<<sub)[:off+1<<sub]
			clear(t.e[off:])
			t.e[k] = uint32(off)<<16 | sub<<8 | kindSub | uint32(root)
		}
	}
	for sym, l := range lens {
		if uint(l) <= root {
			continue
		}
		p := t.e[codes[sym]&(1<<root-1)]
		off, sub := int(p>>16), p>>8&15
		v := entry(sym)
		if v != 0 {
			v |= uint32(l) - uint32(root)
		}
		for k := int(codes[sym] >> root); k < 1<<sub; k += 1 << (uint(l) - root) {
			t.e[off+k] = v
		}
	}
}

// fixed are the codes of section 3.2.6.
var fixed = sync.OnceValue(func() (f struct{ lit, dist table }) {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	f.lit.build(lens[:], litRoot, litEntry)
	for i := range 32 {
		lens[i] = 5
	}
	f.dist.build(lens[:32], distRoot, distEntry)
	return f
})

// input is a bit reader. Behind the end of the slice it delivers zeros, and over counts them.
type input struct {
	b    []byte
	pos  int
	bits uint64
	n    uint
	over int
}

// fill makes at least 56 bits available.
func (in *input) fill() {
	if in.pos+8 <= len(in.b) {
		in.bits |= binary.LittleEndian.Uint64(in.b[in.pos:]) << in.n
		in.pos += int(63-in.n) >> 3
		in.n |= 56
		return
	}
	for in.n <= 56 {
		if in.pos < len(in.b) {
			in.bits |= uint64(in.b[in.pos]) << in.n
			in.pos++
		} else {
			in.over++
		}
		in.n += 8
	}
}

func (in *input) take(n uint) uint {
	v := uint(in.bits & (1<<n - 1))
	in.bits >>= n
	in.n -= n
	return v
}

// inflate undoes the zlib stream at the start of z into to, which is grown to size.
func (f *inflater) inflate(z []byte, size uint64, to []byte) ([]byte, error) {
	if len(z) < 2 || z[0]&15 != 8 || z[1]&0x20 != 0 {
		return to[:0], errCorrupt
	}
	to = slices.Grow(to[:0], int(size))[:size]
	in := input{b: z, pos: 2}
	o := 0
	for last := false; !last; {
		in.fill()
		last = in.take(1) == 1
		ok := false
		switch in.take(2) {
		case 0:
			o, ok = in.stored(to, o)
		case 1:
			c := fixed()
			o, ok = in.block(&c.lit, &c.dist, to, o)
		case 2:
			if f.codes(&in) {
				o, ok = in.block(&f.lit, &f.dist, to, o)
			}
		}
		if !ok || in.over > 8 {
			return to[:0], errCorrupt
		}
	}
	if o != len(to) || in.over*8 > int(in.n) {
		return to[:0], errCorrupt
	}
	return to, nil
}

// stored copies a block that is not compressed (section 3.2.4).
func (in *input) stored(to []byte, o int) (int, bool) {
	in.take(in.n & 7)
	back := int(in.n) / 8
	in.pos -= max(0, back-in.over)
	in.bits, in.n, in.over = 0, 0, 0
	if in.pos+4 > len(in.b) {
		return o, false
	}
	n, inverse := binary.LittleEndian.Uint16(in.b[in.pos:]), binary.LittleEndian.Uint16(in.b[in.pos+2:])
	in.pos += 4
	if n != ^inverse || in.pos+int(n) > len(in.b) || o+int(n) > len(to) {
		return o, false
	}
	copy(to[o:], in.b[in.pos:in.pos+int(n)])
	in.pos += int(n)
	return o + int(n), true
}

// codes reads the codes of a dynamic block (section 3.2.7).
func (f *inflater) codes(in *input) bool {
	in.fill()
	nlit, ndist, ncode := int(in.take(5))+257, int(in.take(5))+1, int(in.take(4))+4
	if nlit > 286 || ndist > 30 {
		return false
	}
	var order [19]uint8
	for i := range ncode {
		if i&7 == 0 {
			in.fill()
		}
		order[lensOrder[i]] = uint8(in.take(3))
	}
	if !f.code.build(order[:], codeRoot, codeEntry) {
		return false
	}
	for i := 0; i < nlit+ndist; {
		in.fill()
		e := f.code.e[in.bits&(1<<codeRoot-1)]
		if e == 0 {
			return false
		}
		in.take(uint(e & bitsMask))
		sym := uint8(e >> 16)
		if sym < 16 {
			f.lens[i] = sym
			i++
			continue
		}
		var value uint8
		var n int
		switch sym {
		case 16:
			if i == 0 {
				return false
			}
			value, n = f.lens[i-1], 3+int(in.take(2))
		case 17:
			n = 3 + int(in.take(3))
		default:
			n = 11 + int(in.take(7))
		}
		if i+n > nlit+ndist {
			return false
		}
		for range n {
			f.lens[i] = value
			i++
		}
	}
	return f.lens[256] != 0 && f.lit.build(f.lens[:nlit], litRoot, litEntry) && f.dist.build(f.lens[nlit:nlit+ndist], distRoot, distEntry)
}

// block decodes a compressed block.
func (in *input) block(lit, dist *table, to []byte, o int) (int, bool) {
	le, de := lit.e, dist.e
	x := *in // kept in registers
	for {
		x.fill()
		e := le[x.bits&(1<<litRoot-1)]
		if e&kindMask == kindLiteral && o < len(to) { // most often, and two or three in a row
			x.bits >>= e & bitsMask
			x.n -= uint(e & bitsMask)
			to[o] = byte(e >> 16)
			o++
			e = le[x.bits&(1<<litRoot-1)]
			if e&kindMask == kindLiteral && o < len(to) {
				x.bits >>= e & bitsMask
				x.n -= uint(e & bitsMask)
				to[o] = byte(e >> 16)
				o++
				continue
			}
			x.fill()
		}
		if e&kindMask == kindSub {
			x.take(litRoot)
			e = le[uint64(e>>16)+x.bits&(1<<(e>>8&15)-1)]
		}
		x.take(uint(e & bitsMask))
		switch e & kindMask {
		case kindLiteral:
			if o >= len(to) {
				return o, false
			}
			to[o] = byte(e >> 16)
			o++
			continue
		case kindEnd:
			*in = x
			return o, true
		case kindBase:
		default:
			return o, false
		}
		n := int(e>>16) + int(x.take(uint(e>>8&15)))
		e = de[x.bits&(1<<distRoot-1)]
		if e&kindMask == kindSub {
			x.take(distRoot)
			e = de[uint64(e>>16)+x.bits&(1<<(e>>8&15)-1)]
		}
		if e&kindMask != kindBase {
			return o, false
		}
		x.take(uint(e & bitsMask))
		back := int(e>>16) + int(x.take(uint(e>>8&15)))
		if back > o || n > len(to)-o || x.over > 8 {
			return o, false
		}
		for back < n { // the copy overlaps itself: what is there doubles
			copy(to[o:o+back], to[o-back:o])
			o += back
			n -= back
			back *= 2
		}
		copy(to[o:o+n], to[o-back:])
		o += n
	}
}
