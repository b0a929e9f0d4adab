package gitsecrets

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// patternError says what is wrong with a pattern of a user, in the words of the tools that people know.
type patternError struct{ pattern, why string }

func (e *patternError) Error() string { return fmt.Sprintf("pattern %q: %s", e.pattern, e.why) }

// translate turns a POSIX extended expression, with the escapes of the GNU tools, into Go's syntax. The two differ in
// brackets (a backslash is a character there), in what a stray operator means, and in the escapes.
//
// IEEE Std 1003.1-2024, section 9.4; the GNU escapes are \w \W \s \S \b \B \< \> \` \'.
//
// strict refuses a brace that begins no count, as git does; grep takes it for a character.
func translate(ere string, strict bool) (string, error) {
	t := translator{in: ere, atom: -1, strict: strict}
	for t.at < len(t.in) {
		if err := t.next(); err != nil {
			return "", &patternError{ere, err.Error()}
		}
	}
	if len(t.groups) > 0 {
		return "", &patternError{ere, `Unmatched ( or \(`}
	}
	return t.out.String(), nil
}

type translator struct {
	in     string
	at     int
	out    strings.Builder
	atom   int   // where in out the last atom starts; -1 when there is none to repeat
	groups []int // where in out the open groups start
	strict bool
}

func (t *translator) next() error {
	c := t.in[t.at]
	t.at++
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.bracket()
	case '(':
		t.groups = append(t.groups, t.out.Len())
		t.out.WriteString("(?:")
		t.atom = -1
	case ')':
		if len(t.groups) == 0 {
			return errors.New(`Unmatched ) or \)`) //nolint:staticcheck // the words of the tools that people know
		}
		t.atom = t.groups[len(t.groups)-1]
		t.groups = t.groups[:len(t.groups)-1]
		t.out.WriteByte(')')
	case '|':
		t.out.WriteByte('|')
		t.atom = -1
	case '^', '$':
		t.out.WriteByte(c)
		t.atom = -1
	case '.':
		t.put(`[^\n]`)
	case '*', '+', '?':
		t.repeat(string(c))
	case '{':
		return t.interval()
	default:
		t.put(literal(c))
	}
	return nil
}

// literal is one byte of a pattern. Texts are matched with each byte as a character, as in the C locale.
func literal(c byte) string { return regexp.QuoteMeta(string(rune(c))) }

func (t *translator) put(atom string) {
	t.atom = t.out.Len()
	t.out.WriteString(atom)
}

// repeat puts an operator behind the last atom, which is wrapped: a second operator repeats the repetition, and does not
// make it lazy as it would in Go.
func (t *translator) repeat(op string) {
	if t.atom < 0 {
		return // nothing to repeat: the tools take it for an empty expression
	}
	all := t.out.String()
	t.out.Reset()
	t.out.WriteString(all[:t.atom] + "(?:" + all[t.atom:] + op + ")")
}

// interval reads {n}, {n,} or {n,m}.
func (t *translator) interval() error {
	end := strings.IndexByte(t.in[t.at:], '}')
	if end < 0 || t.atom < 0 {
		return t.brace(`Unmatched \{`)
	}
	body := t.in[t.at : t.at+end]
	low, high, comma := strings.Cut(body, ",")
	if low == "" && comma {
		low = "0"
	}
	n, err := strconv.Atoi(low)
	m := n
	if err == nil && high != "" {
		m, err = strconv.Atoi(high)
	}
	if err != nil || n < 0 || m < n || m > mostCount {
		return t.brace(`Invalid content of \{\}`)
	}
	t.at += end + 1
	t.times(n, m, comma && high == "")
	return nil
}

// mostCount is RE_DUP_MAX of the tools.
const mostCount = 32767

// brace is one that begins no count.
func (t *translator) brace(why string) error {
	if t.strict {
		return errors.New(why)
	}
	t.put(`\{`)
	return nil
}

// mostRepeat is the largest count that Go's expressions take.
const mostRepeat = 1000

// times writes a repetition, in pieces when it is longer than one may be.
func (t *translator) times(n, m int, open bool) {
	all := t.out.String()
	atom := all[t.atom:]
	var b strings.Builder
	b.WriteString("(?:")
	for k := n; k > 0; k -= mostRepeat {
		fmt.Fprintf(&b, "(?:%s){%d}", atom, min(k, mostRepeat))
	}
	if open {
		fmt.Fprintf(&b, "(?:%s)*", atom)
	}
	for k := m - n; k > 0 && !open; k -= mostRepeat {
		fmt.Fprintf(&b, "(?:%s){0,%d}", atom, min(k, mostRepeat))
	}
	b.WriteString(")")
	t.out.Reset()
	t.out.WriteString(all[:t.atom] + b.String())
}

func (t *translator) escape() error {
	if t.at == len(t.in) {
		return errors.New("Trailing backslash") //nolint:staticcheck // the words of the tools that people know
	}
	c := t.in[t.at]
	t.at++
	switch c {
	case 'w', 'W', 's', 'S':
		t.put(`\` + string(c))
	case 'b', 'B':
		t.out.WriteString(`\` + string(c))
		t.atom = -1
	case '<':
		t.out.WriteString(`\b`) // at a word's beginning or end: the word check behind it tells them apart
		t.atom = -1
	case '>':
		t.out.WriteString(`\b`)
		t.atom = -1
	case '`':
		t.out.WriteString(`\A`)
		t.atom = -1
	case '\'':
		t.out.WriteString(`\z`)
		t.atom = -1
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return errors.New("references back to a group are not supported")
	default:
		t.put(literal(c))
	}
	return nil
}

// bracket reads [...]: a ] that comes first is a member, so is a backslash; [:class:] is as in Go, [=x=] and [.x.] are x.
func (t *translator) bracket() error {
	unmatched := errors.New("Unmatched [, [^, [:, [., or [=") //nolint:staticcheck // the words of the tools that people know
	var b strings.Builder
	b.WriteByte('[')
	if t.at < len(t.in) && t.in[t.at] == '^' {
		b.WriteString("^\\n")
		t.at++
	}
	for first := true; ; first = false {
		if t.at >= len(t.in) {
			return unmatched
		}
		c := t.in[t.at]
		if c == ']' && !first {
			t.at++
			break
		}
		if c == '[' && t.at+1 < len(t.in) && strings.IndexByte(":.=", t.in[t.at+1]) >= 0 {
			kind := t.in[t.at+1]
			end := strings.Index(t.in[t.at+2:], string(kind)+"]")
			if end < 0 {
				return unmatched
			}
			name := t.in[t.at+2 : t.at+2+end]
			t.at += end + 4
			switch {
			case kind == ':':
				b.WriteString("[:" + name + ":]")
			case len(name) == 1:
				b.WriteString(member(name[0]))
			default:
				return errors.New("Invalid collation character") //nolint:staticcheck // as above
			}
			continue
		}
		t.at++
		b.WriteString(member(c))
		if t.at+1 < len(t.in) && t.in[t.at] == '-' && t.in[t.at+1] != ']' {
			to := t.in[t.at+1]
			if to < c {
				return errors.New("Invalid range end") //nolint:staticcheck // as above
			}
			b.WriteString("-" + member(to))
			t.at += 2
		}
	}
	b.WriteByte(']')
	t.put(b.String())
	return nil
}

// member is a byte between brackets.
func member(c byte) string {
	if c == '-' || c == '^' || c == ']' || c == '[' || c == '\\' || c == '&' || c == '~' {
		return `\` + string(rune(c))
	}
	return string(rune(c))
}

// needed lists words of which one stands in every text that the expression matches, or nil when there is no such list.
func needed(re *syntax.Regexp) []string {
	l := literals(re)
	if l.exact != nil {
		return better(nil, l.exact)
	}
	return l.best
}

// words is what is known about the texts that an expression matches: all of them (exact), or words one of which is in
// each (best).
type words struct{ exact, best []string }

const (
	mostWords = 64
	leastWord = 2
)

func literals(re *syntax.Regexp) words {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return words{}
		}
		return words{exact: []string{string(re.Rune)}}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return words{exact: []string{""}}
	case syntax.OpCharClass:
		var out []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(out) == 4 {
					return words{}
				}
				out = append(out, string(r))
			}
		}
		return words{exact: out}
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpQuest:
		if l := literals(re.Sub[0]); l.exact != nil {
			return words{exact: append([]string{""}, l.exact...)}
		}
	case syntax.OpPlus:
		return words{best: needed(re.Sub[0])}
	case syntax.OpRepeat:
		if re.Min > 0 {
			return words{best: needed(re.Sub[0])}
		}
	case syntax.OpConcat:
		return concat(re.Sub)
	case syntax.OpAlternate:
		return alternate(re.Sub)
	}
	return words{}
}

func concat(subs []*syntax.Regexp) words {
	run, whole := []string{""}, true
	var best []string
	for _, s := range subs {
		l := literals(s)
		if l.exact != nil && len(run)*len(l.exact) <= mostWords {
			run = cross(run, l.exact)
			continue
		}
		whole = false
		best = better(better(best, run), l.best)
		run = []string{""}
		if l.exact != nil {
			run = l.exact
		}
	}
	if whole {
		return words{exact: run}
	}
	return words{best: better(best, run)}
}

func alternate(subs []*syntax.Regexp) words {
	var all, best []string
	exact := true
	for _, s := range subs {
		l := literals(s)
		exact = exact && l.exact != nil
		all = append(all, l.exact...)
		n := better(nil, l.exact)
		if l.exact == nil {
			n = l.best
		}
		if n == nil && !exact {
			return words{}
		}
		best = append(best, n...)
	}
	switch {
	case exact && len(all) <= mostWords:
		return words{exact: all}
	case better(nil, best) != nil && len(best) <= mostWords && everyNeeds(subs):
		return words{best: best}
	}
	return words{}
}

// everyNeeds reports that each alternative needs a word.
func everyNeeds(subs []*syntax.Regexp) bool {
	for _, s := range subs {
		if needed(s) == nil {
			return false
		}
	}
	return true
}

func cross(a, b []string) []string {
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// better is the list whose shortest word is longer; a list with a word that is too short counts as none.
func better(a, b []string) []string {
	if shortest(b) >= leastWord && shortest(b) > shortest(a) {
		return b
	}
	return a
}

func shortest(list []string) int {
	if len(list) == 0 {
		return 0
	}
	n := len(list[0])
	for _, w := range list {
		n = min(n, len(w))
	}
	return n
}
