package leak

import (
	"regexp/syntax"
	"strings"
)

// What an unbounded repetition counts as: the most that a user's expression sees of it. One that takes any text, as
// between the ends of a key block, gets more than one that takes the characters of a token.
const (
	endless  = 8192
	tokenEnd = 320
	slack    = 16
)

// reach returns how many bytes a match of a user's expression may have before and behind the first of the keywords in
// it, so that a window of that size round a keyword holds every match.
func reach(expr string, keywords []string) (before, behind int, err error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, 0, err
	}
	all := longest(re)
	before = all
	if re.Op == syntax.OpConcat {
		n := 0
		for _, s := range re.Sub {
			if mentions(s, keywords) {
				before = n + longest(s)
				break
			}
			n += longest(s)
		}
	}
	return min(before, endless) + slack, all + slack, nil
}

// mentions reports that a literal in the expression shares its letters with a keyword.
func mentions(re *syntax.Regexp, keywords []string) bool {
	if re.Op == syntax.OpLiteral {
		text := strings.ToLower(string(re.Rune))
		for _, k := range keywords {
			if strings.Contains(text, k) || strings.HasPrefix(k, text) {
				return true
			}
		}
	}
	for _, s := range re.Sub {
		if mentions(s, keywords) {
			return true
		}
	}
	return false
}

func longest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(string(re.Rune))
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpQuest:
		return longest(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return unboundedOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Max < 0 {
			return re.Min*longest(re.Sub[0]) + unboundedOf(re.Sub[0])
		}
		return min(endless, re.Max*longest(re.Sub[0]))
	case syntax.OpConcat:
		n := 0
		for _, s := range re.Sub {
			n += longest(s)
		}
		return min(n, 2*endless)
	case syntax.OpAlternate:
		n := 0
		for _, s := range re.Sub {
			n = max(n, longest(s))
		}
		return n
	}
	return 0
}

// unboundedOf tells a repetition that crosses lines and words from one of a token.
func unboundedOf(re *syntax.Regexp) int {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return endless
	case syntax.OpCharClass:
		newline, letter := false, false
		for i := 0; i+1 < len(re.Rune); i += 2 {
			newline = newline || re.Rune[i] <= '\n' && '\n' <= re.Rune[i+1]
			letter = letter || re.Rune[i] <= 'm' && 'm' <= re.Rune[i+1]
		}
		if !newline || !letter {
			return tokenEnd
		}
		return endless
	}
	return endless
}
