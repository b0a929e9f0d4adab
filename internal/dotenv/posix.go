package dotenv

import "strings"

// scanPOSIX reads what a shell that sources the file would set, as long as the file only assigns. Whatever is not an
// assignment, or export of names and assignments, is rejected: it would be a command. A word is kept as it is written;
// expandPOSIX gives its value.
func scanPOSIX(src string) ([]binding, []*SyntaxError) {
	s := &posixScanner{src: src}
	for s.bad == nil && s.blank() {
		s.statement()
	}
	if s.bad != nil {
		return nil, []*SyntaxError{newSyntaxError(src, s.bad.at, s.bad.code, s.bad.message, s.bad.fix)}
	}
	return s.out, nil
}

type posixScanner struct {
	src string
	at  int
	out []binding
	bad *scanFailure
}

func (s *posixScanner) fail(at int, code Code, message, fix string) {
	if s.bad == nil {
		s.bad = &scanFailure{at, code, message, fix}
	}
}

// blank moves over blanks, newlines and comments to the next statement; it is false at the end.
func (s *posixScanner) blank() bool {
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case ' ', '\t', '\n':
			s.at++
		case '#':
			if n := strings.IndexByte(s.src[s.at:], '\n'); n >= 0 {
				s.at += n
			} else {
				s.at = len(s.src)
			}
		default:
			return true
		}
	}
	return false
}

// statement reads the words up to the end of the line or a semicolon.
func (s *posixScanner) statement() {
	export := false
	start := s.at
	first := len(s.out)
	for s.bad == nil {
		for s.at < len(s.src) && (s.src[s.at] == ' ' || s.src[s.at] == '\t') {
			s.at++
		}
		if s.at == len(s.src) || s.src[s.at] == '\n' || s.src[s.at] == '#' {
			break
		}
		if s.src[s.at] == ';' {
			s.at++
			break
		}
		wordStart := s.at
		word := s.word()
		switch {
		case s.bad != nil:
		case word == "export" && !export && len(s.out) == first:
			export = true
			start = wordStart
		case s.assign(word, wordStart, start, export):
			start = s.at
		case export && nameLength(word) == len(word):
			// export NAME without a value changes nothing that a file can show
		default:
			s.fail(wordStart, CodeSyntax, "a shell would run this as a command; only assignments are read",
				"write NAME=value without spaces round the equal sign, and quote a value that has spaces")
		}
		if !export && len(s.out) > first {
			start = s.at
		}
	}
}

func (s *posixScanner) assign(word string, at, start int, export bool) bool {
	n := nameLength(word)
	if n == 0 || n == len(word) || word[n] != '=' {
		return false
	}
	b := assignment(at, word, n)
	b.start = at
	if export && start < at {
		b.start = start
	}
	if v := b.text; v != "" && (v[0] == '\'' || v[0] == '"') {
		b.quote = v[0]
	}
	if export && hasBraceExpansion(b.text) {
		s.fail(b.valStart, CodeSyntax, "a shell may expand these braces", "quote the value")
	}
	s.out = append(s.out, b)
	return true
}

// word moves over one shell word, quotes and ${…} respected, and returns it as it is written.
func (s *posixScanner) word() string {
	start := s.at
	for s.at < len(s.src) && s.bad == nil {
		switch c := s.src[s.at]; c {
		case ' ', '\t', '\n', ';':
			return s.src[start:s.at]
		case '&', '|', '<', '>', '(', ')':
			s.fail(s.at, CodeSyntax, "a shell gives this character a meaning outside of quotes", "quote the value")
		case '\\':
			s.at = min(s.at+2, len(s.src))
		case '\'':
			s.single()
		case '"':
			s.double()
		case '`':
			s.command()
		case '$':
			s.dollar(true)
		default:
			s.at++
		}
	}
	return s.src[start:s.at]
}

func (s *posixScanner) command() {
	s.fail(s.at, CodeCommand, "this value holds a command, which is never executed",
		"write the result of the command instead, or put the value between single quotes")
}

func (s *posixScanner) single() {
	n := strings.IndexByte(s.src[s.at+1:], '\'')
	if n < 0 {
		s.fail(s.at, CodeUnterminated, "this quote is never closed", "close the quote")
		return
	}
	s.at += n + 2
}

func (s *posixScanner) double() {
	start := s.at
	for s.at++; s.at < len(s.src) && s.bad == nil; {
		switch s.src[s.at] {
		case '"':
			s.at++
			return
		case '\\':
			s.at = min(s.at+2, len(s.src))
		case '`':
			s.command()
		case '$':
			s.dollar(false)
		default:
			s.at++
		}
	}
	s.fail(start, CodeUnterminated, "this quote is never closed", "close the quote")
}

// dollar moves over a reference; quotes says whether $'…' is one.
func (s *posixScanner) dollar(quotes bool) {
	rest := s.src[s.at+1:]
	switch {
	case strings.HasPrefix(rest, "("):
		s.command()
	case strings.HasPrefix(rest, "["): // bash still evaluates $[…]
		s.fail(s.at, CodeSyntax, "bash would evaluate this as arithmetic", "put the value between single quotes")
	case strings.HasPrefix(rest, "{"):
		n := posixBraced(rest)
		if n < 0 {
			s.fail(s.at, CodeUnterminated, "this ${ is never closed", "close it with }")
			return
		}
		s.at += 1 + n
	case quotes && strings.HasPrefix(rest, "'"):
		n := closingQuote(rest, '\'')
		if n < 0 {
			s.fail(s.at, CodeUnterminated, "this quote is never closed", "close the quote")
			return
		}
		s.at += n + 2
	default:
		s.at++
	}
}

// posixBraced measures {…}, nested references and quotes respected; -1 if it is not closed.
func posixBraced(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'', '"':
			n := strings.IndexByte(s[i+1:], s[i])
			if n < 0 {
				return -1
			}
			i += n + 1
		case '$':
			if i+1 < len(s) && s[i+1] == '{' {
				depth++
				i++
			}
		case '{':
			if i == 0 {
				depth++
			}
		case '}':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// hasBraceExpansion says whether an unquoted {a,b} or {1..2} is in s: bash expands it in the words of export.
func hasBraceExpansion(s string) bool {
	var quote byte
	open := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\\':
			i++
		case c == '\'' || c == '"':
			quote = c
		case c == '{':
			open = i == 0 || s[i-1] != '$'
		case c == '}':
			open = false
		case open && (c == ',' || strings.HasPrefix(s[i:], "..")):
			return true
		}
	}
	return false
}
