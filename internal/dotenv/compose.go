package dotenv

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanCompose follows compose-go's dotenv reader. What follows a closing quote is read as the next statement.
func scanCompose(src string) ([]binding, []*SyntaxError) {
	at := len(src) - len(strings.TrimPrefix(src, bom))
	var out []binding
	for {
		at = statementStart(src, at)
		if at < 0 {
			return out, nil
		}
		b, next, err := composeStatement(src, at)
		if err != nil {
			return nil, []*SyntaxError{newSyntaxError(src, err.at, err.code, err.message, err.fix)}
		}
		out = append(out, b)
		at = next
	}
}

func composeStatement(src string, at int) (b binding, next int, err *scanFailure) {
	b.start = at
	if rest, ok := strings.CutPrefix(src[at:], "export"); ok && rest != "" && strings.IndexByte("\t\n\f\r ", rest[0]) >= 0 {
		at += len("export") + leading(rest, isGoDotenvSpace)
	}
	offset, err := composeKey(&b, src, at)
	if err != nil {
		return b, 0, err
	}
	at += offset
	sign := at
	at += leading(src[at:], isGoDotenvSpace)
	if b.inherit {
		b.valStart, b.valEnd, b.end = b.keyEnd, b.keyEnd, b.keyEnd
		return b, at, nil
	}
	b.valStart, b.valEnd = at, at
	if at < len(src) && (src[at] == '"' || src[at] == '\'') {
		next, err = composeQuoted(&b, src)
	} else {
		next = composeBare(&b, src)
	}
	if b.valEnd == b.valStart {
		b.valStart, b.valEnd = sign, sign
	}
	b.end = max(b.valEnd, b.keyEnd)
	return b, next, err
}

// composeKey reads a name up to = or :, or up to the end of the line for a name that is inherited. At the end of the
// file there is neither: the name is empty and what was read becomes the value, as compose-go has it.
func composeKey(b *binding, src string, at int) (offset int, err *scanFailure) {
	b.keyStart, b.keyEnd = at, at
	text := src[at:]
	if text == "" {
		return 0, &scanFailure{at, CodeSyntax, "a name is missing after export", "write export NAME=value"}
	}
	for i, r := range text {
		switch {
		case r == '=' || r == ':' || r == '\n':
			b.inherit = r == '\n'
			b.key = strings.TrimRightFunc(text[:i], unicode.IsSpace)
			b.keyEnd = at + len(b.key)
			if n := strings.IndexByte(b.key, ' '); n >= 0 {
				return 0, &scanFailure{at + n, CodeSyntax, "compose allows no space in a name", "write NAME=value"}
			}
			return i + 1, nil
		case isGoDotenvSpace(r) || strings.ContainsRune("_.-[]", r) || unicode.IsLetter(r) || unicode.IsNumber(r):
			continue
		}
		return 0, &scanFailure{at + i, CodeSyntax, "compose allows no such character in a name",
			"use letters, digits and underscores, and write NAME=value"}
	}
	return 0, nil
}

func composeBare(b *binding, src string) (next int) {
	line, _, found := strings.Cut(src[b.valStart:], "\n")
	next = b.valStart + len(line)
	if found {
		next++
	}
	value, _, _ := strings.Cut(line, " #")
	b.text = strings.TrimRightFunc(value, unicode.IsSpace)
	b.valEnd = b.valStart + len(b.text)
	return next
}

func composeQuoted(b *binding, src string) (next int, err *scanFailure) {
	rest := src[b.valStart:]
	q := rest[0]
	var text []byte
	escaped := false
	for i := 1; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c == '\\' && !escaped && c != q:
			escaped = true
			continue
		case c == q && !escaped:
			b.quote, b.text = q, string(text)
			if q == '"' {
				b.text = composeUnescape(b.text)
			}
			b.valEnd = b.valStart + i + 1
			return b.valEnd, nil
		case c != q && escaped:
			text = append(text, '\\')
		}
		escaped = false
		text = append(text, c)
	}
	return 0, &scanFailure{b.valStart, CodeUnterminated, "this quote is never closed", "close the quote"}
}

// composeUnescape replaces (\\(?:[abcfnrtv$"\\]|0\d{0,3})). An escaped dollar sign becomes $$, which the expansion turns
// into one. What is no escape of Go (\c, an octal number that is too large or too short) stays.
func composeUnescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if k := strings.IndexByte(`abfnrtv"\`, s[i]); k >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v\"\\"[k])
			continue
		}
		switch s[i] {
		case '$':
			b.WriteString("$$")
		case '0':
			digits := 0
			for digits < 3 && i+1+digits < len(s) && s[i+1+digits] >= '0' && s[i+1+digits] <= '9' {
				digits++
			}
			octal := s[i+1 : i+1+digits]
			if r, ok := octalRune(octal); ok {
				b.Write(utf8.AppendRune(nil, r))
			} else {
				b.WriteString(composeBadOctal(octal))
			}
			i += digits
		default:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// octalRune is what Go reads as \ddd.
func octalRune(s string) (rune, bool) {
	if len(s) != 3 {
		return 0, false
	}
	var v rune
	for _, c := range s {
		if c > '7' {
			return 0, false
		}
		v = v<<3 | (c - '0')
	}
	return v, v <= 255
}

// composeBadOctal is what stays of \0ddd when it is no octal escape: the zero has been taken out before the attempt.
func composeBadOctal(digits string) string {
	return fmt.Sprintf(`\%s`, digits)
}
