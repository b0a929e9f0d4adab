package scan

// moves knows what each chunk holds, to tell a secret that a commit moves from one that it copies.
type moves struct {
	holds map[string]map[string]bool // by chunk: rule, NUL, secret
	left  map[*Left]map[string]string
}

func newMoves(hits []hit) *moves {
	m := &moves{holds: map[string]map[string]bool{}, left: map[*Left]map[string]string{}}
	for _, h := range hits {
		if m.holds[h.chunk] == nil {
			m.holds[h.chunk] = map[string]bool{}
		}
		m.holds[h.chunk][h.Rule+"\x00"+h.Secret] = true
	}
	return m
}

// from returns the path that the commit of a finding took the secret away from.
func (m *moves) from(f Finding) (string, bool) {
	if len(f.Left) == 0 {
		return "", false
	}
	gone, ok := m.left[&f.Left[0]] // all places of a commit share one list
	if !ok {
		gone = map[string]string{}
		for _, l := range f.Left {
			for what := range m.holds[l.ID] {
				if !m.holds[l.Now][what] {
					gone[what] = l.Path
				}
			}
		}
		m.left[&f.Left[0]] = gone
	}
	path, ok := gone[f.Rule+"\x00"+f.Secret]
	return path, ok && path != f.Path
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
