package scan

import (
	"cmp"
	"iter"
	"slices"
)

// moves knows what each chunk holds, to tell a secret that a commit moves from one that it copies.
type moves struct {
	hits  []hit
	order []int32 // of the hits, by chunk
	left  map[*Left]map[what]string
}

// what is a secret, as a rule found it.
type what struct{ rule, secret string }

func newMoves(hits []hit) *moves {
	m := &moves{hits: hits, order: make([]int32, len(hits)), left: map[*Left]map[what]string{}}
	for i := range m.order {
		m.order[i] = int32(i)
	}
	slices.SortFunc(m.order, func(a, b int32) int { return cmp.Compare(hits[a].chunk, hits[b].chunk) })
	return m
}

// in yields what a chunk holds.
func (m *moves) in(chunk string) iter.Seq[what] {
	return func(yield func(what) bool) {
		i, _ := slices.BinarySearchFunc(m.order, chunk, func(k int32, chunk string) int { return cmp.Compare(m.hits[k].chunk, chunk) })
		for ; i < len(m.order) && m.hits[m.order[i]].chunk == chunk; i++ {
			h := &m.hits[m.order[i]]
			if !yield(what{h.Rule, h.Secret}) {
				return
			}
		}
	}
}

// from returns the path that the commit of a finding took the secret away from, or "".
func (m *moves) from(f *Finding) string {
	if len(f.Left) == 0 {
		return ""
	}
	gone, ok := m.left[&f.Left[0]] // all places of a commit share one list
	if !ok {
		gone = map[what]string{}
		for _, l := range f.Left {
			now := slices.Collect(m.in(l.Now))
			for w := range m.in(l.ID) {
				if !slices.Contains(now, w) {
					gone[w] = l.Path
				}
			}
		}
		m.left[&f.Left[0]] = gone
	}
	if path := gone[what{f.Rule, f.Secret}]; path != f.Path {
		return path
	}
	return ""
}

// trace follows moves back to where each finding came in: what was accepted there is accepted still.
func trace(found []Finding) {
	before := map[string]string{}
	for _, f := range found {
		if len(f.Former) > 0 {
			before[f.Identity] = f.Former[0]
		}
	}
	for i := range found {
		f := &found[i]
		seen := map[string]bool{f.Identity: true}
		for x, ok := before[f.Identity]; ok && !seen[x]; x, ok = before[x] {
			if len(seen) > 1 {
				f.Former = append(f.Former, x)
			}
			seen[x] = true
		}
	}
}
