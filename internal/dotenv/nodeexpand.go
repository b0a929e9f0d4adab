package dotenv

import "strings"

// References can grow a value, and dotenv-expand follows them until nothing is left to follow. These bounds end what
// would never end there.
const (
	mostExpansions = 1_000
	longestValue   = 1 << 20
)

// expandNode gives the value of b as dotenv-expand 1000 would after dotenv parsed the file, but refuses to run a
// command. A variable of the environment replaces the whole value, unless it is empty.
func (s *scope) expandNode(b *binding) (string, error) {
	v, ok := s.reading.Env.lookup(b.key)
	if ok && v != "" && v != b.text {
		return strings.ReplaceAll(v, `\$`, `$`), nil
	}
	v, err := expandNodeReferences(b.text, s.nodeLookup)
	if err != nil {
		return "", err
	}
	if hasCommandSubstitution(v) {
		return "", commandError()
	}
	return strings.ReplaceAll(v, `\$`, `$`), nil
}

// nodeLookup lets the environment win, except where it holds the unexpanded text of an earlier line: dotenv's own config
// puts it there before anything is expanded.
func (s *scope) nodeLookup(name string) (string, bool) {
	if v, ok := s.reading.Env.lookup(name); ok {
		if done := s.file[name]; done == nil || s.literal[name] != v {
			return v, true
		}
	}
	return s.fileFirst(name)
}

func commandError() error {
	return &valueError{CodeCommand, "this value holds a command, which is never executed",
		"write the result of the command instead, or escape the dollar sign"}
}

// hasCommandSubstitution says whether dotenv-expand would find a complete $(…) in s, quotes inside it respected. It does
// not honour a backslash before the dollar sign.
func hasCommandSubstitution(s string) bool {
	for i := strings.Index(s, "$("); i >= 0; {
		if closesCommand(s[i+2:]) {
			return true
		}
		next := strings.Index(s[i+2:], "$(")
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}

func closesCommand(s string) bool {
	quotes := []byte{0} // the quote that each open parenthesis is in
	for i := 0; i < len(s); i++ {
		top := &quotes[len(quotes)-1]
		c := s[i]
		switch {
		case *top == '\'':
			if c == '\'' {
				*top = 0
			}
		case c == '\\':
			i++
		case *top != 0 && c == *top:
			*top = 0
		case c == '$' && i+1 < len(s) && s[i+1] == '(':
			quotes = append(quotes, 0)
			i++
		case *top != 0:
		case c == '\'' || c == '"' || c == '`':
			*top = c
		case c == '(':
			quotes = append(quotes, 0)
		case c == ')':
			quotes = quotes[:len(quotes)-1]
			if len(quotes) == 0 {
				return true
			}
		}
	}
	return false
}

// expandNodeReferences replaces the first reference again and again until none is left, or the value is the value of
// the name just replaced.
func expandNodeReferences(s string, lookup func(string) (string, bool)) (string, error) {
	for range mostExpansions {
		start, end, expr := nodeReference(s)
		if start < 0 {
			return s, nil
		}
		name, value := nodeReferenceValue(expr, lookup)
		s = replaceFirstAsJS(s, s[start:end], value)
		if len(s) > longestValue {
			break
		}
		if v, ok := lookup(name); ok && v == s {
			return s, nil
		}
	}
	return "", &valueError{CodeReference, "the references in this value never end", "remove the reference to itself"}
}

// nodeReference finds the first match of /(?<!\\)\${([^{}]+)}|(?<!\\)\$([A-Za-z_][A-Za-z0-9_]*)/.
func nodeReference(s string) (start, end int, expr string) {
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i > 0 && s[i-1] == '\\' {
			continue
		}
		rest := s[i+1:]
		if strings.HasPrefix(rest, "{") {
			n := strings.IndexAny(rest[1:], "{}")
			if n > 0 && rest[1+n] == '}' {
				return i, i + n + 3, rest[1 : 1+n]
			}
		}
		if n := nameLength(rest); n > 0 {
			return i, i + 1 + n, rest[:n]
		}
	}
	return -1, -1, ""
}

// nameLength is the length of the variable name that s begins with.
func nameLength(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return i
	}
	return len(s)
}

func nodeReferenceValue(expr string, lookup func(string) (string, bool)) (name, value string) {
	name, op, def := expr, "", ""
	for i := 0; i < len(expr) && op == ""; i++ {
		for _, o := range []string{":+", "+", ":-", "-"} {
			if strings.HasPrefix(expr[i:], o) {
				name, op, def = expr[:i], o, expr[i+len(o):]
				break
			}
		}
	}
	if i := strings.Index(expr, "null"); op == "" && i >= 0 { // the peer splits at the operator, which is null here
		name = expr[:i]
	}
	v, ok := lookup(name)
	switch {
	case op == ":-" && v == "":
		return name, def
	case op == "-" && !ok:
		return name, def
	case op == ":+":
		if v == "" {
			return name, ""
		}
		return name, def
	case op == "+":
		if !ok {
			return name, ""
		}
		return name, def
	}
	return name, v
}

// replaceFirstAsJS is s.replace(old, with) of JavaScript, in which $$, $&, $` and $' in the replacement mean something.
func replaceFirstAsJS(s, old, with string) string {
	at := strings.Index(s, old)
	before, after := s[:at], s[at+len(old):]
	var b strings.Builder
	b.WriteString(before)
	for i := 0; i < len(with); i++ {
		if with[i] != '$' || i+1 == len(with) {
			b.WriteByte(with[i])
			continue
		}
		switch with[i+1] {
		case '$':
			b.WriteByte('$')
		case '&':
			b.WriteString(old)
		case '`':
			b.WriteString(before)
		case '\'':
			b.WriteString(after)
		default:
			b.WriteByte('$')
			continue
		}
		i++
	}
	b.WriteString(after)
	return b.String()
}
