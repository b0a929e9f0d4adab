package dotenv

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// expandPOSIX gives the value that a shell assigns for a word: tilde, parameters and quotes are resolved, without
// field splitting and without file names (POSIX.1-2024, 2.9.1.1 Order of Processing; 2.6.2 Parameter Expansion).
func expandPOSIX(word string, s *scope) (string, error) {
	w := &posixWord{src: word, scope: s}
	w.tilde()
	for w.at < len(word) {
		if err := w.step(); err != nil {
			return "", err
		}
		if w.out.Len() > longestValue {
			return "", &valueError{CodeReference, "the value grows beyond 1 MiB", "simplify the value"}
		}
	}
	return w.out.String(), nil
}

type posixWord struct {
	src   string
	at    int
	out   strings.Builder
	scope *scope
	depth int
}

func (w *posixWord) lookup(name string) (string, bool) { return w.scope.fileFirst(name) }

// tilde resolves ~ at the start and behind an unquoted colon.
func (w *posixWord) tilde() {
	for strings.HasPrefix(w.src[w.at:], "\\\n") {
		w.at += 2
	}
	rest := w.src[w.at:]
	if !strings.HasPrefix(rest, "~") || len(rest) > 1 && rest[1] != '/' && rest[1] != ':' {
		return
	}
	if home, ok := w.lookup("HOME"); ok {
		w.out.WriteString(home)
		w.at++
	}
}

func (w *posixWord) step() error {
	switch c := w.src[w.at]; c {
	case '\\':
		if w.at+1 < len(w.src) && w.src[w.at+1] != '\n' { // a backslash before a line feed joins the lines
			w.out.WriteByte(w.src[w.at+1])
		} else if w.at+1 == len(w.src) {
			w.out.WriteByte('\\')
		}
		w.at += 2
	case '\'':
		n := strings.IndexByte(w.src[w.at+1:], '\'')
		w.write(w.src[w.at+1 : w.at+1+n])
		w.at += n + 2
	case '"':
		return w.double()
	case '$':
		return w.dollar(true)
	case ':':
		w.out.WriteByte(c)
		w.at++
		w.tilde()
	default:
		w.write(w.src[w.at : w.at+1])
		w.at++
	}
	return nil
}

// write leaves out NUL, as a shell does.
func (w *posixWord) write(s string) { w.out.WriteString(strings.ReplaceAll(s, "\x00", "")) }

func (w *posixWord) double() error {
	for w.at++; w.src[w.at] != '"'; {
		switch w.src[w.at] {
		case '\\':
			next := w.src[w.at+1]
			if strings.IndexByte("$`\"\\\n", next) < 0 {
				w.out.WriteByte('\\')
			}
			if next != '\n' {
				w.write(string([]byte{next}))
			}
			w.at += 2
		case '$':
			if err := w.dollar(false); err != nil {
				return err
			}
		default:
			w.write(w.src[w.at : w.at+1])
			w.at++
		}
	}
	w.at++
	return nil
}

func (w *posixWord) dollar(quotes bool) error {
	rest := w.src[w.at+1:]
	switch {
	case strings.HasPrefix(rest, "("):
		return commandError()
	case strings.HasPrefix(rest, "{"):
		n := posixBraced(rest)
		if n < 0 {
			return &valueError{CodeUnterminated, "this ${ is never closed", "close it with }"}
		}
		w.at += 1 + n
		return w.parameter(rest[1 : n-1])
	case quotes && strings.HasPrefix(rest, "'"):
		n := closingQuote(rest, '\'')
		if n < 0 {
			return &valueError{CodeUnterminated, "this quote is never closed", "close the quote"}
		}
		w.write(ansiC(rest[1:n]))
		w.at += n + 2
		return nil
	}
	if n := nameLength(rest); n > 0 {
		v, _ := w.lookup(rest[:n])
		w.out.WriteString(v)
		w.at += 1 + n
		return nil
	}
	if rest != "" && strings.IndexByte("$?!-#*@0123456789", rest[0]) >= 0 {
		if rest[0] >= '1' && rest[0] <= '9' || rest[0] == '*' || rest[0] == '@' { // no arguments: empty
			w.at += 2
			return nil
		}
		return &valueError{CodeReference, "this parameter is only known to a running shell",
			"put the value between single quotes if the dollar sign is part of it"}
	}
	w.out.WriteByte('$')
	w.at++
	return nil
}

// parameter resolves what stands between ${ and }.
func (w *posixWord) parameter(expr string) error {
	n := nameLength(expr)
	op := operatorOf(expr[n:])
	if n == 0 || op == "" && n != len(expr) {
		return &valueError{CodeReference, "this form of parameter expansion is not supported", "write the value out"}
	}
	if w.depth > 50 {
		return &valueError{CodeReference, "the references in this value are nested too deep", "simplify the value"}
	}
	name, word := expr[:n], expr[n+len(op):]
	v, ok := w.lookup(name)
	present := ok && (v != "" || len(op) == 1)
	switch op {
	case ":-", "-":
		if !present {
			return w.nested(word)
		}
	case ":+", "+":
		if present {
			return w.nested(word)
		}
		return nil
	case ":?", "?":
		if !present {
			return &valueError{CodeReference, "the shell requires " + name + ", which has no value", "set " + name}
		}
	}
	w.out.WriteString(v)
	return nil
}

func (w *posixWord) nested(word string) error {
	sub := &posixScanner{src: word}
	for sub.at < len(word) && sub.bad == nil { // the same refusals as outside; blanks are allowed here
		sub.word()
		sub.at++
	}
	if sub.bad != nil && sub.bad.code != CodeSyntax {
		return &valueError{sub.bad.code, sub.bad.message, sub.bad.fix}
	}
	in := &posixWord{src: word, scope: w.scope, depth: w.depth + 1}
	for in.at < len(word) {
		if err := in.step(); err != nil {
			return err
		}
	}
	w.out.WriteString(in.out.String())
	return nil
}

// ansiC resolves the escapes of $'…'.
func ansiC(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if k := strings.IndexByte(`abeEfnrtv\'"?`, s[i]); k >= 0 {
			b.WriteByte("\a\b\x1b\x1b\f\n\r\t\v\\'\"?"[k])
			continue
		}
		base, most, skip := 0, 0, 1
		switch c := s[i]; {
		case c == 'x':
			base, most = 16, 2
		case c == 'u':
			base, most = 16, 4
		case c == 'U':
			base, most = 16, 8
		case c >= '0' && c <= '7':
			base, most, skip = 8, 3, 0
		}
		digits := digitsOf(s[i+skip:], base, most)
		if base == 0 || digits == "" {
			b.WriteByte('\\')
			b.WriteByte(s[i])
			continue
		}
		v, _ := strconv.ParseUint(digits, base, 32)
		if s[i] == 'u' || s[i] == 'U' {
			b.Write(utf8.AppendRune(nil, rune(v)))
		} else {
			b.WriteByte(byte(v))
		}
		i += skip + len(digits) - 1
	}
	return b.String()
}

func digitsOf(s string, base, most int) string {
	n := 0
	for n < len(s) && n < most {
		if _, err := strconv.ParseUint(s[n:n+1], base, 8); err != nil {
			break
		}
		n++
	}
	return s[:n]
}
