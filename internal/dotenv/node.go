package dotenv

import (
	"regexp"
	"strings"
	"sync"
)

// nodeLine is the expression that motdotla/dotenv 18 finds assignments with, with the classes of JavaScript spelled out.
// Go's matcher prefers the same match as a backtracking one. It is compiled when it is first needed.
var nodeLine = sync.OnceValue(func() *regexp.Regexp {
	const s = `[\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}]`
	return regexp.MustCompile(`(?m)^` + s + `*(?:(export)` + s + `+)?([0-9A-Za-z_.-]+)(?:` + s + `*=` + s + `*?|:` + s +
		`+?)(` + s + `*'(?:\\'|[^'])*'|` + s + `*"(?:\\"|[^"])*"|` + s + "*`(?:\\\\`|[^`])*`|" + `[^#\r\n]+)?` + s +
		`*(?:#[^\n\r\x{2028}\x{2029}]*)?$`)
})

// scanNode follows motdotla/dotenv: what does not match is skipped without a word.
func scanNode(src string) ([]binding, []*SyntaxError) {
	if err := notUTF8(src); err != nil {
		return nil, []*SyntaxError{err}
	}
	text, origin := normaliseLines(src)
	var out []binding
	for _, m := range nodeLine().FindAllStringSubmatchIndex(text, -1) {
		b := binding{key: text[m[4]:m[5]], keyStart: origin(m[4]), keyEnd: origin(m[5])}
		b.start = b.keyStart
		if m[2] >= 0 {
			b.start = origin(m[2])
		}
		var raw string
		var at int
		if m[6] >= 0 {
			raw, at = text[m[6]:m[7]], m[6]
		} else {
			at = separatorEnd(text, m[5])
		}
		trimmed := strings.TrimFunc(raw, isJSSpace)
		at += leading(raw, isJSSpace)
		if trimmed == "" { // white space only
			at = separatorEnd(text, m[5])
		}
		b.valStart, b.valEnd = origin(at), origin(at+len(trimmed))
		b.end = max(b.valEnd, b.valStart)
		b.text = nodeUnquote(trimmed)
		if trimmed != "" && strings.IndexByte("'\"`", trimmed[0]) >= 0 {
			b.quote = trimmed[0]
		}
		if b.quote == '"' {
			b.text = strings.ReplaceAll(strings.ReplaceAll(b.text, `\n`, "\n"), `\r`, "\r")
		}
		out = append(out, b)
	}
	return out, nil
}

// separatorEnd is the place behind the equal sign or colon that follows the name which ends at i.
func separatorEnd(text string, i int) int {
	return i + strings.IndexAny(text[i:], "=:") + 1
}

// nodeUnquote is value.replace(/^(['"`])([\s\S]*)\1$/mg, '$2'): with the m flag a quoted part may also begin and end at
// a line break inside the value.
func nodeUnquote(s string) string {
	var b strings.Builder
	for at := 0; at < len(s); {
		if (at == 0 || endsJSLine(s[:at])) && strings.IndexByte("'\"`", s[at]) >= 0 {
			if end := lastQuoteBeforeBreak(s, at); end > 0 {
				b.WriteString(s[at+1 : end])
				at = end + 1
				continue
			}
		}
		b.WriteByte(s[at])
		at++
	}
	return b.String()
}

func endsJSLine(s string) bool {
	return strings.HasSuffix(s, "\n") || strings.HasSuffix(s, "\u2028") || strings.HasSuffix(s, "\u2029")
}

func lastQuoteBeforeBreak(s string, at int) int {
	for end := len(s) - 1; end > at; end-- {
		if s[end] != s[at] {
			continue
		}
		rest := s[end+1:]
		if rest == "" || rest[0] == '\n' || strings.HasPrefix(rest, "\u2028") || strings.HasPrefix(rest, "\u2029") {
			return end
		}
	}
	return -1
}

// normaliseLines turns every line end into \n and returns a function from an offset in the result to one in src.
func normaliseLines(src string) (string, func(int) int) {
	if !strings.Contains(src, "\r\n") {
		return strings.ReplaceAll(src, "\r", "\n"), func(i int) int { return i }
	}
	var b strings.Builder
	origin := make([]int, 0, len(src)+1)
	for i := 0; i < len(src); i++ {
		c := src[i]
		start := i
		if c == '\r' {
			c = '\n'
			if i+1 < len(src) && src[i+1] == '\n' {
				i++
			}
		}
		b.WriteByte(c)
		origin = append(origin, start)
	}
	origin = append(origin, len(src))
	return b.String(), func(i int) int { return origin[i] }
}
