package policy

import (
	"math"
	"strings"
)

// rank is a pattern's place in the vendor's published priority order
// (https://openbao.org/docs/concepts/policies/#policy-syntax): of two patterns that match a name, the one
//
//  1. whose first wildcard or glob stands later,
//  2. that does not end in "*",
//  3. that has fewer "+" segments,
//  4. that is longer,
//  5. that is lexicographically larger
//
// has the higher priority, the first difference deciding. A literal has no wildcard at all and so stands above every other pattern.
type rank struct {
	first  int
	prefix bool
	plus   int
	text   string
}

func (p Pattern) rank() rank {
	r := rank{first: math.MaxInt, prefix: p.prefix, text: p.text}
	switch p.kind {
	case KindPrefix:
		r.first = len(p.text)
	case KindSegment:
		r.first, r.plus = p.plusPlaces()
	case KindGlob:
		if i := strings.IndexAny(p.text, "*?"); i >= 0 {
			r.first = i
		}
		r.prefix = strings.HasSuffix(p.text, "*")
		r.plus = strings.Count(p.text, "*") + strings.Count(p.text, "?")
	}
	return r
}

// plusPlaces is the offset of the first wildcard segment and the number of them.
func (p Pattern) plusPlaces() (first, count int) {
	first = -1
	start, segment := 0, 0
	for i := 0; i <= len(p.text) && segment < maxSegment; i++ {
		if i < len(p.text) && p.text[i] != '/' {
			continue
		}
		if p.plus&(1<<segment) != 0 {
			if first < 0 {
				first = start
			}
			count++
		}
		segment, start = segment+1, i+1
	}
	return first, count
}

// above reports whether r has the higher priority.
func (r *rank) above(o *rank) bool {
	switch {
	case r.first != o.first:
		return r.first > o.first
	case r.prefix != o.prefix:
		return !r.prefix
	case r.plus != o.plus:
		return r.plus < o.plus
	case len(r.text) != len(o.text):
		return len(r.text) > len(o.text)
	}
	return r.text > o.text
}

// names reports whether the pattern spells the whole name of the Space: its first wildcard, if any, stands below "SPACE/".
func (r *rank) names(space string) bool { return r.first > len(space) }
