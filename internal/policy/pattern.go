package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind says how a pattern matches.
type Kind uint8

// The kinds of pattern.
const (
	KindLiteral  Kind = iota // the name itself
	KindPrefix               // "text*": names that begin with text
	KindSegment              // has "+" segments, each standing for one segment; may end in "*" as well
	KindGlob                 // "*" any text, "?" one byte, anywhere; for views of other vendors' policies
	kindTemplate             // still holds {{…}}; matches nothing
)

// MaxPattern bounds the length of a pattern's text, and so the work of one match.
const MaxPattern = 4096

// maxSegment is the number of leading segments of a pattern that may be "+".
const maxSegment = 64

// Pattern matches resource names. The zero Pattern is the empty literal, which no request has. Patterns are comparable; equal ones match the same names.
//
// Wildcards are kept beside the text and not in it, so that a value filled into a template can hold "*" or "+" and stays a literal.
type Pattern struct {
	text   string // without the trailing "*" of a prefix; a wildcard segment is "+" here too
	plus   uint64 // bit i: segment i is a wildcard
	kind   Kind
	prefix bool // matches names that go on after text
}

// ParsePattern reads a path of the Vault policy grammar: one leading slash is dropped, "+" is one segment, a trailing "*" any rest, everything else
// literal. A text with {{…}} is a template: it is checked here and matches nothing until it is rendered.
func ParsePattern(s string) (Pattern, error) {
	if err := checkText(s); err != nil {
		return Pattern{}, err
	}
	s = strings.TrimPrefix(s, "/")
	if strings.Contains(s, "{{") || strings.Contains(s, "}}") {
		if _, err := splitTemplate(s); err != nil {
			return Pattern{}, err
		}
		if strings.Contains(s, "+*") {
			return Pattern{}, errPlusStar
		}
		return Pattern{text: s, kind: kindTemplate}, nil
	}
	return parseLiteral(s, nil)
}

var errPlusStar = errors.New("\"+*\" is not a pattern: write \"+/*\" for anything below one segment, or \"*\" for any rest")

func checkText(s string) error {
	if len(s) > MaxPattern {
		return fmt.Errorf("path of %d bytes: at most %d are allowed", len(s), MaxPattern)
	}
	if !utf8.ValidString(s) {
		return errors.New("path is not valid UTF-8")
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("path holds the control character %#x", r)
		}
	}
	return nil
}

// parseLiteral finds the wildcards of s. filled marks bytes of s that came from a template's value and are never wildcards; nil marks none.
func parseLiteral(s string, filled []bool) (Pattern, error) {
	given := func(i int) bool { return filled == nil || !filled[i] }
	p := Pattern{text: s}
	if strings.Contains(s, "+*") && filled == nil {
		return Pattern{}, errPlusStar
	}
	if n := len(s) - 1; n >= 0 && s[n] == '*' && given(n) {
		p.text, p.prefix, p.kind = s[:n], true, KindPrefix
	}
	segment, start := 0, 0
	for i := 0; i <= len(p.text); i++ {
		if i < len(p.text) && p.text[i] != '/' {
			continue
		}
		if i == start+1 && p.text[start] == '+' && given(start) {
			if segment >= maxSegment {
				return Pattern{}, fmt.Errorf("\"+\" stands in segment %d: only the first %d may be wildcards", segment+1, maxSegment)
			}
			p.plus |= 1 << segment
			p.kind = KindSegment
		}
		segment, start = segment+1, i+1
	}
	return p, nil
}

// ParseGlob reads a pattern in which "*" stands for any text (slashes too) and "?" for one byte, anywhere.
func ParseGlob(s string) (Pattern, error) {
	if err := checkText(s); err != nil {
		return Pattern{}, err
	}
	return Pattern{text: s, kind: KindGlob}, nil
}

// Literal is the pattern that matches exactly the name s, whatever bytes it holds.
func Literal(s string) Pattern { return Pattern{text: s} }

// Below is the pattern that matches every name that begins with s.
func Below(s string) Pattern { return Pattern{text: s, kind: KindPrefix, prefix: true} }

// Kind says how the pattern matches.
func (p Pattern) Kind() Kind { return p.kind }

// Templated reports whether the pattern waits for [Policy.Render].
func (p Pattern) Templated() bool { return p.kind == kindTemplate }

// String is the pattern as one would write it.
func (p Pattern) String() string {
	if p.prefix {
		return p.text + "*"
	}
	return p.text
}

// in is the pattern as seen from the root namespace when it was written in namespace ns.
func (p Pattern) in(ns string) (Pattern, bool) {
	if ns == "" {
		return p, true
	}
	n := strings.Count(ns, "/") + 1
	if p.plus != 0 && n > 0 && p.plus>>(maxSegment-n) != 0 {
		return Pattern{}, false // a wildcard would fall off the mask: match nothing rather than something else
	}
	p.text, p.plus = ns+"/"+p.text, p.plus<<n
	return p, true
}

// Matches reports whether the pattern matches the name. Decisions do not call it: a Set finds the matching rules without trying each.
func (p Pattern) Matches(name string) bool {
	switch p.kind {
	case KindLiteral:
		return p.text == name
	case KindPrefix:
		return strings.HasPrefix(name, p.text)
	case KindSegment:
		return p.matchSegments(name)
	case KindGlob:
		return globMatch(p.text, name)
	}
	return false
}

func (p Pattern) matchSegments(name string) bool {
	text := p.text
	for i := 0; ; i++ {
		want, restWant, moreWant := strings.Cut(text, "/")
		got, restGot, moreGot := strings.Cut(name, "/")
		wild := i < maxSegment && p.plus&(1<<i) != 0
		switch {
		case !moreWant && p.prefix:
			return strings.HasPrefix(name, want) // the last piece of a prefix may be part of a segment
		case !wild && want != got:
			return false
		case moreWant != moreGot:
			return false
		case !moreWant:
			return true
		}
		text, name = restWant, restGot
	}
}

// globMatch is the usual two-pointer match: on a mismatch it goes back to the last "*" only, so the work is at most len(glob)*len(s).
func globMatch(glob, s string) bool {
	g, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, mark = g, i
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == s[i]):
			g++
			i++
		case star >= 0:
			mark++
			g, i = star+1, mark
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}
