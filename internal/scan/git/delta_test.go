package git

import (
	"slices"
	"testing"

	"github.com/keephold/keephold/internal/scan"
)

// TestPatchNotes applies deltas by hand and looks at what they say has to be looked at.
func TestPatchNotes(t *testing.T) {
	base := make([]byte, 4000)
	copies := func(off, n int) []byte {
		return []byte{0x80 | 0x1 | 0x2 | 0x10 | 0x20, byte(off), byte(off >> 8), byte(n), byte(n >> 8)}
	}
	head := func(size int) []byte {
		return []byte{0x80 | 4000&0x7f, 4000 >> 7, byte(0x80 | size&0x7f), byte(size >> 7)}
	}
	for name, c := range map[string]struct {
		delta []byte
		again []scan.Region
		want  []scan.Region
	}{
		"a copy of all":                      {slices.Concat(head(4000), copies(0, 4000)), nil, nil},
		"an insert":                          {slices.Concat(head(4003), copies(0, 1000), []byte("\x03abc"), copies(1000, 3000)), nil, []scan.Region{{Start: 1000, End: 1003}}},
		"a cut":                              {slices.Concat(head(3000), copies(0, 1000), copies(2000, 2000)), nil, []scan.Region{{Start: 1000, End: 1000}}},
		"a find that moves":                  {slices.Concat(head(4003), []byte("\x03abc"), copies(0, 4000)), []scan.Region{{Start: 1000, End: 1020}}, []scan.Region{{Start: 0, End: 3}, {Start: 1003, End: 1023}}},
		"a find cut in two":                  {slices.Concat(head(3000), copies(0, 1010), copies(2010, 1990)), []scan.Region{{Start: 1000, End: 1020}}, []scan.Region{{Start: 1000, End: 1010}}},
		"a find that is left out":            {slices.Concat(head(3000), copies(0, 1000), copies(2000, 2000)), []scan.Region{{Start: 1000, End: 1020}}, []scan.Region{{Start: 1000, End: 1000}}},
		"a find that stands there two times": {slices.Concat(head(2000), copies(0, 1000), copies(0, 1000)), []scan.Region{{Start: 10, End: 20}}, []scan.Region{{Start: 10, End: 20}, {Start: 1000, End: 1020}}},
	} {
		noted := changes{again: c.again}
		if _, err := patch(base, c.delta, nil, &noted); err != nil || !slices.Equal(noted.regions, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, noted.regions, err, c.want)
		}
	}
}
