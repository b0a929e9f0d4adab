package detectsecrets

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fileType says how assignments look in a file.
type fileType uint8

const (
	typeOther  fileType = iota
	typeCode            // values are quoted
	typeConfig          // values may stand without quotes
	typeGo
	typeC // C, C#, Objective-C
	typeCPlusPlus
	typeYAML
	typeExample
)

func typeOf(name string) fileType {
	switch extension(name) {
	case ".cls", ".java", ".js", ".py", ".pyi", ".swift", ".tf", ".php":
		return typeCode
	case ".eyaml", ".yaml", ".yml":
		return typeYAML
	case ".cnf", ".conf", ".cfg", ".cf", ".ini", ".properties", ".toml":
		return typeConfig
	case ".go":
		return typeGo
	case ".m", ".cs", ".c":
		return typeC
	case ".cpp":
		return typeCPlusPlus
	case ".example":
		return typeExample
	}
	return typeOther
}

// extension is as Python's splitext has it: a name that only begins with dots has none.
func extension(name string) string {
	base := path.Base(name)
	trimmed := strings.TrimLeft(base, ".")
	i := strings.LastIndexByte(trimmed, '.')
	if i < 0 {
		return ""
	}
	return trimmed[i:]
}

// keyNames are the names that a secret is given; "key" and "pass" count only behind what they belong to.
func keyNames() (whole, keyed, passed []string) {
	return []string{"password", "passwd", "pwd", "secret", "contraseña", "contrasena"},
		[]string{"api", "auth", "service", "account", "db", "database", "priv", "private", "client"},
		[]string{"db", "database", "key"}
}

// names reports whether a word of lower-case letters holds a name of a secret, and where the first one ends.
func names(word string) (int, bool) {
	whole, keyed, passed := keyNames()
	first := -1
	at := func(end int) {
		if first < 0 || end < first {
			first = end
		}
	}
	for _, w := range whole {
		if i := strings.Index(word, w); i >= 0 {
			at(i + len(w))
		}
	}
	for _, set := range []struct {
		before []string
		word   string
	}{{keyed, "key"}, {passed, "pass"}} {
		for _, b := range set.before {
			for _, joined := range []string{b + "_" + set.word, b + set.word} {
				if i := strings.Index(word, joined); i >= 0 {
					at(i + len(joined))
				}
			}
		}
	}
	return first, first >= 0
}

// word is a run of letters, digits and underscores that holds a name of a secret: [start, end), the name ending at named.
type word struct{ start, named, end int }

// wordsOf finds the words of a line that say secret. exact wants the name in lower case, as it is listed.
func wordsOf(line string, exact bool) []word {
	var out []word
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		if !isWordRune(r) {
			i += n
			continue
		}
		start := i
		for i < len(line) {
			if r, n = utf8.DecodeRuneInString(line[i:]); !isWordRune(r) {
				break
			}
			i += n
		}
		text := line[start:i]
		if !exact {
			text = lower(text)
		}
		if named, ok := names(text); ok {
			out = append(out, word{start, start + named, i})
		}
	}
	return out
}

func isWordRune(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// lower folds ASCII and the one other letter of the names, so that places stay where they are.
func lower(s string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s), "Ñ", "ñ")
}

// A form is a way to write an assignment: it looks at a line from the end of a word on and returns the value.
type form func(line string, w word) (string, bool)

// keywords finds values that are assigned to, or compared with, a name that says secret. Each form that fits gives its
// first value in the line.
func keywords(line string, c seen) []string {
	if c.exclude != nil && c.exclude(line) {
		return nil
	}
	found := wordsOf(line, false)
	if len(found) == 0 {
		return nil
	}
	var forms []form
	compared, exactCall := true, false
	switch c.file {
	case typeConfig, typeYAML:
		forms = []form{pair(false), assignment(equals, false), statement}
	case typeGo:
		forms = []form{assignment(colonEquals, false), assignment(equals, false), statement}
	case typeC:
		forms, compared = []form{declaration}, false
	case typeCPlusPlus:
		forms, compared, exactCall = []form{assignment(equals, true)}, false, true
	default:
		forms = []form{pair(true), assignment(equals, true), statement, assignment(arrow, true)}
	}
	var out []string
	for _, f := range forms {
		for _, w := range found {
			if v, ok := f(line, w); ok {
				out = append(out, v)
				break
			}
		}
	}
	if compared {
		if v, ok := comparison(line); ok {
			out = append(out, v)
		}
	}
	if exactCall {
		for _, w := range wordsOf(line, true) {
			if v, ok := call(line, w); ok {
				out = append(out, v)
				break
			}
		}
	}
	return out
}

// An operator is read at i; it returns where it ends.
type operator func(line string, i int) (int, bool)

func colon(line string, i int) (int, bool) {
	return i + 1, i < len(line) && line[i] == ':'
}

func colonEquals(line string, i int) (int, bool) {
	return i + 2, strings.HasPrefix(line[i:], ":=")
}

// equals reads =, ==, ===, != or !==.
func equals(line string, i int) (int, bool) {
	if strings.HasPrefix(line[i:], "!=") {
		i += 2
		if i < len(line) && line[i] == '=' {
			i++
		}
		return i, true
	}
	n := i
	for n < len(line) && n-i < 3 && line[n] == '=' {
		n++
	}
	return n, n > i
}

func arrow(line string, i int) (int, bool) {
	if i >= len(line) || line[i] != '=' {
		return 0, false
	}
	i++
	if i < len(line) && line[i] == '>' {
		i++
	}
	return i, true
}

// assignment is: name, closing brackets or quotes, an operator, the value.
func assignment(read operator, quotesNeeded bool) form {
	return func(line string, w word) (string, bool) {
		return assigns(line, skipBlanks(line, closed(line, w.end)), read, quotesNeeded)
	}
}

// pair is the same with a colon, which stands directly behind the name.
func pair(quotesNeeded bool) form {
	return func(line string, w word) (string, bool) {
		return assigns(line, closed(line, w.end), colon, quotesNeeded)
	}
}

// closed skips up to two brackets or quotes that close what the name stands in.
func closed(line string, i int) int {
	for n := 0; n < 2 && i < len(line) && strings.IndexByte(`]'"`, line[i]) >= 0; n++ {
		i++
	}
	return i
}

func assigns(line string, i int, read operator, quotesNeeded bool) (string, bool) {
	i, ok := read(line, i)
	if !ok {
		return "", false
	}
	return value(line, skipBlanks(line, i), "'\"`", quotesNeeded)
}

// declaration is C's: a size in brackets, = or == or !=, an @ and double quotes.
func declaration(line string, w word) (string, bool) {
	i := w.end
	if i < len(line) && line[i] == '[' {
		end := i + 1
		for end < len(line) && '0' <= line[end] && line[end] <= '9' {
			end++
		}
		if end < len(line) && line[end] == ']' {
			i = end + 1
		}
	}
	i = skipBlanks(line, i)
	n := i
	for n < len(line) && n-i < 2 && (line[n] == '=' || line[n] == '!') {
		n++
	}
	if n == i {
		return "", false
	}
	n = skipBlanks(line, n)
	if n < len(line) && line[n] == '@' {
		n++
	}
	return value(line, n, `"`, true)
}

// call is C++'s: secret("value") or secret.assign("value").
func call(line string, w word) (string, bool) {
	i := w.end
	if i < len(line) && strings.HasPrefix(line[i+1:], "assign(") {
		i += len(".assign")
	}
	if i >= len(line) || line[i] != '(' {
		return "", false
	}
	return value(line, i+1, `"`, true)
}

// statement is: name, up to fifty other characters, a quoted value and a semicolon, as nginx writes it.
func statement(line string, w word) (string, bool) {
	i := w.end
	for n := 0; n <= 50; n++ {
		j := skipBlanks(line, i)
		if j < len(line) && strings.IndexByte("'\"`", line[j]) >= 0 {
			if v, ok := value(line, j, "'\"`", true); ok {
				if end := j + 1 + len(v) + 1; end < len(line) && line[end] == ';' {
					return v, true
				}
			}
		}
		if i >= len(line) || j > i {
			return "", false
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		i += size
	}
	return "", false
}

// comparison is a quoted value before an operator of comparison and a name: "value" == password.
func comparison(line string) (string, bool) {
	for i := range len(line) {
		if strings.IndexByte("'\"`", line[i]) < 0 {
			continue
		}
		v, ok := value(line, i, "'\"`", true)
		if !ok {
			continue
		}
		j := skipBlanks(line, i+1+len(v)+1)
		k := j
		for k < len(line) && k-j < 3 && (line[k] == '=' || line[k] == '!') {
			k++
		}
		if k-j < 2 {
			continue
		}
		k = skipBlanks(line, k)
		for _, w := range wordsOf(line[k:], true) {
			if w.start == 0 {
				return v, true
			}
		}
	}
	return "", false
}

// value reads a value at i: between equal quotes, or without any when that is allowed. It begins with a letter, digit or
// underscore, holds no single or double quote, and does not end with a comma or a backtick.
func value(line string, i int, quotes string, quotesNeeded bool) (string, bool) {
	quote := byte(0)
	if i < len(line) && strings.IndexByte(quotes, line[i]) >= 0 {
		quote = line[i]
		i++
	}
	if quote == 0 && quotesNeeded {
		return "", false
	}
	if r, _ := utf8.DecodeRuneInString(line[i:]); i >= len(line) || !isWordRune(r) {
		return "", false
	}
	end := i
	for end < len(line) && line[end] != '\'' && line[end] != '"' && line[end] != '\v' {
		end++
	}
	switch quote {
	case 0:
		v := strings.TrimRight(line[i:end], ",`")
		return v, v != ""
	case '`':
		for e := end; e > i; e-- {
			if e < len(line) && line[e] == '`' && line[e-1] != ',' && line[e-1] != '`' {
				return line[i:e], true
			}
		}
		return "", false
	}
	if end == len(line) || line[end] != quote || line[end-1] == ',' || line[end-1] == '`' {
		return "", false
	}
	return line[i:end], true
}

func skipBlanks(line string, i int) int {
	for i < len(line) {
		r, n := utf8.DecodeRuneInString(line[i:])
		if !unicode.IsSpace(r) && (r < 0x1c || r > 0x1f) {
			break
		}
		i += n
	}
	return i
}
