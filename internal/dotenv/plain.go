package dotenv

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The parsers that read line by line and know neither escapes nor references.

// eachLine calls f with every line of src and where it begins. ends holds the characters that end a line; \r\n is one
// end if both are in it.
func eachLine(src, ends string, f func(start int, line string) bool) {
	start := 0
	for start < len(src) {
		n := strings.IndexAny(src[start:], ends)
		if n < 0 {
			f(start, src[start:])
			return
		}
		if !f(start, src[start:start+n]) {
			return
		}
		start += n
		if src[start] == '\r' && start+1 < len(src) && src[start+1] == '\n' {
			start++
		}
		start++
	}
}

// scanDecouple follows python-decouple's RepositoryEnv. A byte order mark stays part of the first name.
func scanDecouple(src string) ([]binding, []*SyntaxError) {
	if err := notUTF8(src); err != nil {
		return nil, []*SyntaxError{err}
	}
	var out []binding
	eachLine(src, "\r\n", func(start int, raw string) bool {
		n := leading(raw, isPythonSpace)
		line := strings.TrimFunc(raw, isPythonSpace)
		eq := strings.IndexByte(line, '=')
		if eq < 0 || line[0] == '#' {
			return true
		}
		b := assignment(start+n, line, eq)
		b.key = strings.TrimRightFunc(b.key, isPythonSpace)
		b.keyEnd = b.keyStart + len(b.key)
		b.valStart += leading(b.text, isPythonSpace)
		b.text = strings.TrimFunc(b.text, isPythonSpace)
		if v := b.text; len(v) >= 2 && (v[0] == '\'' || v[0] == '"') && v[len(v)-1] == v[0] {
			b.quote, b.text = v[0], v[1:len(v)-1]
		}
		out = append(out, b)
		return true
	})
	return out, nil
}

// assignment is the binding of a line that begins at start and has its equal sign at eq.
func assignment(start int, line string, eq int) binding {
	return binding{
		key: line[:eq], start: start, end: start + len(line), keyStart: start, keyEnd: start + eq,
		valStart: start + eq + 1, valEnd: start + len(line), text: line[eq+1:],
	}
}

// scanDocker follows the env-file reader of the docker command.
func scanDocker(src string) ([]binding, []*SyntaxError) {
	var out []binding
	var bad *SyntaxError
	fail := func(at int, code Code, message, fix string) bool {
		bad = newSyntaxError(src, at, code, message, fix)
		return false
	}
	eachLineFeed(src, func(start int, line string) bool {
		const longest = 64*1024 - 1 // bufio.MaxScanTokenSize, which holds the line feed too
		if len(line) >= longest {
			return fail(start, CodeSyntax, "docker refuses a line of 64 KiB", "pass the value as a file")
		}
		line = strings.TrimSuffix(line, "\r")
		if !utf8.ValidString(line) {
			return fail(start, CodeEncoding, "the line is not UTF-8", "save the file as UTF-8")
		}
		if start == 0 && strings.HasPrefix(line, bom) {
			start, line = len(bom), line[len(bom):]
		}
		start += leading(line, unicode.IsSpace)
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		if line == "" || line[0] == '#' {
			return true
		}
		key, _, has := strings.Cut(line, "=")
		switch {
		case key == "":
			return fail(start, CodeSyntax, "a name is missing before the equal sign", "write NAME=value")
		case strings.ContainsAny(key, " \t"):
			at := start + strings.IndexAny(key, " \t")
			return fail(at, CodeSyntax, "docker allows no white space in a name, nor export before it",
				"write NAME=value without spaces round the equal sign")
		case !has:
			end := start + len(key)
			out = append(out, binding{key: key, start: start, end: end, keyStart: start, keyEnd: end, valStart: end,
				valEnd: end, inherit: true})
		default:
			out = append(out, assignment(start, line, len(key)))
		}
		return true
	})
	if bad != nil {
		return nil, []*SyntaxError{bad}
	}
	return out, nil
}

// scanSOPS follows the dotenv store of sops: no white space is trimmed, \n is a line feed even without quotes.
func scanSOPS(src string) ([]binding, []*SyntaxError) {
	var out []binding
	var bad *SyntaxError
	eachLineFeed(src, func(start int, line string) bool {
		if line == "" || line[0] == '#' {
			return true
		}
		eq := strings.IndexByte(line, '=')
		if eq < 0 {
			bad = newSyntaxError(src, start, CodeSyntax, "sops rejects a line without an equal sign",
				"write NAME=value; a comment begins with # in the first column")
			return false
		}
		b := assignment(start, line, eq)
		b.text = strings.ReplaceAll(b.text, `\n`, "\n")
		out = append(out, b)
		return true
	})
	if bad != nil {
		return nil, []*SyntaxError{bad}
	}
	return out, nil
}

// eachLineFeed is eachLine for parsers to whom a carriage return is nothing special.
func eachLineFeed(src string, f func(start int, line string) bool) {
	start := 0
	for line := range strings.SplitSeq(src, "\n") {
		if !f(start, line) {
			return
		}
		start += len(line) + 1
	}
}
