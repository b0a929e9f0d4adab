package leak

import (
	"fmt"
	"slices"
)

// automaton is an Aho–Corasick machine over the keywords with letters folded to lower case, as one dense table.
// Bytes that no keyword tells apart share a class, so a row is at most 64 entries and the table stays in the cache.
//
//	next[state<<6 | class[byte]] = state, with the top bit set when a keyword ends there
type automaton struct {
	class  [256]uint8
	next   []uint16
	out    [][]uint16 // by state: ids of the keywords that end there, longest first
	length []int      // by keyword id
	max    int        // the longest keyword
}

const (
	accept    = 1 << 15
	maxStates = accept - 1
	rowShift  = 6
)

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func newAutomaton(words []string) (*automaton, error) {
	a := &automaton{length: make([]int, len(words))}
	if err := a.classes(words); err != nil {
		return nil, err
	}
	total := 1
	for _, w := range words {
		total += len(w)
		a.max = max(a.max, len(w))
	}
	t := trie{nodes: make([]node, 1, min(total, maxStates+1))}
	for id, w := range words {
		if err := t.insert(uint16(id), w, &a.class); err != nil {
			return nil, err
		}
		a.length[id] = len(w)
	}
	a.fill(t.nodes)
	return a, nil
}

// trie is the tree of the keywords; its root is node 0.
type trie struct{ nodes []node }

type node struct {
	class       uint8 // of the byte that leads here
	first, next uint16
	out         []uint16 // ids of the keywords that end here
	fail        uint16   // state of the longest proper suffix
}

func (t *trie) insert(id uint16, w string, class *[256]uint8) error {
	if w == "" {
		return fmt.Errorf("empty keyword")
	}
	at := uint16(0)
	for i := range len(w) {
		k := class[w[i]]
		child := t.nodes[at].first
		for child != 0 && t.nodes[child].class != k {
			child = t.nodes[child].next
		}
		if child == 0 {
			if len(t.nodes) > maxStates {
				return fmt.Errorf("more than %d keyword states", maxStates)
			}
			child = uint16(len(t.nodes))
			t.nodes = append(t.nodes, node{class: k, next: t.nodes[at].first})
			t.nodes[at].first = child
		}
		at = child
	}
	t.nodes[at].out = append(t.nodes[at].out, id)
	return nil
}

// fill numbers the nodes in the order of their depth and makes their rows. Those near the root, in which a walk spends its time,
// then stand beside each other; and when a row is made, that of its fail state, of which it is a copy but for its own children,
// is complete.
func (a *automaton) fill(nodes []node) {
	a.next = make([]uint16, len(nodes)<<rowShift)
	a.out = make([][]uint16, 1, len(nodes))
	order := make([]uint16, 1, len(nodes))
	for s := 0; s < len(order); s++ {
		n := &nodes[order[s]]
		row := a.next[s<<rowShift:][:1<<rowShift]
		if s > 0 {
			copy(row, a.next[int(n.fail)<<rowShift:][:1<<rowShift])
		}
		for c := n.first; c != 0; c = nodes[c].next {
			child, state := &nodes[c], uint16(len(order))
			child.fail = row[child.class] & maxStates
			out := child.out
			if more := a.out[child.fail]; len(more) > 0 {
				out = append(slices.Clip(out), more...)
			}
			if row[child.class] = state; len(out) > 0 {
				row[child.class] |= accept
			}
			order, a.out = append(order, c), append(a.out, out)
		}
	}
}

// classes gives each byte that occurs in a keyword a class of its own, its other case the same one, and all others 0.
func (a *automaton) classes(words []string) error {
	var seen [256]bool
	for _, w := range words {
		for i := range len(w) {
			if 'A' <= w[i] && w[i] <= 'Z' {
				return fmt.Errorf("keyword %q is not in lower case", w)
			}
			seen[w[i]] = true
		}
	}
	n := uint8(0)
	for c := range 256 {
		if !seen[c] {
			continue
		}
		if n++; n >= 1<<rowShift {
			return fmt.Errorf("keywords use more than %d different bytes", 1<<rowShift-1)
		}
		a.class[c] = n
		if 'a' <= c && c <= 'z' {
			a.class[c-'a'+'A'] = n
		}
	}
	return nil
}

// laneMin is the text length from which four lanes pay for their set-up.
const laneMin = 1024

// walk calls hit(state, end) for every position where a keyword ends. A long text is walked by four interleaved
// lanes, because one lane waits for the table most of the time; so hits of long texts are not in order.
func (a *automaton) walk(b []byte, hit func(state uint16, end int)) {
	if len(b) < laneMin {
		a.lane(b, 0, 0, hit)
		return
	}
	// Lane k starts early enough to see keywords that cross its border, and reports only what ends inside of it.
	q := len(b) / 4
	next, class := a.next, &a.class
	var s [4]uint16
	for k := 1; k < 4; k++ {
		for _, c := range b[max(0, k*q-a.max) : k*q] {
			s[k] = next[uint(s[k]&maxStates)<<rowShift|uint(class[c])]
		}
	}
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	b0, b1, b2, b3 := b[:q], b[q:][:q], b[2*q:][:q], b[3*q:][:q]
	for i := range b0 {
		s0 = next[uint(s0&maxStates)<<rowShift|uint(class[b0[i]])]
		s1 = next[uint(s1&maxStates)<<rowShift|uint(class[b1[i]])]
		s2 = next[uint(s2&maxStates)<<rowShift|uint(class[b2[i]])]
		s3 = next[uint(s3&maxStates)<<rowShift|uint(class[b3[i]])]
		if (s0|s1|s2|s3)&accept != 0 {
			for k, t := range [4]uint16{s0, s1, s2, s3} {
				if t&accept != 0 {
					hit(t&maxStates, k*q+i+1)
				}
			}
		}
	}
	a.lane(b, s3, 4*q, hit)
}

func (a *automaton) lane(b []byte, s uint16, from int, hit func(state uint16, end int)) {
	next, class := a.next, &a.class
	for i := from; i < len(b); i++ {
		s = next[uint(s&maxStates)<<rowShift|uint(class[b[i]])]
		if s&accept != 0 {
			hit(s&maxStates, i+1)
		}
	}
}
