package triage

import (
	"fmt"

	"github.com/keephold/keephold/internal/scan"
)

// Verdicts on a finding. One without a verdict is accepted for now; a real one is not.
const (
	Real  = "real"
	False = "false"
)

// Baseline is a baseline of ours that is being edited.
type Baseline struct{ list []known }

// Open reads a baseline of ours.
func Open(name string) (*Baseline, error) {
	list, err := readKnown(name)
	if err != nil {
		return nil, fmt.Errorf("baseline %s: %w", name, err)
	}
	return &Baseline{list}, nil
}

// Save writes it, one finding a line.
func (b *Baseline) Save(name string) error { return writeKnown(name, b.list) }

// Update makes it hold what was found, and keeps the verdicts on what was there. It says how many are new and how many
// are gone.
func (b *Baseline) Update(found []scan.Finding) (added, gone int) {
	before := map[string]known{}
	for _, k := range b.list {
		before[k.ID] = k
	}
	b.list = nil
	now := map[string]bool{}
	for _, f := range found {
		if now[f.Identity] {
			continue
		}
		now[f.Identity] = true
		k, ok := before[f.Identity]
		if !ok {
			k = known{ID: f.Identity, Rule: f.Rule, Path: f.Path}
			added++
		}
		b.list = append(b.list, k)
	}
	for id := range before {
		if !now[id] {
			gone++
		}
	}
	return added, gone
}

// Verdict returns what was decided on a finding, and whether the baseline holds it.
func (b *Baseline) Verdict(id string) (string, bool) {
	for _, k := range b.list {
		if k.ID == id {
			return k.Verdict, true
		}
	}
	return "", false
}

// Decide notes a verdict. It reports false for a finding that the baseline does not hold.
func (b *Baseline) Decide(id, verdict string) bool {
	done := false
	for i := range b.list {
		if b.list[i].ID == id {
			b.list[i].Verdict = verdict
			done = true
		}
	}
	return done
}

// Count says how many findings are undecided, real and false.
func (b *Baseline) Count() (open, real, wrong int) {
	for _, k := range b.list {
		switch k.Verdict {
		case Real:
			real++
		case False:
			wrong++
		default:
			open++
		}
	}
	return open, real, wrong
}
