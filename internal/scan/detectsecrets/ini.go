package detectsecrets

import (
	"errors"
	"regexp"
	"strings"
	"sync"
)

// errNotParsed says that a text is not of the format; it is then taken line by line.
var errNotParsed = errors.New("not of this format")

// The peer reads every file as Python's configparser would, and when that succeeds looks at each value as if it stood
// between quotes. What is written here follows the documentation of that module: sections, = or :, full-line comments
// with # or ;, values that go on over indented lines, no name twice, %(name)s.

// section is a part of such a file, its options in order.
type section struct {
	name    string
	options []option
}

type option struct {
	name  string
	lines []string
}

func (s *section) find(name string) *option {
	for i := range s.options {
		if s.options[i].name == name {
			return &s.options[i]
		}
	}
	return nil
}

var (
	sectionExpression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\[(.+)\]`)
	})
	optionExpression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(.*?)\s*[=:]\s*(.*)$`)
	})
	referExpression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^%\(([^)]+)\)s`)
	})
)

// parseINI reads sections; the first is DEFAULT.
func parseINI(text string) ([]*section, error) {
	sections := []*section{{name: "DEFAULT"}}
	var current *section
	var last *option
	indent, broken := 0, false
	seen := map[[2]string]bool{}
	for _, line := range splitLines(text) {
		v := strings.TrimSpace(line)
		switch {
		case v != "" && (v[0] == '#' || v[0] == ';'):
			continue
		case v == "":
			if current != nil && last != nil {
				last.lines = append(last.lines, "")
			}
			continue
		}
		here := len(line) - len(strings.TrimLeft(line, " \t\v\f"))
		if current != nil && last != nil && here > indent {
			last.lines = append(last.lines, v)
			continue
		}
		indent = here
		if m := sectionExpression().FindStringSubmatch(v); m != nil {
			if current, last = enter(&sections, m[1]), nil; current == nil || seen[[2]string{m[1], ""}] {
				return nil, errNotParsed
			}
			seen[[2]string{m[1], ""}] = m[1] != "DEFAULT"
			continue
		}
		if current == nil {
			return nil, errNotParsed
		}
		m := optionExpression().FindStringSubmatch(v)
		if m == nil || m[1] == "" {
			broken = true
			continue
		}
		key := [2]string{current.name, "\x00" + m[1]}
		if seen[key] {
			return nil, errNotParsed
		}
		seen[key] = true
		current.options = append(current.options, option{m[1], []string{m[2]}})
		last = &current.options[len(current.options)-1]
	}
	if broken || len(sections) < 2 {
		return nil, errNotParsed
	}
	return sections, nil
}

func enter(sections *[]*section, name string) *section {
	for _, s := range *sections {
		if s.name == name {
			return s
		}
	}
	s := &section{name: name}
	*sections = append(*sections, s)
	return s
}

// splitLines takes a text apart at its line ends, which stay out.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// items are the names and values of a section, those of DEFAULT first, with their references filled in.
func items(sections []*section, s *section, left *int) ([][2]string, error) {
	all := &section{}
	all.options = append(all.options, sections[0].options...)
	if s != sections[0] {
		for _, o := range s.options {
			if at := all.find(o.name); at != nil {
				*at = o
				continue
			}
			all.options = append(all.options, o)
		}
	}
	var out [][2]string
	for i := range all.options {
		v, err := interpolate(all, all.options[i].value(), 0, left)
		if err != nil {
			return nil, err
		}
		out = append(out, [2]string{all.options[i].name, v})
	}
	return out, nil
}

func (o *option) value() string {
	return strings.TrimRight(strings.Join(o.lines, "\n"), " \t\n\r\v\f")
}

const (
	maxReference = 10
	maxFilledIn  = 4 << 20 // bytes that the references of one file may come to: ten levels of them grow without measure
)

// interpolate fills in the references of a text. What that costs is taken from left.
func interpolate(s *section, text string, depth int, left *int) (string, error) {
	if *left -= len(text) + 1; depth > maxReference || *left < 0 {
		return "", errNotParsed
	}
	var b strings.Builder
	for text != "" {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		if strings.HasPrefix(text, "%%") {
			b.WriteByte('%')
			text = text[2:]
			continue
		}
		m := referExpression().FindStringSubmatch(text)
		if m == nil {
			return "", errNotParsed
		}
		o := s.find(m[1])
		if o == nil {
			return "", errNotParsed
		}
		v, err := interpolate(s, o.value(), depth+1, left)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		text = text[len(m[0]):]
	}
	return b.String(), nil
}

// iniLines turns a file into lines of the form name = "value", each on the line where its value stands.
func iniLines(text string, header bool) ([]string, error) {
	parsed := text
	if header {
		parsed = "[global]\n" + text
	}
	sections, err := parseINI(parsed)
	if err != nil {
		return nil, err
	}
	left := maxFilledIn
	t := &iniTracker{}
	for _, l := range splitLines(text) {
		t.rest = append(t.rest, strings.TrimSpace(l))
	}
	var out []string
	// DEFAULT comes first, then the others in the order of the file.
	for _, s := range sections {
		pairs, err := items(sections, s, &left)
		if err != nil {
			return nil, err
		}
		for _, p := range pairs {
			for _, found := range t.find(p[0], p[1]) {
				if found.text == "" {
					continue
				}
				for len(out) < found.line-1 {
					out = append(out, "")
				}
				if nextLineAllowed(found.text) {
					out = append(out, found.text)
					continue
				}
				v := found.text
				if (v[0] == '\'' || v[0] == '"') && v[len(v)-1] == v[0] {
					v = v[1:max(1, len(v)-1)]
				}
				out = append(out, p[0]+` = "`+strings.ReplaceAll(v, `"`, `\"`)+`"`)
			}
		}
	}
	return out, nil
}

// iniTracker finds the lines on which values stand, going down the file once.
type iniTracker struct {
	rest []string
	gone int
}

type placed struct {
	text string
	line int
}

// begins says that a line is name, then spaces, colons or equals signs, then value. The text may be no UTF-8.
func begins(line, name, value string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(line, "\t\n\f\r "), name)
	for ok && rest != "" && strings.IndexByte(" :=", rest[0]) >= 0 {
		if rest = rest[1:]; strings.HasPrefix(rest, value) {
			return true
		}
	}
	return false
}

func (t *iniTracker) find(name, value string) []placed {
	values := valueLines(value)
	if len(values) == 0 {
		return nil
	}
	var out []placed
	next := 0
	for i, line := range t.rest {
		switch {
		case nextLineAllowed(line):
			out = append(out, placed{line, t.gone + i + 1})
			continue
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case next == 0:
			if begins(line, name, values[0]) {
				out = append(out, placed{values[0], t.gone + i + 1})
				next++
			}
			continue
		case next == len(values):
			i = max(i, 1) // the same line is not counted twice
			t.gone += i
			t.rest = t.rest[i:]
			return out
		}
		out = append(out, placed{values[next], t.gone + i + 1})
		next++
	}
	t.rest = nil
	return out
}

// valueLines are the first line of a value and the others that are not empty.
func valueLines(value string) []string {
	if value == "" {
		return nil
	}
	var out []string
	for i, l := range strings.Split(value, "\n") {
		if i == 0 || l != "" {
			out = append(out, l)
		}
	}
	return out
}

func nextLineAllowed(line string) bool {
	return strings.Contains(line, "pragma:") && (comment{"#", ""}.allows(line, true) || comment{";", ""}.allows(line, true))
}
