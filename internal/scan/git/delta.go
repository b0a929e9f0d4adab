package git

import (
	"cmp"
	"slices"

	"github.com/keephold/keephold/internal/scan"
)

// changes is what of a rebuilt object has to be looked at: every stretch that does not stand in the base in the same
// surroundings (inserts, and the seams between copies), and copies of what counts again.
type changes struct {
	regions []scan.Region // ordered, and further apart than a seam is long
	again   []scan.Region // of the base: ordered and apart
}

// add notes a stretch that is not before any that was noted.
func (c *changes) add(start, end int) {
	if n := len(c.regions); n > 0 && start <= c.regions[n-1].End+seam {
		c.regions[n-1].End = max(c.regions[n-1].End, end)
		return
	}
	c.regions = append(c.regions, scan.Region{Start: start, End: end})
}

// copied notes what counts again of n bytes that were copied from the base at off and stand at to.
func (c *changes) copied(off, n, to int) {
	if len(c.again) == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(c.again, off+1, func(r scan.Region, after int) int { return cmp.Compare(r.End, after) })
	for _, r := range c.again[i:] {
		if r.Start >= off+n {
			return
		}
		c.add(to+max(r.Start, off)-off, to+min(r.End, off+n)-off)
	}
}

// patch applies a delta: copies from the base and inserts of its own. It notes what changes, unless noted is nil.
func patch(base, delta, to []byte, noted *changes) ([]byte, error) {
	from, delta, ok := varint(delta)
	size, delta, ok2 := varint(delta)
	if !ok || !ok2 || from != uint64(len(base)) || size > maxObject {
		return to[:0], errCorrupt
	}
	to = slices.Grow(to[:0], int(size))[:0]
	last := uint64(0) // where in the base the previous copy ended
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		if op&0x80 == 0 {
			if op == 0 || int(op) > len(delta) {
				return to, errCorrupt
			}
			if noted != nil {
				noted.add(len(to), len(to)+int(op))
			}
			to = append(to, delta[:op]...)
			delta = delta[op:]
			last = 1 << 63
			continue
		}
		var off, n uint64
		for i := range 7 {
			if op>>i&1 == 0 {
				continue
			}
			if len(delta) == 0 {
				return to, errCorrupt
			}
			if i < 4 {
				off |= uint64(delta[0]) << (8 * i)
			} else {
				n |= uint64(delta[0]) << (8 * (i - 4))
			}
			delta = delta[1:]
		}
		if n == 0 {
			n = 0x10000
		}
		if off+n > uint64(len(base)) {
			return to, errCorrupt
		}
		if noted != nil {
			if off != last && len(to) > 0 {
				noted.add(len(to), len(to))
			}
			noted.copied(int(off), int(n), len(to))
		}
		to = append(to, base[off:off+n]...)
		last = off + n
	}
	if uint64(len(to)) != size {
		return to, errCorrupt
	}
	return to, nil
}

func varint(b []byte) (uint64, []byte, bool) {
	v := uint64(0)
	for i, c := range b {
		if i > 9 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			return v, b[i+1:], true
		}
	}
	return 0, b, false
}

// joined orders regions and makes one of those that touch.
func joined(regions []scan.Region) []scan.Region {
	slices.SortFunc(regions, func(a, b scan.Region) int { return cmp.Compare(a.Start, b.Start) })
	out := regions[:0]
	for _, r := range regions {
		if n := len(out); n > 0 && r.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}
