package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is worth looking for.
const (
	minValue = 6 // a shorter value would be found everywhere
	minLine  = 8 // likewise a line of a longer one
	minEdge  = 8 // and an encoding with its edges cut
)

// commonValues are words whose masking would spoil a log and tell a reader what the secret is.
var commonValues = []string{
	"changeme", "default", "development", "disabled", "enabled", "example", "localhost", "master", "password", "postgres", "private", "production", "public", "secret", "staging", "standard",
	"undefined", "username", "127.0.0.1", "0.0.0.0", "123456", "1234567", "12345678", "administrator", "testing", "service", "server", "database", "application", "unknown", "primary", "latest",
}

// Refused says why a value cannot be looked for, or is empty.
func Refused(value []byte) string {
	v := bytes.TrimSpace(value)
	switch {
	case len(v) < minValue:
		return fmt.Sprintf("shorter than %d bytes", minValue)
	case slices.Contains(commonValues, strings.ToLower(string(v))):
		return "a common word"
	case measure(v).distinct < 3:
		return "made of one or two different bytes"
	}
	return ""
}

// Forms returns every way in which a value is likely to be written down, the value itself first: trimmed, by lines, and
// as JSON, Go, Python, shell, URLs, XML, hex and base64 (at all three alignments) write it; and the secret parts of a
// value that is itself a URL, a JSON object or a PEM block.
func Forms(value []byte) [][]byte {
	var f formSet
	f.all(value)
	if t := bytes.TrimSpace(value); len(t) != len(value) {
		f.all(t)
	}
	if bytes.IndexByte(value, '\n') >= 0 {
		for line := range bytes.SplitSeq(value, []byte("\n")) {
			if line = bytes.TrimSpace(line); len(line) >= minLine && !boundary(line) {
				f.all(line)
			}
		}
		f.all(bytes.ReplaceAll(value, []byte("\n"), []byte("\r\n")))
	}
	for _, part := range parts(value) {
		if Refused(part) == "" {
			f.all(part)
		}
	}
	return f.list
}

// boundary reports the first and last line of a PEM block, which are no secret.
func boundary(line []byte) bool {
	return bytes.HasPrefix(line, []byte("-----")) && bytes.HasSuffix(line, []byte("-----"))
}

type formSet struct {
	list [][]byte
	seen map[string]bool
}

func (f *formSet) add(s string, least int) {
	if len(s) < least || f.seen[s] {
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[s] = true
	f.list = append(f.list, []byte(s))
}

func (f *formSet) all(v []byte) {
	s := string(v)
	f.add(s, minValue)
	for _, w := range quoted(s) {
		f.add(w, minValue)
	}
	for _, w := range escapedURL(s) {
		f.add(w, minValue)
	}
	h := hex.EncodeToString(v)
	f.add(h, minEdge)
	f.add(strings.ToUpper(h), minEdge)
	for _, w := range base64Forms(v) {
		f.add(w, minEdge)
	}
}

// quoted returns the value as languages write it between quotes.
func quoted(s string) []string {
	var out []string
	if b, err := json.Marshal(s); err == nil {
		j := string(b[1 : len(b)-1])
		plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(j)
		out = append(out, j, plain, strings.ReplaceAll(plain, "/", `\/`), strings.ReplaceAll(j, "/", `\/`))
	}
	out = append(out, trimQuotes(strconv.Quote(s)), trimQuotes(strconv.QuoteToASCII(s)))
	out = append(out, pythonRepr(s))
	out = append(out, strings.ReplaceAll(s, "'", `'\''`), strings.ReplaceAll(s, "'", `'"'"'`))
	out = append(out, backslashed(s, "\"$`\\"), backslashed(s, " \t\"'$`\\!#&()*;<>?[]^{|}~"))
	x := html.EscapeString(s)
	out = append(out, x, strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;").Replace(x), strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s))
	return out
}

func trimQuotes(s string) string { return s[1 : len(s)-1] }

func backslashed(s, special string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// pythonRepr is repr() without its quotes: single ones unless the text holds only those.
func pythonRepr(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func escapedURL(s string) []string {
	strict := percent(s, "0123456789ABCDEF")
	query, path := url.QueryEscape(s), url.PathEscape(s)
	return []string{query, path, strict, percent(s, "0123456789abcdef"), lowerEscapes(query), lowerEscapes(path)}
}

// percent escapes all but the unreserved characters (RFC 3986, section 2.3).
func percent(s, digits string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; word(c) || c == '-' || c == '.' || c == '~' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[s[i]>>4])
		b.WriteByte(digits[s[i]&15])
	}
	return b.String()
}

func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			b[i+1], b[i+2] = fold(b[i+1]), fold(b[i+2])
			i += 2
		}
	}
	return string(b)
}

// base64Forms encodes v as it looks in the middle of a longer encoded text: behind 0, 1 or 2 other bytes. Characters
// that also depend on a neighbour are cut off.
func base64Forms(v []byte) []string {
	var out []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			s := enc.EncodeToString(append(make([]byte, shift), v...))
			if shift > 0 {
				s = s[shift+1:]
			}
			if shift == 0 {
				out = append(out, s, s+strings.Repeat("=", (3-len(v)%3)%3))
			}
			if (shift+len(v))%3 != 0 && len(s) > 0 {
				s = s[:len(s)-1]
			}
			out = append(out, s)
		}
	}
	return out
}

// parts returns the secrets inside of a structured value.
func parts(value []byte) [][]byte {
	var out [][]byte
	text := strings.TrimSpace(string(value))
	if u, err := url.Parse(text); err == nil && u.User != nil {
		if p, ok := u.User.Password(); ok {
			out = append(out, []byte(p))
		}
	}
	for field := range strings.SplitSeq(text, ";") {
		if k, v, ok := strings.Cut(field, "="); ok && strings.Contains(text, ";") {
			switch strings.ToLower(strings.TrimSpace(k)) {
			case "password", "pwd", "accountkey", "sharedaccesskey", "secret":
				out = append(out, []byte(strings.TrimSpace(v)))
			}
		}
	}
	if strings.HasPrefix(text, "{") {
		var object map[string]any
		if json.Unmarshal(value, &object) == nil {
			for name, v := range object {
				if s, ok := v.(string); ok && secretField(name) {
					out = append(out, []byte(s))
					for line := range strings.SplitSeq(s, "\n") {
						if len(line) >= minLine && !boundary([]byte(line)) && line != s {
							out = append(out, []byte(line))
						}
					}
				}
			}
		}
	}
	if b, _ := pem.Decode(value); b != nil {
		out = append(out, []byte(base64.StdEncoding.EncodeToString(b.Bytes)))
	}
	return out
}

func secretField(name string) bool {
	kind, _ := classify([]byte(name))
	return kind == passwordName || kind == secretName
}
