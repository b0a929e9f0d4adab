package dotenv

import "strings"

// expandCompose follows the template package of compose-go.
func expandCompose(s string, lookup func(string) (string, bool)) (string, error) {
	return composeTemplate(s, lookup, 0)
}

func composeTemplate(s string, lookup func(string) (string, bool), depth int) (string, error) {
	if depth > 100 || len(s) > longestValue {
		return "", &valueError{CodeReference, "the references in this value are nested too deep", "simplify the value"}
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		rest := s[i+1:]
		switch rest[0] {
		case '$':
			b.WriteByte('$')
			i += 2
		case '{':
			n := composeBraced(rest)
			if n < 0 {
				return "", &valueError{CodeReference, "compose rejects this reference",
					"write ${NAME}, or $$ for a dollar sign"}
			}
			v, err := composeReference(rest[:n], lookup, depth)
			if err != nil {
				return "", err
			}
			b.WriteString(v)
			i += 1 + n
		default:
			n := nameLength(rest)
			if n == 0 {
				b.WriteByte('$')
				i++
				continue
			}
			v, _ := lookup(rest[:n])
			b.WriteString(v)
			i += 1 + n
		}
	}
	return b.String(), nil
}

// composeBraced measures what {NAME} or {NAME operator .*} matches: with an operator, as far as the last closing brace
// of the line.
func composeBraced(s string) int {
	n := nameLength(s[1:])
	if n == 0 {
		return -1
	}
	at := 1 + n
	if at < len(s) && s[at] == '}' {
		return at + 1
	}
	if operatorOf(s[at:]) == "" {
		return -1
	}
	line, _, _ := strings.Cut(s, "\n")
	end := strings.LastIndexByte(line, '}')
	if end < at {
		return -1
	}
	return end + 1
}

func operatorOf(s string) string {
	for _, op := range []string{":-", ":?", ":+", "-", "?", "+"} {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

// composeReference resolves {…}: the first balanced part is the reference, what follows it is expanded again.
func composeReference(s string, lookup func(string) (string, bool), depth int) (string, error) {
	rest := ""
	if end := firstBalanced(s); end >= 0 {
		s, rest = s[:end+1], s[end+1:]
	}
	n := nameLength(s[1:])
	name, inner := s[1:1+n], s[1+n:]
	op := operatorOf(inner)
	inner = strings.TrimSuffix(inner, "}")
	v, ok := lookup(name)
	present := ok && (v != "" || len(op) == 1)
	switch op {
	case "":
		return v, nil
	case ":?", "?":
		if !present {
			return "", &valueError{CodeReference, "compose requires " + name + ", which has no value", "set " + name}
		}
	case ":-", "-":
		if !present {
			def, err := composeTemplate(inner[len(op):], lookup, depth+1)
			if err != nil {
				return "", err
			}
			v = def
		}
	case ":+", "+":
		if present {
			alt, err := composeTemplate(inner[len(op):], lookup, depth+1)
			if err != nil {
				return "", err
			}
			v = alt
		}
	}
	tail, err := composeTemplate(rest, lookup, depth+1)
	return v + tail, err
}

// firstBalanced finds the brace that closes the first one. As in compose-go the character after an opening brace is
// skipped.
func firstBalanced(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		if s[i] == '}' {
			open--
			if open == 0 {
				return i
			}
		}
		if s[i] == '{' {
			open++
			i++
		}
	}
	return -1
}

// Interpolate resolves the references of a Compose file: $NAME, ${NAME}, ${NAME:-default}, ${NAME:?message},
// ${NAME:+alternative}, and $$ for a dollar sign. Compose uses the same rules in its YAML as in its .env files.
func Interpolate(value string, env Env) (string, error) { return expandCompose(value, env.lookup) }
