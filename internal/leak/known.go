package leak

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
)

// A Known is a stored value to look for, with the name under which it is kept.
type Known struct {
	Name  string
	Value []byte
}

// KnownValues finds values that are really stored, in every form they are likely to be written in. It implements
// [Finder]; its matches are certain and carry the name as their Rule.
//
// It also serves streams: see Spans and Live.
type KnownValues struct {
	names   []string // by form
	exact   *Needles
	squeeze *Needles // forms without blanks, for values that a terminal or a log broke up
	broken  []string // names of those
	lines   bool     // some value has several lines
}

var _ Finder = (*KnownValues)(nil)

// A Refusal is a value that is not looked for, and why.
type Refusal struct{ Name, Why string }

// NewKnownValues prepares the search for the values. Values that are too short or too common are refused and returned:
// masking them would spoil the text and tell what they are.
func NewKnownValues(values []Known) (*KnownValues, []Refusal) {
	k := &KnownValues{}
	var refused []Refusal
	var forms, squeezed [][]byte
	for _, v := range values {
		if why := Refused(v.Value); why != "" {
			refused = append(refused, Refusal{v.Name, why})
			continue
		}
		for _, f := range Forms(v.Value) {
			forms = append(forms, f)
			k.names = append(k.names, v.Name)
		}
		if s, _ := squeeze(v.Value, nil, nil); len(s) >= minLine {
			squeezed = append(squeezed, s)
			k.broken = append(k.broken, v.Name)
		}
		if bytes.IndexByte(v.Value, '\n') >= 0 {
			k.lines = true
		}
	}
	k.exact = NewNeedles(forms)
	k.squeeze = NewNeedles(squeezed)
	return k, refused
}

// A Span is a place in a text that one of the values covers.
type Span struct {
	Start, End int
	Name       string
}

// Spans returns the places that hold any form of any value, ordered by Start, longer ones first.
func (k *KnownValues) Spans(b []byte) []Span {
	var out []Span
	if k.exact != nil {
		k.exact.Match(b, func(start, end, needle int) {
			out = append(out, Span{start, end, k.names[needle]})
		})
	}
	if k.loose(b) {
		s, at := squeeze(b, nil, nil)
		k.squeeze.Match(s, func(start, end, needle int) {
			out = append(out, Span{int(at[start]), int(at[end-1]) + 1, k.broken[needle]})
		})
	}
	if len(out) > 1 {
		slices.SortFunc(out, func(a, b Span) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.Name, b.Name))
		})
	}
	return out
}

// Live returns the index from which the rest of b could still grow into a value when more text follows.
func (k *KnownValues) Live(b []byte) int {
	live := len(b)
	if k.exact != nil {
		live = k.exact.Live(b)
	}
	if k.loose(b) {
		s, at := squeeze(b, nil, nil)
		if i := k.squeeze.Live(s); i < len(s) {
			live = min(live, int(at[i]))
		}
	}
	return live
}

// loose reports whether the lane that ignores blanks and colours has to run: there is a value of several lines to be
// broken up, or a terminal sequence that may stand in the middle of any value.
func (k *KnownValues) loose(b []byte) bool {
	return k.squeeze != nil && (k.lines || bytes.IndexByte(b, 0x1b) >= 0)
}

// squeeze copies b without blanks, escaped line ends and terminal sequences (ECMA-48 CSI), and says where each byte
// stood.
func squeeze(b, out []byte, at []int32) ([]byte, []int32) {
	out, at = slices.Grow(out[:0], len(b)), slices.Grow(at[:0], len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
			continue
		case c == 0x1b:
			if i+1 < len(b) && b[i+1] == '[' {
				j := i + 2
				for j < len(b) && j-i < 32 && b[j] >= 0x20 && b[j] <= 0x3f {
					j++
				}
				i = j
			}
			continue
		case c == '\\' && i+1 == len(b): // half of an escape, when more follows
			continue
		case c == '\\' && (b[i+1] == 'n' || b[i+1] == 'r'):
			i++
			continue
		}
		out = append(out, c)
		at = append(at, int32(i))
	}
	return out, at
}

// Find implements [Finder].
func (k *KnownValues) Find(b []byte) iter.Seq[Match] {
	return func(yield func(Match) bool) {
		end := -1
		for _, s := range k.Spans(b) {
			if s.Start < end {
				continue
			}
			end = s.End
			m := Match{
				Rule: s.Name, Start: s.Start, End: s.End, SecretStart: s.Start, SecretEnd: s.End, Score: 100, Confidence: Certain,
				Explain: []Reason{{100, "a stored value"}},
			}
			if !yield(m) {
				return
			}
		}
	}
}
