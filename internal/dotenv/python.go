package dotenv

import "strings"

// pythonScanner follows python-dotenv's parser: a reader that moves on, also before it notices an error.
type pythonScanner struct {
	src string
	at  int
}

func scanPython(src string) ([]binding, []*SyntaxError) {
	if err := notUTF8(src); err != nil {
		return nil, []*SyntaxError{err}
	}
	s := &pythonScanner{src: src, at: len(src) - len(strings.TrimPrefix(src, bom))}
	var out []binding
	var rejected []*SyntaxError
	for s.at < len(src) {
		b, err := s.binding()
		if err != nil {
			rejected = append(rejected, err)
			s.at += lineLength(s.rest()) // the rest of the line is dropped
			if strings.HasPrefix(s.rest(), "\r") || strings.HasPrefix(s.rest(), "\n") {
				s.at++
			}
			continue
		}
		if b != nil {
			out = append(out, *b)
		}
	}
	return out, rejected
}

func (s *pythonScanner) rest() string { return s.src[s.at:] }

func (s *pythonScanner) skip(is func(rune) bool) int {
	n := leading(s.rest(), is)
	s.at += n
	return n
}

func (s *pythonScanner) fail(code Code, message, fix string) *SyntaxError {
	return newSyntaxError(s.src, s.at, code, message, fix)
}

// binding reads one statement. It is nil for a comment and at the end.
func (s *pythonScanner) binding() (*binding, *SyntaxError) {
	s.skip(isPythonSpace)
	if s.at == len(s.src) {
		return nil, nil
	}
	b := &binding{start: s.at, null: true}
	if strings.HasPrefix(s.rest(), "export") {
		if n := leading(s.rest()[len("export"):], isInlineSpace); n > 0 {
			s.at += len("export") + n
		}
	}
	comment := strings.HasPrefix(s.rest(), "#")
	if !comment {
		if err := s.key(b); err != nil {
			return nil, err
		}
	}
	b.end = s.at
	s.skip(isInlineSpace)
	if strings.HasPrefix(s.rest(), "=") {
		s.at++
		b.null = false
		spaces := s.skip(isInlineSpace)
		b.valStart, b.valEnd = s.at, s.at
		if spaces == 0 || !strings.HasPrefix(s.rest(), "#") {
			if err := s.value(b); err != nil {
				return nil, err
			}
		}
		b.end = b.valEnd
		if b.valEnd == b.valStart { // an empty value sits right behind the equal sign
			b.valStart -= spaces
			b.valEnd, b.end = b.valStart, b.valStart
		}
	}
	if n := leading(s.rest(), isInlineSpace); strings.HasPrefix(s.rest()[n:], "#") {
		s.at += n + lineLength(s.rest()[n:])
	}
	s.skip(isInlineSpace)
	if r := s.rest(); r != "" && r[0] != '\r' && r[0] != '\n' {
		if b.null {
			return nil, s.fail(CodeSyntax, "python-dotenv rejects this line: an equal sign is expected here", "write NAME=value")
		}
		return nil, s.fail(CodeSyntax, "python-dotenv drops this line: there is text after the closing quote",
			"put the whole value between the quotes, or a space and # before a comment")
	}
	if comment {
		return nil, nil
	}
	return b, nil
}

func (s *pythonScanner) key(b *binding) *SyntaxError {
	b.keyStart = s.at
	if strings.HasPrefix(s.rest(), "'") {
		n := strings.IndexByte(s.rest()[1:], '\'')
		if n < 1 {
			return s.fail(CodeUnterminated, "a quoted name is not closed", "write the name without quotes")
		}
		b.key = unixLines(s.rest()[1 : 1+n])
		s.at += n + 2
	} else {
		n := strings.IndexFunc(s.rest(), func(r rune) bool { return r == '=' || r == '#' || isPythonSpace(r) })
		if n < 0 {
			n = len(s.rest())
		}
		if n == 0 {
			return s.fail(CodeSyntax, "a name is missing before the equal sign", "write NAME=value")
		}
		b.key = s.rest()[:n]
		s.at += n
	}
	b.keyEnd = s.at
	return nil
}

func (s *pythonScanner) value(b *binding) *SyntaxError {
	rest := s.rest()
	if rest == "" {
		return nil
	}
	if q := rest[0]; q == '\'' || q == '"' {
		n := closingQuote(rest, q)
		if n < 0 {
			return s.fail(CodeUnterminated, "this quote is never closed; python-dotenv drops the line",
				"close the quote, or put the value between quotes of the other kind")
		}
		b.quote = q
		b.text = pythonUnescape(unixLines(rest[1:n]), q)
		s.at += n + 1
		b.valEnd = s.at
		return nil
	}
	line := rest[:lineLength(rest)]
	s.at += len(line)
	b.text = line
	for i := 0; i < len(line); i++ {
		if line[i] == '#' && len(strings.TrimRightFunc(line[:i], isPythonSpace)) < i {
			b.text = line[:i]
			break
		}
	}
	b.text = strings.TrimRightFunc(b.text, isPythonSpace)
	b.valEnd = b.valStart + len(b.text)
	return nil
}

// closingQuote finds the quote that ends s, which begins with it; a backslash escapes the character after it.
func closingQuote(s string, q byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case q:
			return i
		}
	}
	return -1
}

func pythonUnescape(s string, quote byte) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	from, to := `\'`, `\'`
	if quote == '"' {
		from, to = `\'"abfnrtv`, "\\'\"\a\b\f\n\r\t\v"
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if k := strings.IndexByte(from, s[i+1]); k >= 0 {
				b.WriteByte(to[k])
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func lineLength(s string) int {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return i
	}
	return len(s)
}

// expandPython resolves ${NAME} and ${NAME:-default}. A name may hold anything but } and :, and a default replaces only
// a name that is not there at all, not an empty one.
func expandPython(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		name, def, n := pythonReference(s[i:])
		if n == 0 {
			b.WriteString(s[:i+1])
			s = s[i+1:]
			continue
		}
		b.WriteString(s[:i])
		if v, ok := lookup(name); ok {
			b.WriteString(v)
		} else {
			b.WriteString(def)
		}
		s = s[i+n:]
	}
}

func pythonReference(s string) (name, def string, n int) {
	end := strings.IndexAny(s[2:], "}:")
	if end < 0 {
		return "", "", 0
	}
	name = s[2 : 2+end]
	rest := s[2+end:]
	if rest[0] == '}' {
		return name, "", 2 + end + 1
	}
	if !strings.HasPrefix(rest, ":-") {
		return "", "", 0
	}
	stop := strings.IndexByte(rest, '}')
	if stop < 0 {
		return "", "", 0
	}
	return name, rest[2:stop], 2 + end + stop + 1
}
