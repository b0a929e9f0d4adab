package detectsecrets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// object is a JSON object that keeps the order of its keys, as Python's does.
type object []member

type member struct {
	key   string
	value any // object, list, string, number, bool or nil
}

type (
	list   = []any
	number string // as it was written
)

func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

func (o object) text(key string) string {
	v, _ := o.get(key)
	s, _ := v.(string)
	return s
}

// set replaces a value, or adds it at the end.
func (o object) set(key string, value any) object {
	for i := range o {
		if o[i].key == key {
			o[i].value = value
			return o
		}
	}
	return append(o, member{key, value})
}

func (o object) without(key string) object {
	var out object
	for _, m := range o {
		if m.key != key {
			out = append(out, m)
		}
	}
	return out
}

// float is a number as Python prints a float.
func float(f float64) number {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return number(s)
}

// parseObject reads a JSON object. What is wrong is told with its line.
func parseObject(b []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := parseValue(d, 0)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more text follows the document")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(b[:min(d.InputOffset(), int64(len(b)))], []byte("\n")), err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

const maxNesting = 100

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errors.New("nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(t), nil
	case json.Delim:
		if t == '{' {
			return parseMembers(d, depth)
		}
		out := list{}
		for d.More() {
			v, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err := d.Token()
		return out, err
	}
	return t, nil
}

func parseMembers(d *json.Decoder, depth int) (any, error) {
	out := object{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, errors.New("a key is no string")
		}
		v, err := parseValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		out = out.set(key, v)
	}
	_, err := d.Token()
	return out, err
}

// encode writes a value as Python's json.dumps does: indented, and in ASCII.
func encode(v any, indent int) string {
	var b strings.Builder
	encodeTo(&b, v, strings.Repeat(" ", indent), "\n")
	return b.String()
}

func encodeTo(b *strings.Builder, v any, indent, line string) {
	switch v := v.(type) {
	case object:
		encodeEach(b, '{', '}', len(v), indent, line, func(i int, line string) {
			encodeString(b, v[i].key)
			b.WriteString(": ")
			encodeTo(b, v[i].value, indent, line)
		})
	case list:
		encodeEach(b, '[', ']', len(v), indent, line, func(i int, line string) { encodeTo(b, v[i], indent, line) })
	case string:
		encodeString(b, v)
	case number:
		b.WriteString(string(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	default:
		b.WriteString("null")
	}
}

func encodeEach(b *strings.Builder, open, end byte, n int, indent, line string, f func(int, string)) {
	b.WriteByte(open)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(line + indent)
		f(i, line+indent)
	}
	if n > 0 {
		b.WriteString(line)
	}
	b.WriteByte(end)
}

func encodeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || r > '~' && r < 0x10000 && r != 0x7f:
			fmt.Fprintf(b, `\u%04x`, r)
		case r >= 0x10000:
			r -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			b.WriteString(string(r))
		}
	}
	b.WriteByte('"')
}
