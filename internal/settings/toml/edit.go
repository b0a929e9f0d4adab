package toml

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/settings"
)

// entry is a table header or a key of the file.
type entry struct {
	path     []string
	table    bool
	array    bool // the table is one of several: [[redact.patterns]]
	start    int  // of the key or of the first part of the header
	valStart int  // of a key's value
	valEnd   int
}

// index finds the places of a file. It is best effort: what it does not find has the place of its parent.
type index struct {
	src     []byte
	entries []entry
	broken  bool // the file could not be read to its end
}

func indexOf(src []byte) index {
	ix := index{src: src, entries: make([]entry, 0, bytes.Count(src, []byte("\n"))+1)}
	p := &unstable.Parser{}
	p.Reset(src)
	var table []string
	for p.NextExpression() {
		x := p.Expression()
		if x.Kind != unstable.Table && x.Kind != unstable.ArrayTable && x.Kind != unstable.KeyValue {
			continue
		}
		var path []string
		start, end := -1, 0
		for it := x.Key(); it.Next(); {
			n := it.Node()
			path = append(path, string(n.Data))
			if start < 0 {
				start = int(n.Raw.Offset)
			}
			end = int(n.Raw.Offset + n.Raw.Length)
		}
		if x.Kind != unstable.KeyValue {
			table = path
			ix.entries = append(ix.entries, entry{path: path, table: true, array: x.Kind == unstable.ArrayTable, start: start})
			continue
		}
		e := entry{path: slices.Concat(table, path), start: start}
		eq := bytes.IndexByte(src[end:], '=')
		e.valStart = end + eq + 1
		e.valStart += len(src[e.valStart:]) - len(bytes.TrimLeft(src[e.valStart:], " \t"))
		e.valEnd = e.valStart + valueLength(src[e.valStart:])
		ix.entries = append(ix.entries, e)
	}
	ix.broken = p.Error() != nil
	return ix
}

// valueLength measures a TOML value: up to a newline or comment outside of quotes and brackets.
func valueLength(s []byte) int {
	depth, last := 0, 0
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '"', '\'':
			i += quotedLength(s[i:])
			last = i
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '#':
			if depth <= 0 {
				return last
			}
			for i < len(s) && s[i] != '\n' {
				i++
			}
			continue
		case '\n':
			if depth <= 0 {
				return last
			}
		}
		i++
		if s[i-1] != ' ' && s[i-1] != '\t' && s[i-1] != '\r' && s[i-1] != '\n' {
			last = i
		}
	}
	return last
}

func quotedLength(s []byte) int {
	quote := s[:1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(s, triple) {
		quote = triple
	}
	for i := len(quote); i < len(s); i++ {
		if s[i] == '\\' && quote[0] == '"' {
			i++
			continue
		}
		if bytes.HasPrefix(s[i:], quote) {
			return i + len(quote)
		}
	}
	return len(s)
}

// find gives the entry of exactly this path; nil if there is none.
func (ix *index) find(path []string) *entry {
	for i := range ix.entries {
		if slices.Equal(ix.entries[i].path, path) {
			return &ix.entries[i]
		}
	}
	return nil
}

// place is the line and column of a path, of what contains it if the path itself is not there.
func (ix *index) place(path []string) (line, column int) {
	for n := len(path); n > 0; n-- {
		e := ix.find(path[:n])
		if e == nil {
			continue
		}
		before := ix.src[:e.start]
		return bytes.Count(before, []byte("\n")) + 1, e.start - bytes.LastIndexByte(before, '\n')
	}
	return 1, 1
}

// Set gives a key a value and leaves everything else as it is: Set(src, "https://…", "store"), or
// Set(src, true, "env", "prod", "protected"). A table that is not there is added at the end. The value is a string, a
// bool or a list of strings.
func Set(src []byte, value any, path ...string) ([]byte, error) {
	text, err := literal(value)
	if err != nil {
		return nil, err
	}
	ix := indexOf(src)
	if e := ix.find(path); e != nil && !e.table {
		return slices.Concat(src[:e.valStart], []byte(text), src[e.valEnd:]), nil
	}
	line := []byte(keyLiteral(path[len(path)-1]) + " = " + text + "\n")
	table := path[:len(path)-1]
	if len(table) == 0 { // before the first table
		at := len(src)
		for _, e := range ix.entries {
			if e.table {
				at = bytes.LastIndexByte(src[:e.start], '\n') + 1
				break
			}
		}
		return slices.Concat(endLine(src[:at]), line, src[at:]), nil
	}
	at := -1
	for _, e := range ix.entries {
		switch {
		case e.table && slices.Equal(e.path, table):
			at = afterLine(src, e.start)
		case !e.table && at >= 0 && len(e.path) == len(path) && slices.Equal(e.path[:len(table)], table):
			at = afterLine(src, e.valEnd)
		}
	}
	if at < 0 {
		return slices.Concat(endLine(src), []byte("\n"+header(table)+"\n"), line), nil
	}
	return slices.Concat(endLine(src[:at]), line, src[at:]), nil
}

func afterLine(src []byte, at int) int {
	if n := bytes.IndexByte(src[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(src)
}

func endLine(src []byte) []byte {
	if len(src) > 0 && src[len(src)-1] != '\n' {
		return append(slices.Clone(src), '\n')
	}
	return src
}

// AddSettings appends the settings that the file does not have yet, and says which these were.
func AddSettings(src []byte, add settings.Schema) ([]byte, []string, error) {
	if err := add.Validate(); err != nil {
		return nil, nil, err
	}
	ix := indexOf(src)
	out := bytes.NewBuffer(slices.Clone(endLine(src)))
	var added []string
	for i := range add {
		if slices.ContainsFunc(ix.entries, func(e entry) bool {
			return len(e.path) >= 2 && e.path[0] == "settings" && e.path[1] == add[i].Name
		}) {
			continue
		}
		out.WriteByte('\n')
		writeSetting(out, &add[i])
		added = append(added, add[i].Name)
	}
	return out.Bytes(), added, nil
}

func literal(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return quote(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case []string:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = quote(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "", fmt.Errorf("a %T cannot be written to keephold.toml: %w", value, secret.ErrInvalid)
}

// quote writes a basic string (TOML 1.0, String).
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func keyLiteral(s string) string {
	if isName(s) {
		return s
	}
	return quote(s)
}

func header(path []string) string {
	parts := make([]string, len(path))
	for i := range path {
		parts[i] = keyLiteral(path[i])
	}
	return "[" + strings.Join(parts, ".") + "]"
}
