package approle

import "github.com/keephold/keephold/internal/record"

// DecodeRole, DecodeSecretID and Weak are the room's own, for its tests.
func DecodeRole(r record.Record) (*Role, error) {
	x := &Role{}
	return x, decode(r, x)
}

func DecodeSecretID(r record.Record) (*SecretID, error) {
	x := &SecretID{}
	return x, decode(r, x)
}

func Weak(s string) bool { return weak(s) }
