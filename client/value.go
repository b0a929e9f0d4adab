package client

import (
	"crypto/subtle"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

const redacted = "[redacted]"

// A Value is the plaintext of a secret. It prints, logs and marshals as "[redacted]". As a field of a struct that
// [Space.Bind] fills it keeps a setting from being printed with the struct.
type Value struct{ b []byte }

// Text gives the value away as text.
func (v Value) Text() string { return string(v.b) }

// Bytes gives a copy of the value away.
func (v Value) Bytes() []byte { return slices.Clone(v.b) }

// Len is the value's size in bytes.
func (v Value) Len() int { return len(v.b) }

// Equal compares in time that depends on the lengths only.
func (v Value) Equal(w Value) bool { return subtle.ConstantTimeCompare(v.b, w.b) == 1 }

func (v Value) String() string               { return redacted }
func (v Value) GoString() string             { return redacted }
func (v Value) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Secret is one version of one secret.
type Secret struct {
	Value   Value
	Fields  map[string]Value // of a map, as the Vault dialect writes them; nil of anything else. JSON strings without their quotes
	Version uint64
	Created time.Time
	Custom  map[string]string // metadata that is no secret
}

// Values are the settings of an environment at one time. They do not change; a later call answers others.
type Values struct {
	values   map[string]Value
	versions map[string]uint64
	at       time.Time
	now      func() time.Time
}

// Lookup is the value of a name.
func (v *Values) Lookup(name string) (Value, bool) {
	value, ok := v.values[name]
	return value, ok
}

// Version is the number of a name's version, 0 if there is no such name.
func (v *Values) Version(name string) uint64 { return v.versions[name] }

// Len is how many names there are.
func (v *Values) Len() int { return len(v.values) }

// Names are all names in order.
func (v *Values) Names() []string { return slices.Sorted(maps.Keys(v.values)) }

// All ranges over names and values in order of the names.
func (v *Values) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, name := range v.Names() {
			if !yield(name, v.values[name]) {
				return
			}
		}
	}
}

// Age is how long ago the server answered them.
func (v *Values) Age() time.Duration { return v.now().Sub(v.at) }

func (v *Values) equal(w *Values) bool {
	return maps.EqualFunc(v.values, w.values, Value.Equal) && maps.Equal(v.versions, w.versions)
}
