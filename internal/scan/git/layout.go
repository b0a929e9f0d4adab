package git

import (
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
	bad   int64   // entries that cannot be read
}

func (p *pack) layout() *layout {
	l := &layout{pack: p, index: make([]int32, p.n), offs: make([]uint64, p.n)}
	at := make([]uint64, p.n)
	for i := range p.n {
		l.index[i] = int32(i)
		at[i] = p.offset(i)
	}
	slices.SortFunc(l.index, func(a, b int32) int {
		if at[a] < at[b] {
			return -1
		}
		return 1
	})
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
			l.bad++
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
		if base[k] < 0 || int(base[k]) == k {
			l.bad++
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
	l.inherit()
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

// inherit gives deltas the kind of their root. What no root reaches (a loop) keeps 0 and is never walked.
func (l *layout) inherit() {
	var stack []int32
	for k := range l.offs {
		if l.delta[k] || l.kind[k] == 0 {
			continue
		}
		stack = append(stack[:0], int32(k))
		for len(stack) > 0 {
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for c := l.first[e]; c >= 0; c = l.next[c] {
				l.kind[c] = l.kind[k]
				stack = append(stack, c)
			}
		}
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

func (l *layout) id(k int32) []byte { return l.pack.id(int(l.index[k])) }
