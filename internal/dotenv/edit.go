package dotenv

import (
	"fmt"
	"strings"
)

// Set gives key a value and changes nothing else: the last assignment of key, which decides, is edited in place and
// keeps its quotes if they can hold the value; a new key is appended. The value reads back in the dialect of the file and
// in the others given, or the file stays as it was and the error says why.
func (f *File) Set(key, value string, also ...Dialect) error {
	dialects := []Dialect{f.dialect}
	for _, d := range also {
		if d != f.dialect {
			dialects = append(dialects, d)
		}
	}
	b := f.last(key)
	if b == nil {
		form, err := Encode(key, value, dialects...)
		if err != nil {
			return err
		}
		return f.replace(f.withNew(key+"="+form), key, &value)
	}
	form, err := encode(b.key, value, b.quote, dialects)
	if err != nil {
		return err
	}
	if b.null || b.inherit && f.dialect != DecoupleINI {
		return f.replace(f.src[:b.keyEnd]+"="+form+f.src[b.keyEnd:], b.key, &value)
	}
	return f.replace(f.src[:b.valStart]+form+f.src[b.valEnd:], b.key, &value)
}

// Unset takes every assignment of key out, with its line if nothing else but a comment is on it. It is false if there
// was none.
func (f *File) Unset(key string) (bool, error) {
	if f.last(key) == nil {
		return false, nil
	}
	var out strings.Builder
	at := 0
	for i := range f.bindings {
		b := &f.bindings[i]
		if !f.same(b.key, key) || b.foreign {
			continue
		}
		start, end := f.cut(i)
		if start < at {
			continue
		}
		out.WriteString(f.src[at:start])
		at = end
	}
	out.WriteString(f.src[at:])
	return true, f.replace(out.String(), key, nil)
}

// same compares names; those of an ini file have no case.
func (f *File) same(a, b string) bool {
	if f.dialect == DecoupleINI {
		return strings.EqualFold(a, b)
	}
	return a == b
}

func (f *File) last(key string) *binding {
	for i := len(f.bindings) - 1; i >= 0; i-- {
		if b := &f.bindings[i]; f.same(b.key, key) && !b.foreign && !(f.dialect == DecoupleINI && b.inherit) {
			return b
		}
	}
	return nil
}

// cut says what goes with binding i: the whole line, or the statement alone if another one shares the line.
func (f *File) cut(i int) (start, end int) {
	b := &f.bindings[i]
	lineStart, _ := lineBounds(f.src, b.start)
	if lineStart == 0 {
		lineStart = len(f.src) - len(strings.TrimPrefix(f.src, bom))
	}
	_, lineEnd := lineBounds(f.src, b.end)
	for j := range f.bindings {
		if o := &f.bindings[j]; j != i && o.start < lineEnd && o.end > lineStart {
			return b.start, b.end
		}
	}
	if strings.HasPrefix(f.src[lineEnd:], "\r\n") {
		lineEnd++
	}
	return lineStart, min(lineEnd+1, len(f.src))
}

// withNew adds a line at the end, or at the end of [settings].
func (f *File) withNew(line string) string {
	nl := f.newline()
	at := len(f.src)
	if f.dialect == DecoupleINI {
		at = f.endOfSettings()
		if at < 0 {
			at, line = len(f.src), "["+iniSection+"]"+nl+line
		}
	}
	before, after := f.src[:at], f.src[at:]
	if before != "" && before != bom && !strings.HasSuffix(before, "\n") && !strings.HasSuffix(before, "\r") {
		before += nl
	}
	return before + line + nl + after
}

// endOfSettings is the place behind the last option of [settings], or behind its header; -1 without the section.
func (f *File) endOfSettings() int {
	at := -1
	for _, p := range f.pieces {
		if p.Kind == Section && strings.HasPrefix(f.src[p.Start:p.End], "["+iniSection+"]") {
			at = p.End
		}
	}
	for i := range f.bindings {
		if b := &f.bindings[i]; !b.foreign && !b.inherit {
			at = max(at, b.end)
		}
	}
	if at < 0 {
		return -1
	}
	rest := f.src[at:]
	at += lineLength(rest)
	if strings.HasPrefix(f.src[at:], "\r\n") {
		return at + 2
	}
	return min(at+1, len(f.src))
}

// newline is the line end that the file uses, unless the parser would take its carriage return for part of the value.
func (f *File) newline() string {
	if f.dialect == SOPS || f.dialect == POSIX {
		return "\n"
	}
	i := strings.IndexAny(f.src, "\r\n")
	switch {
	case i < 0 || f.src[i] == '\n':
		return "\n"
	case strings.HasPrefix(f.src[i:], "\r\n"):
		return "\r\n"
	case f.dialect == PythonDotenv || f.dialect == Decouple || f.dialect == DecoupleINI || f.dialect == Node ||
		f.dialect == NodeExpand:
		return "\r"
	}
	return "\n"
}

// replace takes the new source if it reads as meant: key has the value (or is gone), every other name keeps its own.
func (f *File) replace(src, key string, value *string) error {
	next, _, err := ParseLenient(f.dialect, []byte(src))
	if err != nil {
		return fmt.Errorf("%s: the edited file would not parse: %w", key, err)
	}
	before, after := f.written(key), next.written(key)
	for name, v := range before {
		if got, ok := after[name]; !ok || got != v {
			return fmt.Errorf("%s: the edit would change how %s is read", key, name)
		}
	}
	if len(after) != len(before) {
		return fmt.Errorf("%s: the edit would make a name appear that was not there", key)
	}
	b := next.last(key)
	if value == nil && b == nil {
		*f = *next
		return nil
	}
	if value == nil || b == nil || !next.reads(b, *value) {
		return fmt.Errorf("%s: the edited file would not read as meant; repair the lines around it first", key)
	}
	*f = *next
	return nil
}

// written gives the values before expansion, without the one named: an edit may well change what others expand to.
func (f *File) written(except string) map[string]string {
	out := map[string]string{}
	for i := range f.bindings {
		if b := &f.bindings[i]; !b.foreign && !f.same(b.key, except) {
			out[b.key] = fmt.Sprint(b.null, b.inherit, b.text)
		}
	}
	return out
}

// reads says whether b, which holds no reference, has the value.
func (f *File) reads(b *binding, value string) bool {
	if f.dialect == DecoupleINI {
		v, err := expandINI(b.text, nil, 0)
		return err == nil && v == value
	}
	v, ok, err := (&scope{}).value(f.dialect, b)
	return err == nil && ok && !v.Null && v.Value == value
}
