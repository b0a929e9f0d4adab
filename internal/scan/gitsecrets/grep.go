package gitsecrets

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// A grep finds the lines that match one of several patterns as a whole word. The two tools that git-secrets runs judge
// "as a whole word" differently, and both ways are here: git grep takes the longest match at each place and asks whether
// it stands alone, grep also tries shorter ones.
type grep struct {
	how   flavor
	first *regexp.Regexp // the longest match
	later *regexp.Regexp // the same, where ^ is not the beginning
	whole *regexp.Regexp // any match that stands alone
	words [][]byte       // one of them is in each line that matches; nil when nothing is known
}

// newGrep compiles the patterns for one of the two ways; nil means that there are none.
func newGrep(patterns []string, how flavor) (*grep, error) {
	if len(patterns) == 0 {
		return nil, nil //nolint:nilnil // no pattern finds nothing; it is not an error
	}
	var parts []string
	for _, p := range patterns {
		t, err := translate(p, how == likeGit)
		if err != nil {
			return nil, err
		}
		parts = append(parts, "(?:"+t+")")
	}
	all := strings.Join(parts, "|")
	g := &grep{how: how}
	var err error
	if g.first, err = regexp.Compile(all); err != nil {
		return nil, &patternError{all, err.Error()}
	}
	never := strings.ReplaceAll(hideBrackets(all), "^", `[^\x00-\x{10FFFF}]`)
	if g.later, err = regexp.Compile(strings.ReplaceAll(never, hidden, "^")); err != nil {
		return nil, &patternError{all, err.Error()}
	}
	g.first.Longest()
	g.later.Longest()
	if g.whole, err = regexp.Compile(`(?:^|\W)(?:` + all + `)(?:$|\W)`); err != nil {
		return nil, &patternError{all, err.Error()}
	}
	if tree, err := syntax.Parse(all, syntax.Perl); err == nil {
		for _, w := range needed(tree.Simplify()) {
			g.words = append(g.words, narrow(w))
		}
	}
	return g, nil
}

// hidden stands for a ^ that is not an anchor.
const hidden = "\x00"

// hideBrackets marks the carets of a translated expression that stand between brackets or behind a backslash.
func hideBrackets(s string) string {
	b := []byte(s)
	in := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
			if i < len(b) && b[i] == '^' {
				b[i] = hidden[0]
			}
		case in && bytes.HasPrefix(b[i:], []byte("[:")):
			i += max(bytes.Index(b[i:], []byte(":]")), 0) + 1
		case b[i] == '[':
			in = true
		case b[i] == ']':
			in = false
		case b[i] == '^' && in:
			b[i] = hidden[0]
		}
	}
	return string(b)
}

// narrow is the bytes of a text whose characters stand for bytes; wide is the inverse.
func narrow(s string) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		out = append(out, byte(r))
	}
	return out
}

func wide(line []byte) []byte {
	if !slices.ContainsFunc(line, func(c byte) bool { return c >= 0x80 }) {
		return line
	}
	out := make([]byte, 0, len(line)+8)
	for _, c := range line {
		out = append(out, string(rune(c))...)
	}
	return out
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// flavor is which of the two tools is followed.
type flavor uint8

const (
	likeGit flavor = iota
	likeGrep
)

func (g *grep) line(line []byte) bool {
	line = wide(line)
	if g.how == likeGrep {
		return g.whole.Match(line)
	}
	re, from := g.first, 0
	for {
		m := re.FindIndex(line[from:])
		if m == nil {
			return false
		}
		start, end := from+m[0], from+m[1]
		if start < end && (start == 0 || !isWord(line[start-1])) && (end == len(line) || !isWord(line[end])) {
			return true
		}
		// The next place to look at is behind the next character that is no part of a word.
		from = start + 1
		for from < len(line) && isWord(line[from-1]) {
			from++
		}
		if from >= len(line) {
			return false
		}
		re = g.later
	}
}

// A hit is a line that matches.
type hit struct {
	number int
	text   string
}

// lines finds the lines of a text that match.
func (g *grep) lines(text []byte) []hit {
	var out []hit
	number, counted := 1, 0
	g.candidates(text, func(start, end int) {
		if g.line(text[start:end]) {
			number += bytes.Count(text[counted:start], []byte("\n"))
			counted = start
			out = append(out, hit{number, string(text[start:end])})
		}
	})
	return out
}

// candidates calls f with each line that may match, in order.
func (g *grep) candidates(text []byte, f func(start, end int)) {
	if g.words == nil {
		for start := 0; start < len(text); {
			end := lineEnd(text, start)
			f(start, end)
			start = end + 1
		}
		return
	}
	var starts []int
	for _, w := range g.words {
		for at := 0; at < len(text); {
			i := bytes.Index(text[at:], w)
			if i < 0 {
				break
			}
			starts = append(starts, bytes.LastIndexByte(text[:at+i], '\n')+1)
			at = lineEnd(text, at+i) + 1
		}
	}
	slices.Sort(starts)
	for _, start := range slices.Compact(starts) {
		f(start, lineEnd(text, start))
	}
}

func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// isBinary judges as the tools do with -I: a zero byte near the beginning.
func (g *grep) isBinary(text []byte) bool {
	head := 8000
	if g.how == likeGrep {
		head = 32 << 10
	}
	return bytes.IndexByte(text[:min(len(text), head)], 0) >= 0
}
