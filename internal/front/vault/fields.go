package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// fields are the top-level members of a body. Every getter answers the zero value for a member that is not there.
type fields struct{ raw map[string]json.RawMessage }

// parseFields reads a JSON object strictly: no member twice, no NUL in a name, no more than depth levels, nothing
// behind the end. An empty body is an empty object.
func parseFields(b []byte, depth int) (fields, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return fields{}, nil
	}
	if !utf8.Valid(b) {
		return fields{}, bad("failed to parse JSON input: not valid UTF-8")
	}
	if err := strict(b, depth); err != nil {
		return fields{}, bad("failed to parse JSON input: %v", err)
	}
	var f fields
	if err := json.Unmarshal(b, &f.raw); err != nil {
		return fields{}, bad("failed to parse JSON input: the body must be a JSON object")
	}
	return f, nil
}

var errJSON = errors.New("it is no well-formed JSON")

// strict walks the whole text once. What it refuses, encoding/json would quietly accept.
func strict(b []byte, depth int) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := strictValue(d, depth); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

func strictValue(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return errJSON
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return errors.New("it is nested too deeply")
	}
	if delim == '[' {
		for d.More() {
			if err := strictValue(d, depth-1); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return orJSON(err)
	}
	seen := map[string]bool{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return errJSON
		}
		name, _ := k.(string)
		switch {
		case seen[name]:
			return errors.New("member " + strconv.Quote(name) + " stands twice")
		case strings.ContainsRune(name, 0):
			return errors.New("a member's name holds a NUL")
		}
		seen[name] = true
		if err := strictValue(d, depth-1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return orJSON(err)
}

func orJSON(err error) error {
	if err != nil {
		return errJSON
	}
	return nil
}

// has says that the member is there and not null.
func (f fields) has(name string) bool {
	r, ok := f.raw[name]
	return ok && string(r) != "null"
}

// text reads a string; numbers and booleans are taken as they are written, as the vendor does.
func (f fields) text(name string) string {
	r, ok := f.raw[name]
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(r, &s) == nil {
		return s
	}
	if s = string(r); s == "null" || strings.ContainsAny(s, "{[") {
		return ""
	}
	return s
}

// flag reads a boolean, or a string that spells one.
func (f fields) flag(name string) (bool, error) {
	if !f.has(name) {
		return false, nil
	}
	v, err := strconv.ParseBool(f.text(name))
	if err != nil {
		return false, bad("error converting input for field %q: expected a boolean", name)
	}
	return v, nil
}

// number reads an integer, or a string that spells one.
func (f fields) number(name string) (int64, error) {
	if !f.has(name) || f.text(name) == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(f.text(name), 10, 64)
	if err != nil {
		return 0, bad("error converting input for field %q: expected an integer", name)
	}
	return n, nil
}

// duration reads seconds, or a text like "1h30m" or "7d".
func (f fields) duration(name string) (time.Duration, error) {
	if !f.has(name) || f.text(name) == "" {
		return 0, nil
	}
	d, err := parseDuration(f.text(name))
	if err != nil {
		return 0, bad("error converting input for field %q: expected a duration such as \"1h\" or 3600", name)
	}
	return d, nil
}

// list reads an array of strings, or a comma-separated string.
func (f fields) list(name string) ([]string, error) {
	if !f.has(name) {
		return nil, nil
	}
	var many []string
	if json.Unmarshal(f.raw[name], &many) == nil {
		return many, nil
	}
	var one string
	if json.Unmarshal(f.raw[name], &one) != nil {
		return nil, bad("error converting input for field %q: expected a list of strings", name)
	}
	for _, s := range strings.Split(one, ",") {
		if s = strings.TrimSpace(s); s != "" {
			many = append(many, s)
		}
	}
	return many, nil
}

// pairs reads an object of strings.
func (f fields) pairs(name string) (map[string]string, error) {
	if !f.has(name) {
		return nil, nil
	}
	var m map[string]string
	if err := json.Unmarshal(f.raw[name], &m); err != nil {
		return nil, bad("error converting input for field %q: expected an object of strings", name)
	}
	return m, nil
}

// object reads a member that is itself an object.
func (f fields) object(name string) (fields, error) {
	if !f.has(name) {
		return fields{}, nil
	}
	var o fields
	if err := json.Unmarshal(f.raw[name], &o.raw); err != nil {
		return fields{}, bad("error converting input for field %q: expected an object", name)
	}
	return o, nil
}

// parseDuration reads seconds without a unit, Go's units, and "d" for days.
func parseDuration(s string) (time.Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > int64(1<<62/time.Second) || n < -int64(1<<62/time.Second) {
			return 0, strconv.ErrRange
		}
		return time.Duration(n) * time.Second, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || n > 36500 {
			return 0, strconv.ErrSyntax
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(s)
}
