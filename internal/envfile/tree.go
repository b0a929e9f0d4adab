package envfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	gotoml "github.com/pelletier/go-toml/v2"
)

// nested joins the names of tables within tables, as pydantic-settings has it by convention.
const nested = "__"

// deepest bounds how far tables nest.
const deepest = 32

func (r *reader) json(src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return r.jsonError(src, err)
	}
	if _, err := d.Token(); err != io.EOF {
		line, column := placeAt(src, d.InputOffset())
		return r.failAt(line, column, "something follows the end of the JSON value").hint("one object of names and values is all that the file may hold")
	}
	table, ok := v.(map[string]any)
	if !ok {
		return r.fail(1, "a JSON object of names and values is wanted").hint(`write {"NAME": "value"}`)
	}
	if err := r.twice(src); err != nil {
		return err
	}
	return r.table("", table, 0)
}

// object is one that twice is in; a list has no names.
type object struct {
	lines map[string]int // of the names seen
	value bool           // a value comes next, not a name
}

// twice refuses a name that an object of sound JSON has two of: decoders differ in which of them counts, and one would be lost.
func (r *reader) twice(src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var open []*object
	for {
		before := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			return nil //nolint:nilerr // the end: it was decoded before
		}
		var in *object
		if len(open) > 0 {
			in = open[len(open)-1]
		}
		if name, ok := token.(string); ok && in != nil && in.lines != nil && !in.value {
			gap := len(src[before:]) - len(bytes.TrimLeft(src[before:], ", \t\r\n"))
			line, column := placeAt(src, before+int64(gap))
			if first, again := in.lines[name]; again {
				return r.failAt(line, column, "%s is there twice, first on line %d", name, first).hint("keep the one that counts: programs differ in which they take")
			}
			in.lines[name], in.value = line, true
			continue
		}
		if in != nil {
			in.value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &object{lines: map[string]int{}})
		case json.Delim('['):
			open = append(open, &object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}

// jsonError gives the place of an error. Its text is our own: that of the decoder may quote the input.
func (r *reader) jsonError(src []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset >= int64(len(src)) {
		line, column := placeAt(src, int64(len(bytes.TrimRight(src, " \t\r\n"))))
		return r.failAt(line, column, "the JSON value is not complete").hint("close what is open before the end of the file: a quote, a bracket or a brace")
	}
	line, column := placeAt(src, syntax.Offset-1) // the offset is behind the character that is wrong
	return r.failAt(line, column, "not JSON").hint("look at the caret and before it: a comma, a colon or a quote is missing or too much; JSON has no comments")
}

// placeAt gives the line and the column of an offset.
func placeAt(src []byte, offset int64) (line, column int) {
	before := src[:min(int64(len(src)), max(offset, 0))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

func (r *reader) toml(src []byte) error {
	table := map[string]any{}
	if err := gotoml.Unmarshal(src, &table); err != nil {
		var e *gotoml.DecodeError
		if errors.As(err, &e) {
			line, column := e.Position()
			return r.failAt(line, column, "not TOML").hint(`a line is NAME = "value", with the value between quotes; a name stands once only`)
		}
		return r.fail(1, "not TOML").hint(`a line is NAME = "value"`)
	}
	return r.table("", table, 0)
}

// table flattens: { "db": { "host": "h" } } becomes db__host. Lists become JSON, as pydantic-settings reads them.
func (r *reader) table(prefix string, table map[string]any, depth int) error {
	if depth > deepest {
		return r.fail(0, "tables nest more than %d deep", deepest)
	}
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		full := prefix + name
		switch v := table[name].(type) {
		case map[string]any:
			if err := r.table(full+nested, v, depth+1); err != nil {
				return err
			}
		case nil:
			r.omit(full, 0, "null")
		default:
			text, err := scalar(v)
			if err != nil {
				return r.fail(0, "%s: %v", full, err)
			}
			if _, again := r.index[full]; again {
				return r.fail(0, "two values for %s, one of them in a table", full).hint("keep the one that counts: names of tables are joined by %s", nested)
			}
			if err := r.add(Entry{Name: full, Value: text}); err != nil {
				return err
			}
		}
	}
	return nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return v.String(), nil
	case int64, float64, int, uint64:
		return fmt.Sprint(v), nil
	case []any:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return "", errors.New("this list has no JSON form")
		}
		return strings.TrimSuffix(b.String(), "\n"), nil
	case fmt.Stringer: // dates of TOML
		return v.String(), nil
	}
	return "", fmt.Errorf("a value of this kind cannot be read")
}
