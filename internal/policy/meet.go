package policy

import (
	"fmt"
	"slices"
	"strings"
)

// closeUnderMeet adds to the patterns the meet of each two of them, and of those, until nothing is new. It answers them sorted.
func closeUnderMeet(patterns []Pattern) ([]Pattern, error) {
	known := map[Pattern]bool{}
	all := slices.Clone(patterns)
	for _, p := range all {
		known[p] = true
	}
	for i := 0; i < len(all); i++ {
		for j := range i {
			m, ok := meet(all[i], all[j])
			if !ok || known[m] {
				continue
			}
			if len(all) >= maxRules {
				return nil, fmt.Errorf("grants overlap in more than %d ways: make them simpler", maxRules)
			}
			known[m] = true
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b Pattern) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

// meet is the pattern that matches exactly what both a and b match; false when nothing does, or when no one pattern says it (a "+" that has to begin with
// a text). Literals, prefixes and segment patterns only.
func meet(a, b Pattern) (Pattern, bool) {
	x, y := strings.Split(a.text, "/"), strings.Split(b.text, "/")
	var out []string
	var plus uint64
	for i := 0; ; i++ {
		lastX, lastY := a.prefix && i == len(x)-1, b.prefix && i == len(y)-1
		switch {
		case lastX && lastY:
			return meetTails(out, plus, x[i], y[i])
		case lastX && i < len(y):
			return meetRest(out, plus, x[i], y, b, i)
		case lastY && i < len(x):
			return meetRest(out, plus, y[i], x, a, i)
		case i == len(x) || i == len(y):
			if len(x) != len(y) || a.prefix || b.prefix {
				return Pattern{}, false
			}
			return spelled(out, plus, false), true
		}
		wildX, wildY := a.wild(i), b.wild(i)
		switch {
		case wildX && wildY:
			plus |= 1 << i
			out = append(out, "+")
		case wildX:
			out = append(out, y[i])
		case wildY || x[i] == y[i]:
			out = append(out, x[i])
		default:
			return Pattern{}, false
		}
	}
}

func (p Pattern) wild(i int) bool { return i < maxSegment && p.plus&(1<<i) != 0 }

// meetTails is meet from where both patterns end in "text*".
func meetTails(out []string, plus uint64, x, y string) (Pattern, bool) {
	if len(x) < len(y) {
		x, y = y, x
	}
	if !strings.HasPrefix(x, y) {
		return Pattern{}, false
	}
	return spelled(append(out, x), plus, true), true
}

// meetRest is meet from where one pattern ends in "tail*" and the other, p with the segments y, goes on with segment i.
func meetRest(out []string, plus uint64, tail string, y []string, p Pattern, i int) (Pattern, bool) {
	if p.wild(i) && tail != "" || !strings.HasPrefix(y[i], tail) {
		return Pattern{}, false
	}
	return spelled(append(out, y[i:]...), plus|p.plus>>i<<i, p.prefix), true
}

func spelled(segments []string, plus uint64, prefix bool) Pattern {
	p := Pattern{text: strings.Join(segments, "/"), plus: plus, prefix: prefix}
	switch {
	case plus != 0:
		p.kind = KindSegment
	case prefix:
		p.kind = KindPrefix
	}
	return p
}
