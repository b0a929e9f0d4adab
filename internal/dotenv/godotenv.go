package dotenv

import (
	"strings"
	"unicode"
)

// scanGodotenv follows joho/godotenv: a cursor moves over statements, and the first error ends it.
func scanGodotenv(src string) ([]binding, []*SyntaxError) {
	text, origin := crlfToLF(src)
	var out []binding
	at := 0
	for {
		at = statementStart(text, at)
		if at < 0 {
			break
		}
		b, next, err := godotenvStatement(text, at)
		if err != nil {
			return nil, []*SyntaxError{relocate(err, src, origin)}
		}
		for _, p := range []*int{&b.start, &b.end, &b.keyStart, &b.keyEnd, &b.valStart, &b.valEnd} {
			*p = origin(*p)
		}
		out = append(out, b)
		if next < 0 {
			break
		}
		at = next
	}
	return out, nil
}

// scanFailure is an error at an offset of a text that is not yet the source.
type scanFailure struct {
	at           int
	code         Code
	message, fix string
}

func relocate(f *scanFailure, src string, origin func(int) int) *SyntaxError {
	return newSyntaxError(src, origin(f.at), f.code, f.message, f.fix)
}

// crlfToLF replaces \r\n by \n only, and maps offsets back.
func crlfToLF(src string) (string, func(int) int) {
	if !strings.Contains(src, "\r\n") {
		return src, func(i int) int { return i }
	}
	var b strings.Builder
	origin := make([]int, 0, len(src)+1)
	for i := 0; i < len(src); i++ {
		origin = append(origin, i)
		if src[i] == '\r' && i+1 < len(src) && src[i+1] == '\n' {
			i++
		}
		b.WriteByte(src[i])
	}
	origin = append(origin, len(src))
	return b.String(), func(i int) int { return origin[min(i, len(origin)-1)] }
}

// statementStart skips white space and comments, whose end is a line feed only. It is -1 at the end.
func statementStart(text string, at int) int {
	for {
		at += leading(text[at:], unicode.IsSpace)
		if at == len(text) {
			return -1
		}
		if text[at] != '#' {
			return at
		}
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return -1
		}
		at += n
	}
}

func godotenvStatement(text string, at int) (b binding, next int, err *scanFailure) {
	b.start = at
	if rest, ok := strings.CutPrefix(text[at:], "export"); ok {
		if n := leading(rest, isGoDotenvSpace); n > 0 {
			at += len("export") + n
		}
	}
	key, offset, err := godotenvKey(text, at)
	if err != nil {
		return b, 0, err
	}
	b.key, b.keyStart, b.keyEnd = key, at, at+len(key)
	at += offset
	sign := at
	at += leading(text[at:], isGoDotenvSpace)
	b.valStart, b.valEnd = at, at
	rest := text[at:]
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		next, err = godotenvQuoted(&b, text)
	} else {
		next, err = godotenvBare(&b, text)
	}
	if b.valEnd == b.valStart {
		b.valStart, b.valEnd = sign, sign
	}
	b.end = max(b.valEnd, b.keyEnd)
	return b, next, err
}

// godotenvKey reads a name byte by byte, as the peer does: a byte beyond ASCII is taken for the Latin-1 character.
// Without a sign the name is empty, and what was read becomes the value.
func godotenvKey(text string, at int) (key string, offset int, err *scanFailure) {
	src := text[at:]
	for i := 0; i < len(src); i++ {
		c := rune(src[i])
		switch {
		case c == '=' || c == ':':
			return strings.TrimRightFunc(src[:i], unicode.IsSpace), i + 1, nil
		case isGoDotenvSpace(c) || c == '_' || c == '.' || c == '-' || unicode.IsLetter(c) || unicode.IsNumber(c):
			continue
		}
		return "", 0, &scanFailure{at + i, CodeSyntax, "godotenv allows no such character in a name",
			"use letters, digits and underscores, and write NAME=value"}
	}
	if src == "" {
		return "", 0, &scanFailure{at, CodeSyntax, "a name is missing after export", "write export NAME=value"}
	}
	return "", 0, nil
}

func godotenvBare(b *binding, text string) (next int, err *scanFailure) {
	rest := text[b.valStart:]
	end := strings.IndexAny(rest, "\r\n")
	lineEnd := b.valStart + end
	if end < 0 {
		lineEnd = len(text)
		end = len(rest)
		if end == 0 {
			return -1, nil
		}
	}
	line := []rune(rest[:end])
	stop := len(line)
	for i := range line {
		if line[i] != '#' {
			continue
		}
		if i == 0 {
			return 0, &scanFailure{b.valStart, CodeSyntax, "godotenv crashes on a comment in place of the value",
				"remove the comment, or write the empty value as quotes before it"}
		}
		if isGoDotenvSpace(line[i-1]) {
			stop = i
			break
		}
	}
	b.text = strings.TrimFunc(string(line[:stop]), isGoDotenvSpace)
	b.valStart += leading(rest[:end], isGoDotenvSpace)
	b.valEnd = min(b.valStart+len(b.text), lineEnd)
	return lineEnd, nil
}

func godotenvQuoted(b *binding, text string) (next int, err *scanFailure) {
	rest := text[b.valStart:]
	q := rest[0]
	for i := 1; i < len(rest); i++ {
		if rest[i] != q {
			continue
		}
		backslashes := 0
		for j := i - 1; j >= 0 && rest[j] == '\\'; j-- {
			backslashes++
		}
		if backslashes%2 == 1 {
			continue
		}
		b.quote = q
		b.text = strings.Trim(rest[:i], string(q)) // quotes next to the outer ones go too
		if q == '"' {
			b.text = godotenvUnescape(b.text)
		}
		b.valEnd = b.valStart + i + 1
		return b.valEnd, nil
	}
	return 0, &scanFailure{b.valStart, CodeUnterminated, "this quote is never closed", "close the quote"}
}

// godotenvUnescape knows \n and \r; of any other escape but \$ it keeps the character.
func godotenvUnescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case '\n': // the first pass does not see it; the second keeps the line feed
				b.WriteByte('\n')
			case '$':
				b.WriteString(`\$`)
			default:
				b.WriteByte(s[i+1])
			}
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// expandGodotenv replaces what matches (\\)?(\$)(\()?\{?([A-Z0-9_]+)?\}?.
func expandGodotenv(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		start := i
		if s[i] == '\\' && i+1 < len(s) && s[i+1] == '$' {
			i++
		}
		if s[i] != '$' {
			b.WriteByte(s[i])
			i++
			continue
		}
		i++
		i += leading(s[i:], onlyFirst('('))
		i += leading(s[i:], onlyFirst('{'))
		n := leading(s[i:], func(r rune) bool { return r == '_' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' })
		name := s[i : i+n]
		i += n
		i += leading(s[i:], onlyFirst('}'))
		switch {
		case s[start] == '\\':
			b.WriteString(s[start+1 : i])
		case name != "":
			v, _ := lookup(name)
			b.WriteString(v)
		default:
			b.WriteString(s[start:i])
		}
	}
	return b.String()
}

// onlyFirst holds for c once.
func onlyFirst(c rune) func(rune) bool {
	done := false
	return func(r rune) bool {
		ok := !done && r == c
		done = true
		return ok
	}
}
