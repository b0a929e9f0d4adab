package dotenv

import (
	"fmt"
	"strings"
)

// The settings.ini of python-decouple: Python's ConfigParser with its defaults (BasicInterpolation, strict, no value
// without a delimiter), of which decouple reads the section [settings] and what [DEFAULT] adds to it.
const (
	iniSection = "settings"
	iniDefault = "DEFAULT"
)

type iniScanner struct {
	src      string
	section  string
	bindings []binding
	seen     map[string]bool // section and lower-case name
	indent   int             // of the option that a continuation line belongs to
	open     bool            // a continuation line may follow
	bad      *SyntaxError
}

func scanINI(src string) ([]binding, []*SyntaxError) {
	if err := notUTF8(src); err != nil {
		return nil, []*SyntaxError{err}
	}
	s := &iniScanner{src: src, seen: map[string]bool{}}
	eachLine(src, "\r\n", func(start int, line string) bool {
		s.line(start, line)
		return s.bad == nil
	})
	if s.bad != nil {
		return nil, []*SyntaxError{s.bad}
	}
	for i := range s.bindings {
		b := &s.bindings[i]
		b.text = strings.TrimRightFunc(b.text, isPythonSpace)
		b.valEnd = max(b.valStart, b.valEnd)
	}
	return s.bindings, nil
}

func (s *iniScanner) fail(at int, message, fix string) {
	s.bad = newSyntaxError(s.src, at, CodeSyntax, message, fix)
}

func (s *iniScanner) line(start int, raw string) {
	indent := leading(raw, isPythonSpace)
	text := strings.TrimFunc(raw, isPythonSpace)
	if text == "" || text[0] == '#' || text[0] == ';' {
		if s.open && text == "" { // an empty line may be part of a value; trailing ones are trimmed later
			s.bindings[len(s.bindings)-1].text += "\n"
		}
		return
	}
	if s.open && indent > s.indent {
		b := &s.bindings[len(s.bindings)-1]
		b.text += "\n" + text
		b.valEnd = start + indent + len(text)
		b.end = b.valEnd
		return
	}
	s.open = false
	if text[0] == '[' {
		end := strings.IndexByte(text, ']')
		if end > 1 {
			s.header(start+indent, text[1:end])
			return
		}
	}
	s.option(start+indent, indent, text)
}

func (s *iniScanner) header(at int, name string) {
	if name != iniDefault && s.seen[name+"\x00"] {
		s.fail(at, "the section ["+name+"] is there twice", "merge the two sections")
		return
	}
	s.seen[name+"\x00"] = true
	s.section = name
}

func (s *iniScanner) option(at, indent int, text string) {
	if s.section == "" {
		s.fail(at, "this line is before the first section", "begin the file with [settings]")
		return
	}
	sep := strings.IndexAny(text, "=:")
	if sep < 0 {
		s.fail(at, "an option needs an equal sign", "write NAME = value, or indent the line to continue the value above")
		return
	}
	if sep == 0 {
		s.fail(at, "a name is missing before the equal sign", "write NAME = value")
		return
	}
	b := assignment(at, text, sep)
	b.key = strings.TrimRightFunc(b.key, isPythonSpace)
	b.keyEnd = b.keyStart + len(b.key)
	b.valStart += leading(b.text, isPythonSpace)
	b.text = strings.TrimFunc(b.text, isPythonSpace)
	b.foreign = s.section != iniSection && s.section != iniDefault
	if s.section == iniDefault {
		b.inherit = true // marks a default, which [settings] may override
	}
	id := s.section + "\x00" + strings.ToLower(b.key)
	if s.seen[id] {
		s.fail(at, "the name "+b.key+" is there twice in ["+s.section+"]; case does not count", "remove one of the two")
		return
	}
	s.seen[id] = true
	s.bindings = append(s.bindings, b)
	s.indent, s.open = indent, true
}

// iniValues resolves %(name)s, which looks in [settings] and [DEFAULT], whatever the case of the name.
func iniValues(f *File, r Reading) ([]Variable, error) {
	raw := map[string]string{}
	var order []*binding
	place := map[string]int{}
	for _, defaults := range []bool{false, true} {
		for i := range f.bindings {
			b := &f.bindings[i]
			id := strings.ToLower(b.key)
			if b.foreign || b.inherit != defaults {
				continue
			}
			if _, there := raw[id]; there {
				continue
			}
			raw[id] = b.text
			place[id] = len(order)
			order = append(order, b)
		}
	}
	out := make([]Variable, 0, len(order))
	for _, b := range order {
		v := b.text
		if !r.Literal {
			var err error
			if v, err = expandINI(b.text, raw, 0); err != nil {
				return nil, f.locate(err, b)
			}
		}
		out = append(out, Variable{Name: b.key, Value: v, Line: lineOf(f.src, b.keyStart)})
	}
	return out, nil
}

func expandINI(s string, raw map[string]string, depth int) (string, error) {
	const deepest = 10 // MAX_INTERPOLATION_DEPTH
	if depth >= deepest {
		return "", &valueError{CodeReference, "the references in this value are nested more than 10 deep", "simplify the value"}
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i:]
		switch {
		case strings.HasPrefix(s, "%%"):
			b.WriteByte('%')
			s = s[2:]
		case strings.HasPrefix(s, "%("):
			end := strings.Index(s, ")s")
			if end < 0 || strings.IndexByte(s[2:end], ')') >= 0 || end == 2 {
				return "", &valueError{CodeReference, "this reference is not complete", "write %(name)s, or %% for a percent sign"}
			}
			name := strings.ToLower(s[2:end])
			v, ok := raw[name]
			if !ok {
				return "", &valueError{CodeReference, fmt.Sprintf("no option %s in [settings]", name), "define it, or write %% for a percent sign"}
			}
			v, err := expandINI(v, raw, depth+1)
			if err != nil {
				return "", err
			}
			b.WriteString(v)
			s = s[end+2:]
		default:
			return "", &valueError{CodeReference, "a percent sign must be doubled in an ini file", "write %% for a percent sign"}
		}
	}
}
