package gcpsm

import (
	"strings"
	"time"
)

// filter is a parsed filter (https://cloud.google.com/secret-manager/docs/filtering, https://google.aip.dev/160):
//
//	expression = sequence { ["AND"] sequence }      what stands side by side must hold together
//	sequence   = term { "OR" term }                 OR binds closer than AND
//	term       = ["NOT" | "-"] ( "(" expression ")" | restriction )
//	restriction = field [ ( ":" | "=" | "!=" | "<" | "<=" | ">" | ">=" ) value ]
type filter interface {
	holds(facts facts) bool
}

// facts are what a filter looks at: the values of a field, and whether there is such a field at all. A time is one value in
// RFC 3339.
type facts func(field string) (values []string, ok bool)

type (
	allOf  []filter
	anyOf  []filter
	not    struct{ filter }
	always struct{}
)

func (always) holds(facts) bool  { return true }
func (n not) holds(f facts) bool { return !n.filter.holds(f) }
func (a allOf) holds(f facts) bool {
	for _, x := range a {
		if !x.holds(f) {
			return false
		}
	}
	return true
}
func (a anyOf) holds(f facts) bool {
	for _, x := range a {
		if x.holds(f) {
			return true
		}
	}
	return false
}

// restriction compares one field.
type restriction struct {
	field, op, value string
	when             time.Time // the value as a time, where the field is one
}

// Bounds of a filter.
const (
	maxFilter = 2 << 10
	maxNested = 16
)

// fieldsOf are the fields that a listing knows; a name that ends in '.' stands for all below it.
var (
	secretFields  = []string{"name", "labels", "labels.", "annotations", "annotations.", "topics", "replication.", "create_time", "expire_time", "version_aliases", "version_aliases.", "secret_type"}
	versionFields = []string{"name", "state", "create_time", "destroy_time"}
)

// parseFilter reads a filter over the given fields; "" holds for everything.
func parseFilter(text string, fields []string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return always{}, nil
	}
	if len(text) > maxFilter {
		return nil, bad("The filter is longer than %d bytes.", maxFilter)
	}
	words, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{words: words, fields: fields}
	f, err := p.expression(0)
	if err == nil && len(p.words) > 0 {
		err = bad("Invalid filter: unexpected %q.", clip(p.words[0].text))
	}
	return f, err
}

// word is a token of a filter. An operator or parenthesis that stood in quotes is text.
type word struct {
	text string
	mark bool // punctuation
}

func lex(s string) ([]word, error) {
	var out []word
	for s != "" {
		switch c := s[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s = s[1:]
		case c == '"' || c == '\'':
			text, rest, ok := quoted(s)
			if !ok {
				return nil, bad("Invalid filter: a quote is not closed.")
			}
			out, s = append(out, word{text: text}), rest
		case strings.HasPrefix(s, "!=") || strings.HasPrefix(s, "<=") || strings.HasPrefix(s, ">="):
			out, s = append(out, word{s[:2], true}), s[2:]
		case strings.IndexByte("():=<>", c) >= 0:
			out, s = append(out, word{s[:1], true}), s[1:]
		case len(out) > 0 && out[len(out)-1].mark && out[len(out)-1].text != "(" && out[len(out)-1].text != ")":
			i := strings.IndexAny(s, " \t\r\n()") // a value goes on over ':', which times hold
			if i < 0 {
				i = len(s)
			}
			out, s = append(out, word{text: s[:i]}), s[i:]
		default:
			i := strings.IndexAny(s, " \t\r\n():=<>\"'")
			if j := strings.Index(s, "!="); j > 0 && (i < 0 || j < i) {
				i = j
			}
			if i < 0 {
				i = len(s)
			}
			if i == 0 {
				return nil, bad("Invalid filter: unexpected %q.", clip(s))
			}
			out, s = append(out, word{text: s[:i]}), s[i:]
		}
	}
	return out, nil
}

// quoted reads a quoted text; a backslash takes what follows it as it is.
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == s[0]:
			return b.String(), s[i+1:], true
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

type filterParser struct {
	words  []word
	fields []string
}

func (p *filterParser) is(text string, mark bool) bool {
	return len(p.words) > 0 && p.words[0].mark == mark && p.words[0].text == text
}

func (p *filterParser) take(text string, mark bool) bool {
	if !p.is(text, mark) {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *filterParser) expression(depth int) (filter, error) {
	if depth > maxNested {
		return nil, bad("Invalid filter: nested too deeply.")
	}
	var all allOf
	for {
		f, err := p.sequence(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
		if p.take("AND", false) {
			continue
		}
		if len(p.words) == 0 || p.is(")", true) {
			return all, nil
		}
	}
}

func (p *filterParser) sequence(depth int) (filter, error) {
	var alternatives anyOf
	for {
		f, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, f)
		if !p.take("OR", false) {
			return alternatives, nil
		}
	}
}

func (p *filterParser) term(depth int) (filter, error) {
	negated := p.take("NOT", false)
	if !negated && len(p.words) > 0 && !p.words[0].mark {
		if rest, ok := strings.CutPrefix(p.words[0].text, "-"); ok {
			negated = true
			if p.words[0].text = rest; rest == "" {
				p.words = p.words[1:]
			}
		}
	}
	var f filter
	var err error
	if p.take("(", true) {
		if f, err = p.expression(depth + 1); err == nil && !p.take(")", true) {
			err = bad("Invalid filter: a parenthesis is not closed.")
		}
	} else {
		f, err = p.restriction()
	}
	if err == nil && negated {
		f = not{f}
	}
	return f, err
}

func (p *filterParser) restriction() (filter, error) {
	if len(p.words) == 0 || p.words[0].mark {
		return nil, bad("Invalid filter: a field or a text is missing.")
	}
	left := p.words[0].text
	p.words = p.words[1:]
	if left == "AND" || left == "OR" || left == "NOT" {
		return nil, bad("Invalid filter: %s stands where a field or a text should.", left)
	}
	if len(p.words) == 0 || !p.words[0].mark || p.words[0].text == "(" || p.words[0].text == ")" {
		return &restriction{field: "name", op: ":", value: left}, nil // a bare text
	}
	op := p.words[0].text
	p.words = p.words[1:]
	if len(p.words) == 0 || p.words[0].mark {
		return nil, bad("Invalid filter: there is no value behind %q.", clip(left+op))
	}
	r := &restriction{field: snake(left), op: op, value: p.words[0].text}
	p.words = p.words[1:]
	return r, r.check(p.fields)
}

func (r *restriction) check(fields []string) error {
	known := false
	for _, f := range fields {
		known = known || r.field == f || strings.HasSuffix(f, ".") && strings.HasPrefix(r.field, f)
	}
	if !known {
		return bad("Invalid filter: there is no field %q to filter by.", clip(r.field))
	}
	if strings.HasSuffix(r.field, "_time") {
		if r.op == ":" && r.value == "*" {
			return nil
		}
		var err error
		if r.when, err = parseTime(r.value); err != nil {
			return bad("Invalid filter: %q is no time.", clip(r.value))
		}
		return nil
	}
	if r.op != ":" && r.op != "=" && r.op != "!=" {
		return bad("Invalid filter: %q cannot be compared by %s.", clip(r.field), r.op)
	}
	return nil
}

func parseTime(s string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errPage
}

func (r *restriction) holds(f facts) bool {
	values, ok := f(r.field)
	if r.op == "!=" {
		return !r.anyIs(values)
	}
	if !ok || len(values) == 0 {
		return false
	}
	if r.op == ":" && r.value == "*" {
		return true
	}
	if !r.when.IsZero() {
		return r.compares(values[0])
	}
	if r.op == "=" {
		return r.anyIs(values)
	}
	for _, v := range values {
		if strings.Contains(strings.ToLower(v), strings.ToLower(r.value)) {
			return true
		}
	}
	return false
}

func (r *restriction) anyIs(values []string) bool {
	for _, v := range values {
		if v == r.value || r.field == "name" && strings.HasSuffix(v, "/"+r.value) || !r.when.IsZero() && r.compares(v) != (r.op == "!=") {
			return true
		}
	}
	return false
}

// compares holds a time against the restriction's.
func (r *restriction) compares(text string) bool {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return false
	}
	n := t.Compare(r.when)
	switch r.op {
	case "<":
		return n < 0
	case "<=":
		return n <= 0
	case ">":
		return n > 0
	case ">=":
		return n >= 0
	case "!=":
		return n != 0
	}
	return n == 0
}

// snake turns the JSON spelling of a field into the proto's; what stands behind the first dot is a key and left alone.
func snake(s string) string {
	head, tail, dotted := strings.Cut(s, ".")
	var b strings.Builder
	for i := 0; i < len(head); i++ {
		if c := head[i]; 'A' <= c && c <= 'Z' {
			b.WriteByte('_')
			b.WriteByte(c - 'A' + 'a')
		} else {
			b.WriteByte(c)
		}
	}
	if dotted {
		return b.String() + "." + tail
	}
	return b.String()
}
