// Package secret holds the nouns of the house: a Space, a Path in it, the Secret it names, that secret's
// Versions, and the Value inside one. It decides nothing and stores nothing; it says what is well formed.
package secret

import (
	"crypto/subtle"
	"fmt"
)

const redacted = "[redacted]"

// Value is plaintext. It prints, formats and marshals as "[redacted]"; only Reveal gives the bytes away, and a
// house test names who may call it.
type Value struct{ b []byte }

// NewValue wraps b without copying it; the caller must not change b afterwards.
func NewValue(b []byte) Value { return Value{b} }

// Reveal returns the plaintext. The slice belongs to the Value: read it, do not change it.
func (v Value) Reveal() []byte { return v.b }

// Len is the size of the plaintext in bytes.
func (v Value) Len() int { return len(v.b) }

// Equal compares in time that depends on the lengths only.
func (v Value) Equal(w Value) bool { return subtle.ConstantTimeCompare(v.b, w.b) == 1 }

// Wipe overwrites the plaintext. Copies that the runtime may have made are out of its reach.
func (v Value) Wipe() { clear(v.b) }

func (v Value) String() string               { return redacted }
func (v Value) GoString() string             { return redacted }
func (v Value) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
