package leak

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// A user's expression costs a hundred times what a keyword does, and most keywords (key, token, auth) stand in text in
// which it cannot match. So it is run only where two cheap conditions hold: what it wants behind its keyword is there
// (tail), which fails after a few bytes, and so are the other texts that every match holds (musts).

// tailer looks for the places of an expression at which one of its keywords ends.
type tailer struct {
	keywords []string
	left     int // steps
}

const (
	tailTexts  = 256 // texts that the keyword's part of an expression may match
	tailLength = 64  // the longest of them
	tailSteps  = 4000
)

// tail returns the part of the expression behind its keyword, to be matched from the keyword's last byte on. It is nil
// when the expression has no such place: one that every match reaches exactly where one of the keywords ends.
func tail(re *syntax.Regexp, keywords []string) *regexp.Regexp {
	t := &tailer{keywords, tailSteps}
	ends := t.anywhere(flat(re, nil))
	if ends == nil {
		return nil
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	out, err := regexp.Compile(`\A(?s:.)(?:` + strings.Join(ends, "|") + ")") // the dot is the keyword's last byte, for what looks back
	if err != nil {
		return nil
	}
	return out
}

// anywhere returns what may stand behind a keyword, wherever in the sequence it begins.
func (t *tailer) anywhere(parts []*syntax.Regexp) []string {
	for i, p := range parts {
		if ends := t.here(parts[i:], []string{""}); ends != nil {
			return ends
		}
		if p.Op == syntax.OpAlternate {
			return t.each(p.Sub, func(branch *syntax.Regexp) []string { return t.anywhere(append(flat(branch, nil), parts[i+1:]...)) })
		}
	}
	return nil
}

// here returns what may stand behind a keyword that begins with texts and goes on with the sequence.
func (t *tailer) here(parts []*syntax.Regexp, texts []string) []string {
	for i, p := range parts {
		if t.left--; t.left < 0 {
			return nil
		}
		next := join(texts, p)
		if next != nil && t.ends(next) {
			return []string{sequence(parts[i+1:])}
		}
		if p.Op == syntax.OpAlternate {
			if ends := t.each(p.Sub, func(branch *syntax.Regexp) []string {
				return t.here(append(flat(branch, nil), parts[i+1:]...), texts)
			}); ends != nil {
				return ends
			}
		}
		if texts = next; texts == nil {
			return nil
		}
	}
	return nil
}

// each joins what f returns for all branches; nil when it does for one.
func (t *tailer) each(branches []*syntax.Regexp, f func(*syntax.Regexp) []string) []string {
	var out []string
	for _, b := range branches {
		ends := f(b)
		if ends == nil {
			return nil
		}
		out = append(out, ends...)
	}
	return out
}

// ends reports that each of the texts ends with a keyword.
func (t *tailer) ends(texts []string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool {
		return !slices.ContainsFunc(t.keywords, func(k string) bool { return strings.HasSuffix(text, k) })
	})
}

func sequence(parts []*syntax.Regexp) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("(?:" + p.String() + ")")
	}
	return b.String()
}

// flat lists what an expression consists of, one after the other: without its groups, and literals letter by letter.
func flat(re *syntax.Regexp, to []*syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture:
		return flat(re.Sub[0], to)
	case syntax.OpConcat:
		for _, s := range re.Sub {
			to = flat(s, to)
		}
		return to
	case syntax.OpLiteral:
		for i := range re.Rune {
			to = append(to, &syntax.Regexp{Op: syntax.OpLiteral, Flags: re.Flags, Rune: re.Rune[i : i+1]})
		}
		return to
	}
	return append(to, re)
}

// join returns the texts, in lower case, that are one of texts followed by what re matches; nil when they are too many or
// too long.
func join(texts []string, re *syntax.Regexp) []string {
	var out []string
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return texts
	case syntax.OpCapture:
		return join(texts, re.Sub[0])
	case syntax.OpConcat:
		for _, s := range re.Sub {
			if texts = join(texts, s); texts == nil {
				return nil
			}
		}
		return texts
	case syntax.OpLiteral:
		for _, t := range texts {
			out = append(out, t+strings.ToLower(string(re.Rune)))
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				for _, t := range texts {
					if out = append(out, t+strings.ToLower(string(r))); len(out) > tailTexts {
						return nil
					}
				}
			}
		}
	case syntax.OpQuest:
		more := join(texts, re.Sub[0])
		if more == nil {
			return nil
		}
		out = append(slices.Clone(texts), more...)
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			more := join(texts, s)
			if more == nil {
				return nil
			}
			out = append(out, more...)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > tailTexts || slices.ContainsFunc(out, func(s string) bool { return len(s) > tailLength }) {
		return nil
	}
	return out
}

// musts returns texts, in lower case, that every match holds in one case or another.
func musts(re *syntax.Regexp) []string {
	const least = 3
	switch re.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(re.Rune))
		if len(text) < least || strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
			return nil
		}
		return []string{text}
	case syntax.OpCapture, syntax.OpPlus:
		return musts(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return musts(re.Sub[0])
		}
	case syntax.OpConcat:
		var out []string
		for _, s := range re.Sub {
			out = append(out, musts(s)...)
		}
		return out
	case syntax.OpAlternate:
		out := musts(re.Sub[0])
		for _, s := range re.Sub[1:] {
			theirs := musts(s)
			out = slices.DeleteFunc(out, func(text string) bool { return !slices.Contains(theirs, text) })
		}
		return out
	}
	return nil
}

// holdsAll reports that all of the texts, which are in lower case, stand in b in any case.
func holdsAll(b []byte, texts []string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !holdsFold(b, text) })
}

func holdsFold(b []byte, low string) bool {
	for i := 0; i+len(low) <= len(b); i++ {
		if fold(b[i]) == low[0] && equalFold(b[i:i+len(low)], low) {
			return true
		}
	}
	return false
}
