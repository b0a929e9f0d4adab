package vault

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/wire"
)

// fields are the top-level members of a body. Every getter answers the zero value for a member that is not there.
type fields struct{ raw map[string]json.RawMessage }

// parseFields reads a JSON object strictly. An empty body is an empty object, and so is the null that the vendor's own
// client sends for a write without parameters.
func parseFields(b []byte, depth int) (fields, error) {
	if string(bytes.TrimSpace(b)) == "null" {
		return fields{}, nil
	}
	members, err := wire.Object(b, depth)
	if err != nil {
		return fields{}, bad("failed to parse JSON input: %v", err)
	}
	return fields{members}, nil
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

// decimal reads a number with a fraction, or a string that spells one.
func (f fields) decimal(name string) (float64, error) {
	if !f.has(name) {
		return 0, nil
	}
	n, err := strconv.ParseFloat(f.text(name), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, bad("error converting input for field %q: expected a number", name)
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

// pageLimit reads the vendor's ?limit: none, 0 and -1 are no limit.
func pageLimit(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < -1 {
		return 0, bad("error converting input for field \"limit\": expected a number")
	}
	return max(n, 0), nil
}
