package inspect

import (
	"strings"

	"github.com/keephold/keephold/internal/settings"
)

// jsToken is a word, a string, a number or a punctuation mark of JavaScript or TypeScript.
type jsToken struct {
	kind byte // w word, s string, n number, t template with expressions, p punctuation
	text string
	line int
}

// lexJS splits a source into tokens. Comments are left out; what stands in ${…} of a template follows the template.
func lexJS(src string) []jsToken {
	l := &jsLexer{src: src, line: 1}
	for l.at < len(src) {
		l.next()
	}
	return l.out
}

type jsLexer struct {
	src   string
	at    int
	line  int
	out   []jsToken
	depth int
}

func (l *jsLexer) emit(kind byte, text string) { l.out = append(l.out, jsToken{kind, text, l.line}) }

func (l *jsLexer) next() {
	rest := l.src[l.at:]
	c := rest[0]
	switch {
	case c == '\n':
		l.line++
		l.at++
	case c == ' ' || c == '\t' || c == '\r':
		l.at++
	case strings.HasPrefix(rest, "//"):
		l.skipTo("\n", 0)
	case strings.HasPrefix(rest, "/*"):
		l.skipTo("*/", 2)
	case c == '"' || c == '\'':
		l.quoted(c)
	case c == '`':
		l.template()
	case c == '/' && l.regexpMayFollow():
		l.regexp()
	case isWordByte(c):
		n := 0
		for n < len(rest) && isWordByte(rest[n]) {
			n++
		}
		kind := byte('w')
		if c >= '0' && c <= '9' {
			kind = 'n'
		}
		l.emit(kind, rest[:n])
		l.at += n
	default:
		for _, op := range []string{"?.[", "?.(", "??=", "||=", "?.", "??", "||", "&&", "===", "==", "=>"} {
			if strings.HasPrefix(rest, op) {
				if op == "?.[" || op == "?.(" {
					op = "?."
				}
				l.emit('p', op)
				l.at += len(op)
				return
			}
		}
		l.emit('p', rest[:1])
		l.at++
	}
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

func (l *jsLexer) skipTo(end string, extra int) {
	n := strings.Index(l.src[l.at+extra:], end)
	if n < 0 {
		l.at = len(l.src)
		return
	}
	to := l.at + extra + n
	if end != "\n" {
		to += len(end)
	}
	l.line += strings.Count(l.src[l.at:to], "\n")
	l.at = to
}

func (l *jsLexer) quoted(q byte) {
	var b strings.Builder
	line := l.line
	for l.at++; l.at < len(l.src); l.at++ {
		switch c := l.src[l.at]; c {
		case q:
			l.at++
			l.out = append(l.out, jsToken{'s', b.String(), line})
			return
		case '\\':
			l.at++
			if l.at < len(l.src) {
				if l.src[l.at] == '\n' {
					l.line++
				}
				b.WriteByte(l.src[l.at])
			}
		case '\n': // not closed
			return
		default:
			b.WriteByte(c)
		}
	}
}

func (l *jsLexer) template() {
	var b strings.Builder
	at := len(l.out)
	kind := byte('s')
	l.emit(kind, "")
	for l.at++; l.at < len(l.src); {
		switch c := l.src[l.at]; {
		case c == '`':
			l.at++
			l.out[at].kind, l.out[at].text = kind, b.String()
			return
		case c == '\\':
			l.at += 2
		case strings.HasPrefix(l.src[l.at:], "${"):
			kind = 't'
			l.at += 2
			l.inTemplate()
		default:
			if c == '\n' {
				l.line++
			}
			b.WriteByte(c)
			l.at++
		}
	}
	l.at = min(l.at, len(l.src))
	l.out[at].kind = 't'
}

// inTemplate reads the tokens of ${…}.
func (l *jsLexer) inTemplate() {
	l.depth++
	defer func() { l.depth-- }()
	open := 0
	for l.at < len(l.src) && l.depth < 50 {
		switch l.src[l.at] {
		case '{':
			open++
		case '}':
			if open == 0 {
				l.at++
				l.emit('p', ";")
				return
			}
			open--
		}
		l.next()
	}
}

// regexpMayFollow: after a value a slash divides.
func (l *jsLexer) regexpMayFollow() bool {
	if len(l.out) == 0 {
		return true
	}
	switch t := l.out[len(l.out)-1]; t.kind {
	case 'p':
		return t.text != ")" && t.text != "]" && t.text != "}"
	case 'w':
		switch t.text {
		case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await", "yield":
			return true
		}
	}
	return false
}

func (l *jsLexer) regexp() {
	class := false
	for i := l.at + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == '\n':
			l.emit('p', "/")
			l.at++
			return
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			l.emit('n', "regexp")
			l.at = i + 1
			return
		}
	}
	l.emit('p', "/")
	l.at++
}

// nodeReader looks for process.env and its like in the tokens.
type nodeReader struct {
	report *Report
	file   string
	toks   []jsToken
	consts map[string]string
}

// readNode finds process.env.X, process.env["X"], const { X } = process.env, import.meta.env.X, Deno.env.get("X") and
// dotenv.config().
func readNode(r *Report, s Source) {
	n := &nodeReader{report: r, file: s.Name, toks: lexJS(string(s.Text)), consts: map[string]string{}}
	for i := range n.toks {
		if n.match(i, "const", "*", "=") && i+3 < len(n.toks) && n.toks[i+3].kind == 's' {
			n.consts[n.toks[i+1].text] = n.toks[i+3].text
		}
	}
	for i := range n.toks {
		switch {
		case n.match(i, "process", ".", "env") || n.match(i, "Bun", ".", "env"):
			n.environment(i, i+3)
		case n.match(i, "import", ".", "meta", ".", "env"):
			n.environment(i, i+5)
		case n.match(i, "Deno", ".", "env", ".", "get", "(") && i+6 < len(n.toks) && n.toks[i+6].kind == 's':
			n.found(i, i+8, n.toks[i+6].text)
		case n.match(i, "dotenv", ".", "config", "("):
			n.dotenv(i, i+3)
		case i < len(n.toks) && n.toks[i].kind == 's' && n.toks[i].text == "dotenv/config":
			r.Dotenv = append(r.Dotenv, Dotenv{Place: Place{n.file, n.toks[i].line}, Loader: "dotenv"})
		}
	}
}

// match compares the words and marks from i; * stands for any word.
func (n *nodeReader) match(i int, want ...string) bool {
	if i+len(want) > len(n.toks) || i > 0 && n.toks[i-1].text == "." && n.toks[i-1].kind == 'p' && !n.global(i) {
		return false
	}
	for k, w := range want {
		t := n.toks[i+k]
		if w == "*" && t.kind == 'w' || t.text == w && (t.kind == 'w' || t.kind == 'p') || w == "." && t.text == "?." && t.kind == 'p' {
			continue
		}
		return false
	}
	return true
}

// global says whether what precedes token i is globalThis or window.
func (n *nodeReader) global(i int) bool {
	return i > 1 && (n.toks[i-2].text == "globalThis" || n.toks[i-2].text == "window" || n.toks[i-2].text == "global")
}

// environment reads what follows process.env, whose first token is start.
func (n *nodeReader) environment(start, i int) {
	if i >= len(n.toks) {
		return
	}
	t := n.toks[i]
	switch {
	case t.kind != 'p':
	case (t.text == "." || t.text == "?.") && i+1 < len(n.toks) && n.toks[i+1].kind == 'w':
		n.found(start, i+2, n.toks[i+1].text)
		return
	case t.text == "[" || t.text == "?." && i+1 < len(n.toks) && n.toks[i+1].text == "[":
		if t.text == "?." {
			i++
		}
		if i+2 < len(n.toks) && n.toks[i+2].text == "]" {
			key := n.toks[i+1]
			if name, ok := n.consts[key.text]; ok && key.kind == 'w' {
				n.found(start, i+3, name)
				return
			}
			if key.kind == 's' {
				n.found(start, i+3, key.text)
				return
			}
		}
		n.report.Unread = append(n.report.Unread, Unread{Place{n.file, t.line}, "the name of the variable is only known at run time"})
		return
	}
	if start > 1 && n.toks[start-1].text == "=" && n.toks[start-2].text == "}" {
		n.destructured(start - 2)
	}
}

// destructured reads { A, B: b, C = "c" } backwards from its closing brace.
func (n *nodeReader) destructured(end int) {
	i := end - 1
	for depth := 0; i >= 0; i-- {
		if t := n.toks[i]; t.kind == 'p' && t.text == "}" {
			depth++
		} else if t.kind == 'p' && t.text == "{" {
			if depth == 0 {
				break
			}
			depth--
		}
	}
	for k := i + 1; k >= 1 && k < end; k++ {
		before := n.toks[k-1]
		if n.toks[k].kind != 'w' || before.kind != 'p' || before.text != "{" && before.text != "," {
			continue
		}
		s := Setting{Name: n.toks[k].text, Required: true}
		for j := k + 1; j < end && n.toks[j].text != ","; j++ {
			if n.toks[j].text == "=" && n.toks[j].kind == 'p' {
				s.Required = false
				s.Default = n.literal(j + 1)
			}
		}
		n.add(s, n.toks[k].line)
	}
}

func (n *nodeReader) literal(i int) *string {
	if i < len(n.toks) && (n.toks[i].kind == 's' || n.toks[i].kind == 'n' || n.toks[i].text == "true" || n.toks[i].text == "false") {
		return &n.toks[i].text
	}
	return nil
}

// found reports a look whose tokens are from start to end.
func (n *nodeReader) found(start, end int, name string) {
	s := Setting{Name: name, Required: true}
	if end < len(n.toks) && n.toks[end].kind == 'p' {
		switch n.toks[end].text {
		case "??", "||":
			s.Required = false
			s.Default = n.literal(end + 1)
		case "=", "??=", "||=":
			if end+1 < len(n.toks) && n.toks[end].text == "=" && n.toks[end+1].kind == 's' && n.toks[end+1].text != "" {
				n.report.Dangers = append(n.report.Dangers, Danger{LiteralInEnviron, name, Place{n.file, n.toks[start].line},
					"the code writes a literal over " + name, "remove the line, and: keephold set " + name})
			}
			if n.toks[end].text == "=" {
				return
			}
		case "===", "==":
			s.Required = false
			if v := n.literal(end + 1); v != nil && (*v == "true" || *v == "false" || *v == "1" || *v == "0") {
				s.Type = settings.Bool
			}
		}
	}
	if start > 1 && n.toks[start-1].text == "(" {
		switch n.toks[start-2].text {
		case "Number", "parseInt":
			s.Type = settings.Int
		case "parseFloat":
			s.Type = settings.Float
		case "parse":
			s.Type = settings.JSON
		}
	}
	n.add(s, n.toks[start].line)
}

func (n *nodeReader) add(s Setting, line int) {
	s.Reader, s.Place = Node, Place{n.file, line}
	if s.Type == "" {
		s.Type = settings.String
	}
	refineByName(&s)
	n.report.Settings = append(n.report.Settings, s)
}

func (n *nodeReader) dotenv(start, open int) {
	d := Dotenv{Place: Place{n.file, n.toks[start].line}, Loader: "dotenv"}
	for i := open + 1; i+2 < len(n.toks) && n.toks[i].text != ")"; i++ {
		switch {
		case n.toks[i].text == "path" && n.toks[i+1].text == ":" && n.toks[i+2].kind == 's':
			d.Path = n.toks[i+2].text
		case n.toks[i].text == "override" && n.toks[i+1].text == ":" && n.toks[i+2].text == "true":
			d.Override = true
			n.report.Dangers = append(n.report.Dangers, Danger{OverrideEnviron, "", d.Place,
				"dotenv.config({ override: true }) lets a file win over what keephold run sets", "remove override"})
		}
	}
	n.report.Dotenv = append(n.report.Dotenv, d)
}
