package vault

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// reading takes the members of a body one by one and keeps the first mistake.
type reading struct {
	fields fields
	err    error
}

// set stores a member where it belongs and leaves that alone when there is none. A member may have an older name; the
// new one wins.
func set[T any](r *reading, to *T, get func(string) (T, error), names ...string) {
	if r.err != nil {
		return
	}
	for _, name := range names {
		if !r.fields.has(name) {
			continue
		}
		v, err := get(name)
		if err != nil {
			r.err = err
			return
		}
		*to = v
		return
	}
}

// word is text as a getter that may fail: an object is no word.
func (f fields) word(name string) (string, error) {
	s := f.text(name)
	if s == "" && f.has(name) && string(f.raw[name]) != `""` {
		return "", bad("error converting input for field %q: expected a string", name)
	}
	return s, nil
}

// count is a number that fits everywhere.
func (f fields) count(name string) (int, error) {
	n, err := f.number(name)
	if err == nil && (n > math.MaxInt32 || n < math.MinInt32) {
		err = bad("error converting input for field %q: the number is too large", name)
	}
	return int(n), err
}

func (f fields) cidrs(name string) ([]netip.Prefix, error) {
	list, err := f.list(name)
	if err != nil {
		return nil, err
	}
	return auth.ParseCIDRs(list)
}

func (f fields) proof(name string) auth.Proof { return auth.NewProof([]byte(f.text(name))) }

// meta reads pairs in each of the forms that the vendor takes: an object, the same as a JSON text, "a=b,c=d", or a list
// of "a=b".
func (f fields) meta(name string) ([]secret.Pair, error) {
	if !f.has(name) {
		return nil, nil
	}
	raw := f.raw[name]
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if text = strings.TrimSpace(text); text == "" {
			return nil, nil
		}
		raw = json.RawMessage(text)
	}
	if m, ok := metaObject(raw); ok {
		return auth.Pairs(m), nil
	}
	parts, err := f.list(name)
	if err != nil {
		return nil, bad("error converting input for field %q: expected key=value pairs", name)
	}
	m := map[string]string{}
	for _, p := range parts {
		k, v, ok := strings.Cut(p, "=")
		if k = strings.TrimSpace(k); !ok || k == "" {
			return nil, bad("error converting input for field %q: expected key=value pairs", name)
		}
		m[k] = strings.TrimSpace(v)
	}
	return auth.Pairs(m), nil
}

// metaObject reads an object whose values are texts, numbers or booleans.
func metaObject(raw json.RawMessage) (map[string]string, bool) {
	var o fields
	if json.Unmarshal(raw, &o.raw) != nil || o.raw == nil {
		return nil, false
	}
	m := make(map[string]string, len(o.raw))
	for k := range o.raw {
		v, err := o.word(k)
		if err != nil {
			return nil, false
		}
		m[k] = v
	}
	return m, true
}
