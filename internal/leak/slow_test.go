package leak

import (
	"strings"
	"testing"
)

// TestHostileText repeats each keyword, bare and with what may follow: once a text has used up the steps that it may
// take (here none), no rule may be slow on it. Steps are counted, not time.
func TestHostileText(t *testing.T) {
	e, err := Compile(Rules())
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, r := range Rules() {
		if r.Pattern != "" || r.Family == "generic" {
			for _, k := range r.Keywords {
				words[k] = true
			}
		}
		if r.Pattern != "" {
			if p, err := compilePattern(r.Pattern, r.Fold); err == nil {
				for _, k := range p.prefixes() {
					words[k] = true
				}
			}
		}
	}
	words["eyJ-"], words["-----BEGIN A PRIVATE KEY-----"] = true, true
	size := 4 << 10
	if testing.Short() {
		size = 1 << 10
	}
	for w := range words {
		for _, tail := range []string{"", "=", ":a@", "A1"} {
			unit := w + tail
			text := []byte(strings.Repeat(unit, size/len(unit)))
			h := &hunt{e: e, b: text, last: -1}
			e.auto.walk(text, h.hit)
			if used := -h.left; used > 150*len(text) {
				t.Errorf("%q repeated: %d steps for %d bytes", unit, used, len(text))
			}
		}
	}
}
