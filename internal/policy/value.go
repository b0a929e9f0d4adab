package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Value is one permitted or forbidden value of a parameter, as compact JSON: `"text*"`, `5`, `true`, `null`. The type counts: "5" is not 5.
// A string may begin or end with "*", or both, and then stands for any text there.
type Value string

// ParseValue reads one JSON value.
func ParseValue(raw []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("not a JSON value: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("more than one JSON value")
	}
	out, err := json.Marshal(v) // sorts the keys of objects
	return Value(out), err
}

// StringValue is the Value of a text.
func StringValue(s string) Value {
	out, _ := json.Marshal(s) // a string always encodes
	return Value(out)
}

func (v Value) text() (string, bool) {
	if !strings.HasPrefix(string(v), `"`) {
		return "", false
	}
	var s string
	err := json.Unmarshal([]byte(v), &s)
	return s, err == nil
}

// matches reports whether the request's value is the one that v describes. alone says what a single "*" means: any text where a value is forbidden,
// the text "*" where it is permitted, so that both readings of a doubtful rule are the closed one.
func (v Value) matches(got Value, alone bool) bool {
	if v == got {
		return true
	}
	want, isText := v.text()
	have, gotText := got.text()
	if isText != gotText {
		return false
	}
	if isText {
		return starMatch(want, have, alone)
	}
	return sameNumber(string(v), string(got))
}

func starMatch(want, have string, alone bool) bool {
	if want == "*" {
		return alone || have == "*"
	}
	inner, front := strings.CutPrefix(want, "*")
	inner, back := strings.CutSuffix(inner, "*")
	switch {
	case front && back:
		return strings.Contains(have, inner)
	case front:
		return strings.HasSuffix(have, inner)
	case back:
		return strings.HasPrefix(have, inner)
	}
	return want == have
}

// sameNumber compares 1, 1.0 and 1e0 as one number; integers beyond 64 bits only by their spelling.
func sameNumber(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return false
	}
	m, errM := strconv.ParseInt(a, 10, 64)
	n, errN := strconv.ParseInt(b, 10, 64)
	if errM == nil && errN == nil {
		return m == n
	}
	return x == y
}

// listed reports whether the value is in the list. An empty list holds every value, as the vendor has it.
func listed(got Value, list []Value, alone bool) bool {
	if len(list) == 0 {
		return true
	}
	for _, v := range list {
		if v.matches(got, alone) {
			return true
		}
	}
	return false
}
