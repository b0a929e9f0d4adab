package python

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pos is a place in a source, from 1.
type Pos struct{ Line, Column int }

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokNewline
	tokIndent
	tokDedent
	tokName
	tokNumber
	tokString
	tokOp
	tokBad
)

type token struct {
	kind   tokenKind
	text   string // of a string: its content, decoded
	pos    Pos
	prefix string   // of a string: its letters, lower case
	parts  []string // of an f-string: the expressions between braces, as they are written
	at     []Pos    // of each part
}

// lexer splits a source into tokens (Python reference, chapter 2). It never fails: what it does not know is a bad token.
type lexer struct {
	src     string
	at      int
	line    int
	start   int // of the line
	depth   int // of open brackets
	indents []int
	out     []token
}

func lex(src string, origin Pos) []token {
	l := &lexer{src: strings.TrimPrefix(src, "\ufeff"), line: origin.Line, start: 1 - origin.Column, indents: []int{0}}
	l.indentation()
	for l.at < len(l.src) {
		l.next()
	}
	if n := len(l.out); n > 0 && l.out[n-1].kind != tokNewline && l.out[n-1].kind != tokDedent {
		l.emit(tokNewline, "")
	}
	for len(l.indents) > 1 {
		l.indents = l.indents[:len(l.indents)-1]
		l.emit(tokDedent, "")
	}
	l.emit(tokEnd, "")
	return l.out
}

func (l *lexer) pos() Pos { return Pos{l.line, l.at - l.start + 1} }

func (l *lexer) emit(kind tokenKind, text string) {
	l.out = append(l.out, token{kind: kind, text: text, pos: l.pos()})
}

func (l *lexer) rest() string { return l.src[l.at:] }

func (l *lexer) newline() {
	if strings.HasPrefix(l.rest(), "\r\n") {
		l.at++
	}
	l.at++
	l.line++
	l.start = l.at
}

// indentation measures the white space at the start of a line that is not blank.
func (l *lexer) indentation() {
	for {
		width := 0
		for ; l.at < len(l.src); l.at++ {
			c := l.src[l.at]
			if c == '\t' {
				width += 8 - width%8
			} else if c == ' ' {
				width++
			} else if c != '\f' {
				break
			}
		}
		if l.at == len(l.src) {
			return
		}
		switch l.src[l.at] {
		case '\r', '\n':
			l.newline()
			continue
		case '#':
			l.comment()
			continue
		}
		l.indent(width)
		return
	}
}

func (l *lexer) indent(width int) {
	top := l.indents[len(l.indents)-1]
	if width > top {
		l.indents = append(l.indents, width)
		l.emit(tokIndent, "")
		return
	}
	for width < l.indents[len(l.indents)-1] {
		l.indents = l.indents[:len(l.indents)-1]
		l.emit(tokDedent, "")
	}
}

func (l *lexer) comment() {
	if n := strings.IndexAny(l.rest(), "\r\n"); n >= 0 {
		l.at += n
	} else {
		l.at = len(l.src)
	}
}

func (l *lexer) next() {
	c := l.src[l.at]
	switch {
	case c == '\r' || c == '\n':
		if l.depth == 0 {
			l.emit(tokNewline, "")
		}
		l.newline()
		if l.depth > 0 && l.beginsDefinition() { // a bracket was never closed
			l.depth = 0
			l.emit(tokNewline, "")
		}
		if l.depth == 0 {
			l.indentation()
		}
	case c == ' ' || c == '\t' || c == '\f':
		l.at++
	case c == '#':
		l.comment()
	case c == '\\' && l.at+1 < len(l.src) && (l.src[l.at+1] == '\n' || l.src[l.at+1] == '\r'):
		l.at++
		l.newline()
	case c == '"' || c == '\'':
		l.str("")
	case isNameStart(l.rest()):
		l.name()
	case c >= '0' && c <= '9' || c == '.' && l.at+1 < len(l.src) && l.src[l.at+1] >= '0' && l.src[l.at+1] <= '9':
		l.number()
	default:
		l.op()
	}
}

// beginsDefinition says whether the line begins with a word that cannot stand inside of brackets.
func (l *lexer) beginsDefinition() bool {
	line := strings.TrimLeft(l.rest(), " \t")
	for _, word := range []string{"def ", "class ", "import ", "async def "} {
		if strings.HasPrefix(line, word) {
			return true
		}
	}
	return false
}

func isNameStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return r == '_' || unicode.IsLetter(r)
}

func (l *lexer) name() {
	s := l.rest()
	n := strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	if n < 0 {
		n = len(s)
	}
	if n <= 2 && n < len(s) && (s[n] == '"' || s[n] == '\'') && strings.Trim(s[:n], "rRbBuUfFtT") == "" {
		l.str(strings.ToLower(s[:n]))
		return
	}
	l.emit(tokName, s[:n])
	l.at += n
}

func (l *lexer) number() {
	s := l.rest()
	n := 0
	for n < len(s) {
		c := s[n]
		sign := (c == '+' || c == '-') && n > 0 && (s[n-1] == 'e' || s[n-1] == 'E') && !strings.HasPrefix(s, "0x") && !strings.HasPrefix(s, "0X")
		if !sign && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		n++
	}
	l.emit(tokNumber, s[:n])
	l.at += n
}

func (l *lexer) op() {
	for _, n := range []int{3, 2, 1} {
		if l.at+n > len(l.src) {
			continue
		}
		op := l.src[l.at : l.at+n]
		if !isOperator(op) {
			continue
		}
		switch op {
		case "(", "[", "{":
			l.depth++
		case ")", "]", "}":
			l.depth = max(l.depth-1, 0)
		}
		l.emit(tokOp, op)
		l.at += n
		return
	}
	l.emit(tokBad, "")
	_, n := utf8.DecodeRuneInString(l.rest())
	l.at += n
}

func isOperator(s string) bool {
	switch s {
	case "**=", "//=", ">>=", "<<=", "...", "**", "//", ">>", "<<", "<=", ">=", "==", "!=", "->", "+=", "-=", "*=", "/=", "%=", "&=",
		"|=", "^=", "@=", ":=", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":",
		".", ";", "=", "!":
		return true
	}
	return false
}

// str reads a string literal; l.at is at its prefix.
func (l *lexer) str(prefix string) {
	t := token{kind: tokString, prefix: prefix, pos: l.pos()}
	l.at += len(prefix)
	quote := l.src[l.at : l.at+1]
	if strings.HasPrefix(l.rest(), strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	l.at += len(quote)
	raw, format := strings.Contains(prefix, "r"), strings.ContainsAny(prefix, "ft")
	var b strings.Builder
	for l.at < len(l.src) {
		rest := l.rest()
		switch c := rest[0]; {
		case strings.HasPrefix(rest, quote):
			l.at += len(quote)
			t.text = b.String()
			l.out = append(l.out, t)
			return
		case c == '\n' || c == '\r':
			if len(quote) == 1 { // not closed on its line
				t.kind, t.text = tokBad, b.String()
				l.out = append(l.out, t)
				return
			}
			b.WriteByte('\n')
			l.newline()
		case c == '\\' && len(rest) > 1:
			l.escape(&b, raw)
		case format && (strings.HasPrefix(rest, "{{") || strings.HasPrefix(rest, "}}")):
			b.WriteByte(c)
			l.at += 2
		case format && c == '{':
			l.replacement(&t, &b, quote)
		default:
			b.WriteByte(c)
			l.at++
		}
	}
	t.kind, t.text = tokBad, b.String()
	l.out = append(l.out, t)
}

// replacement reads {expression!r:format} of an f-string. The text of the string gets the expression between braces.
func (l *lexer) replacement(t *token, b *strings.Builder, quote string) {
	l.at++
	from, at := l.at, l.pos()
	depth := 0
	end := -1
	for l.at < len(l.src) {
		c := l.src[l.at]
		switch {
		case c == '\n' || c == '\r':
			l.newline()
			continue
		case (c == '"' || c == '\'') && !strings.HasPrefix(l.rest(), quote):
			l.skipQuoted(c)
			continue
		case c == '"' || c == '\'':
			l.addPart(t, b, l.src[from:l.at], at) // an older Python ends the string here
			return
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == '}' && depth == 0:
			if end < 0 {
				end = l.at
			}
			l.addPart(t, b, l.src[from:end], at)
			l.at++
			return
		case c == ')' || c == ']' || c == '}':
			depth--
		case depth == 0 && end < 0 && (c == ':' || c == '!' && !strings.HasPrefix(l.rest(), "!=")):
			end = l.at
		}
		l.at++
	}
}

func (l *lexer) addPart(t *token, b *strings.Builder, text string, at Pos) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "=")
	t.parts, t.at = append(t.parts, text), append(t.at, at)
	b.WriteString("{" + text + "}")
}

func (l *lexer) skipQuoted(quote byte) {
	for l.at++; l.at < len(l.src); l.at++ {
		switch l.src[l.at] {
		case '\\':
			l.at++
		case quote:
			l.at++
			return
		case '\n':
			return
		}
	}
}

// escape reads one escape sequence (2.4.1.1). The numeric ones are kept as they are written: no setting is named so.
func (l *lexer) escape(b *strings.Builder, raw bool) {
	c := l.src[l.at+1]
	if c == '\n' || c == '\r' {
		l.at++
		l.newline()
		return
	}
	if k := strings.IndexByte(`\'"abfnrtv`, c); k >= 0 && !raw {
		b.WriteByte("\\'\"\a\b\f\n\r\t\v"[k])
	} else {
		b.WriteString(l.src[l.at : l.at+2])
	}
	l.at += 2
}
