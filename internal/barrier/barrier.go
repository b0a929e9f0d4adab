// Package barrier seals bytes so that they open only in the place they were
// sealed for.
//
// A Keyring holds the keys of one installation: numbered terms that protect
// records and data keys, and separate purpose keys for look-ups, audit and
// tokens. A Keyring is a value: every change returns a new one, which the
// caller stores (sealed by SealKeyring under the root key) before it uses it.
//
// What is promised: a record that was moved to another place, swapped with
// another version, truncated or changed in any bit does not open; that is an
// error which wraps ErrUnopenable, never a panic. What is not promised: that
// an older, honestly sealed state of the same place is noticed (the audit log
// compares hashes for that), and that the Go runtime keeps no stray copy of a
// key: Wipe clears what can be cleared and drops the rest.
//
// Sealing is XAES-256-GCM (https://c2sp.org/XAES-256-GCM): its 192-bit random
// nonces let any number of nodes seal under one key without a counter, also
// where some records of a node share the first half (see runLength). Under
// FIPS it is AES-256-GCM with random nonces and a bounded number of seals per
// term. docs/format.md, "Sealed records, keyring and seals", draws the bytes.
package barrier

import (
	"encoding/binary"
	"errors"
)

// Sentinels; what went wrong with which term is in the wrapping text.
var (
	// ErrUnopenable: the record is damaged, or belongs to another place, or
	// was sealed under another key. These cannot be told apart.
	ErrUnopenable = errors.New("record does not open here")
	// ErrUnknownTerm: the record names a term this keyring does not hold. The
	// caller reloads the keyring once before it gives up; the error also
	// wraps ErrUnopenable.
	ErrUnknownTerm = errors.New("unknown key term")
	// ErrWiped: the keyring was wiped; the installation is sealed.
	ErrWiped = errors.New("keyring is wiped")
	// ErrExhausted: a bounded (FIPS) term or data key has sealed as much as it may.
	ErrExhausted = errors.New("key has sealed as many records as it may")
	// ErrTermState: a term cannot make the step that was asked of it.
	ErrTermState = errors.New("term is not in the state for this")
)

// KeySize is the size of every key here.
const KeySize = 32

// Algorithm identifies how a key seals. It is fixed when the key is made, so
// that no key is ever used by two algorithms, and stands in every record.
type Algorithm uint8

const (
	// XAES is XAES-256-GCM, for everyone.
	XAES Algorithm = 1
	// GCM is AES-256-GCM with random 96-bit nonces made inside the module
	// boundary: the FIPS profile.
	GCM Algorithm = 2
)

func (a Algorithm) valid() bool { return a == XAES || a == GCM }

func (a Algorithm) nonceSize() int {
	if a == GCM {
		return 12
	}
	return 24
}

func (a Algorithm) String() string {
	switch a {
	case XAES:
		return "xaes-256-gcm"
	case GCM:
		return "aes-256-gcm"
	}
	return "unknown"
}

const tagSize = 16

// The first byte of everything sealed is role<<4 | algorithm. The role keeps
// a wrapped data key from ever being opened as a value, and the reverse.
const (
	roleRecord  = 0 // under a term
	roleDataKey = 1 // a data key, under a term
	roleValue   = 2 // under a data key
	roleKeyring = 3 // the keyring, under the root key
	roleKey     = 4 // a key, under a key-encryption key
)

// Context binds a ciphertext to its place: it is the additional data of the
// AEAD. Generation is the version number of a secret, or the generation of a
// mutable record.
type Context struct {
	Installation, Namespace, UID, Kind string
	Generation                         uint64
}

// appendTo writes the one encoding of a context: each string behind its
// 4-byte length, so that no two contexts share an encoding.
//
//	4  n1   4  n2   4  n3   4  n4   8
//	len installation | len namespace | len uid | len kind | generation
func (c *Context) appendTo(b []byte) []byte {
	b = appendString(b, c.Installation)
	b = appendString(b, c.Namespace)
	b = appendString(b, c.UID)
	b = appendString(b, c.Kind)
	return binary.BigEndian.AppendUint64(b, c.Generation)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
