package auth

import "fmt"

// Proof is what somebody presents to prove who they are: a token, a secret-id, a password. It prints and marshals as
// "[redacted]", and its bytes do not leave the rooms of auth: methods read them by Bytes, nothing stores them.
type Proof struct{ b []byte }

// NewProof wraps b without copying it; the caller must not change b afterwards.
func NewProof(b []byte) Proof { return Proof{b} }

// Bytes returns what was presented: read it, do not keep or change it.
func (p Proof) Bytes() []byte { return p.b }

// IsZero says that nothing was presented.
func (p Proof) IsZero() bool { return len(p.b) == 0 }

func (p Proof) String() string               { return "[redacted]" }
func (p Proof) GoString() string             { return "[redacted]" }
func (p Proof) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("[redacted]")) }
func (p Proof) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
func (p Proof) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }
