package barrier

import (
	"crypto/rand"
	"fmt"
)

// DataKey seals all versions of one secret. It is stored wrapped by a term,
// so that a rotation of terms rewrites 78 bytes a secret and no value.
//
// A wrapped data key is a record of its own role whose plaintext is
//
//	1    32
//	alg  key
//
// and what a data key seals is
//
//	1         24 (12 for aes-256-gcm)   n + 16
//	role|alg  nonce                     ciphertext and tag
//
// with the first byte and the context as additional data. The key's algorithm
// is part of its plaintext, so that one key never serves two algorithms.
type DataKey struct {
	box    box
	family *family
}

const valueHeader = 1

// NewDataKey makes a data key for a place and wraps it under the active term.
func (k *Keyring) NewDataKey(c Context) (*DataKey, []byte, error) {
	var plain [1 + KeySize]byte
	defer clear(plain[:])
	plain[0] = byte(k.active.alg)
	rand.Read(plain[1:])
	wrapped, err := k.sealTerm(make([]byte, 0, len(plain)+Overhead), roleDataKey, &c, plain[:])
	if err != nil {
		return nil, nil, err
	}
	dk, err := k.dataKey(plain[:])
	return dk, wrapped, err
}

// OpenDataKey unwraps a data key at its place.
func (k *Keyring) OpenDataKey(c Context, wrapped []byte) (*DataKey, error) {
	s := k.family.scratch.Get().(*scratch)
	defer k.family.put(s)
	defer clear(s.plain[:])
	plain, err := k.openWith(s, s.plain[:0], roleDataKey, &c, wrapped)
	if err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	return k.dataKey(plain)
}

func (k *Keyring) dataKey(plain []byte) (*DataKey, error) {
	if len(plain) != 1+KeySize || !Algorithm(plain[0]).valid() {
		return nil, fmt.Errorf("data key of an unknown algorithm: %w", ErrUnopenable)
	}
	d := &DataKey{family: k.family}
	if err := d.box.init(Algorithm(plain[0]), plain[1:]); err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	return d, nil
}

// Rewrap wraps a data key anew under the active term; changed is false, and
// wrapped returned as it is, when it already is. Values are not touched.
func (k *Keyring) Rewrap(c Context, wrapped []byte) (rewrapped []byte, changed bool, err error) {
	return k.reseal(roleDataKey, c, wrapped)
}

// Seal seals plaintext for a place under the data key.
func (d *DataKey) Seal(c Context, plaintext []byte) ([]byte, error) {
	return d.AppendSeal(make([]byte, 0, len(plaintext)+valueHeader+d.box.alg.overhead()), c, plaintext)
}

// AppendSeal appends what it seals to dst, which must not overlap plaintext.
func (d *DataKey) AppendSeal(dst []byte, c Context, plaintext []byte) ([]byte, error) {
	if d.family.wiped.Load() {
		return nil, ErrWiped
	}
	// A version is sealed once, so its number counts the seals of this key:
	// the bound of random 96-bit nonces needs no counter of its own.
	if d.box.alg == GCM && c.Generation >= 1<<32 {
		return nil, fmt.Errorf("data key at generation %d: %w", c.Generation, ErrExhausted)
	}
	at := len(dst)
	dst = append(dst, roleValue<<4|byte(d.box.alg))
	s := d.family.scratch.Get().(*scratch)
	defer d.family.put(s)
	s.bind(dst[at:], &c)
	return d.box.seal(dst, s, plaintext)
}

// Open opens at its place what Seal sealed.
func (d *DataKey) Open(c Context, sealed []byte) ([]byte, error) {
	return d.AppendOpen(nil, c, sealed)
}

// AppendOpen appends the plaintext to dst, which must not overlap sealed.
func (d *DataKey) AppendOpen(dst []byte, c Context, sealed []byte) ([]byte, error) {
	if d.family.wiped.Load() {
		return nil, ErrWiped
	}
	if len(sealed) < valueHeader || sealed[0] != roleValue<<4|byte(d.box.alg) {
		return nil, fmt.Errorf("not sealed by a data key of this kind: %w", ErrUnopenable)
	}
	s := d.family.scratch.Get().(*scratch)
	defer d.family.put(s)
	s.bind(sealed[:valueHeader], &c)
	return d.box.open(dst, s, sealed[valueHeader:])
}
