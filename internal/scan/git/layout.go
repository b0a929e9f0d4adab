package git

import (
	"cmp"
	"slices"
	"sort"
)

// layout is what the headers of a pack say: its entries by offset, and which is whose delta.
type layout struct {
	pack  *pack
	offs  []uint64 // ascending
	index []int32  // by entry: position in the index
	size  []uint64
	body  []uint64
	kind  []uint8 // of the whole chain; 0 when unknown
	delta []bool
	first []int32 // first child, or -1
	next  []int32 // next sibling, or -1
	bad   int64   // entries that cannot be read: their header, or that of what they are deltas of, is broken or not here
}

func (p *pack) layout() *layout {
	l := &layout{pack: p, index: make([]int32, p.n), offs: make([]uint64, p.n)}
	at := make([]uint64, p.n)
	for i := range p.n {
		l.index[i] = int32(i)
		at[i] = p.offset(i)
	}
	slices.SortFunc(l.index, func(a, b int32) int { return cmp.Compare(at[a], at[b]) })
	for k, i := range l.index {
		l.offs[k] = at[i]
	}
	l.size, l.body = make([]uint64, p.n), make([]uint64, p.n)
	l.kind, l.delta = make([]uint8, p.n), make([]bool, p.n)
	l.first, l.next = make([]int32, p.n), make([]int32, p.n)
	base := make([]int32, p.n)
	for k := range l.offs {
		l.first[k], l.next[k], base[k] = -1, -1, -1
	}
	for k, off := range l.offs {
		e, err := p.header(off)
		if err != nil {
			continue
		}
		l.size[k], l.body[k] = e.size, e.body
		switch e.kind {
		case kindOfsDelta:
			base[k] = l.entry(e.base)
		case kindRefDelta:
			if i := p.find(e.ref); i >= 0 {
				base[k] = l.entry(at[i])
			}
		default:
			l.kind[k] = e.kind
			continue
		}
		l.delta[k] = true
		if int(base[k]) == k {
			base[k] = -1
		}
	}
	// Link in reverse, so that children are met in the order of their offsets.
	for k := len(base) - 1; k >= 0; k-- {
		if b := base[k]; b >= 0 {
			l.next[k] = l.first[b]
			l.first[b] = int32(k)
		}
	}
	order := l.inherit()
	l.bad = int64(len(l.offs) - len(order))
	l.heaviestLast(order, base)
	return l
}

// entry finds the entry at an offset, or -1.
func (l *layout) entry(off uint64) int32 {
	k := sort.Search(len(l.offs), func(i int) bool { return l.offs[i] >= off })
	if k < len(l.offs) && l.offs[k] == off {
		return int32(k)
	}
	return -1
}

// inherit gives deltas the kind of their root and returns the entries in an order in which bases come first. What no
// root reaches (a loop) keeps 0 and is never walked.
func (l *layout) inherit() []int32 {
	var stack []int32
	order := make([]int32, 0, len(l.offs))
	for k := range l.offs {
		if l.delta[k] || l.kind[k] == 0 {
			continue
		}
		stack = append(stack[:0], int32(k))
		for len(stack) > 0 {
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			order = append(order, e)
			for c := l.first[e]; c >= 0; c = l.next[c] {
				l.kind[c] = l.kind[k]
				stack = append(stack, c)
			}
		}
	}
	return order
}

// heaviestLast moves the child with most below it behind its siblings. A walk that gives up a base before its last child
// then holds few objects at once: each of the others has at most half of what its base has.
func (l *layout) heaviestLast(order, base []int32) {
	weight := make([]int32, len(l.offs))
	for i := len(order) - 1; i >= 0; i-- {
		k := order[i]
		weight[k]++
		if l.delta[k] {
			weight[base[k]] += weight[k]
		}
	}
	for _, k := range order {
		first := l.first[k]
		if first < 0 || l.next[first] < 0 {
			continue
		}
		best, before, last := first, int32(-1), first
		for c, prev := l.next[first], first; c >= 0; c, prev = l.next[c], c {
			if weight[c] > weight[best] {
				best, before = c, prev
			}
			last = c
		}
		if best == last {
			continue
		}
		if before < 0 {
			l.first[k] = l.next[best]
		} else {
			l.next[before] = l.next[best]
		}
		l.next[last], l.next[best] = best, -1
	}
}

// roots lists the whole objects of a kind.
func (l *layout) roots(kind uint8) []int32 {
	var out []int32
	for k := range l.offs {
		if l.kind[k] == kind && !l.delta[k] {
			out = append(out, int32(k))
		}
	}
	return out
}

// bytes is how long the objects of a kind are, deltas by what they hold themselves.
func (l *layout) bytes(kind uint8) uint64 {
	n := uint64(0)
	for k := range l.offs {
		if l.kind[k] == kind {
			n += l.size[k]
		}
	}
	return n
}

func (l *layout) id(k int32) []byte { return l.pack.id(int(l.index[k])) }
