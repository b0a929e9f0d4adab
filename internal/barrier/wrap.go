package barrier

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// Bounds on what a sealed keyring may hold.
const (
	maxTerms       = 1 << 16
	maxGenerations = 1 << 16
)

// A key wrapped by a key-encryption key (and, with its own role, the keyring
// wrapped by the root key):
//
//	1         24 (12 for aes-256-gcm)   n + 16
//	role|alg  nonce                     ciphertext and tag
//
// The cipher's key is HKDF-SHA-256 of the key-encryption key, no salt, info
// "keephold wrap v1" and the first byte, so that one key-encryption key can
// serve both algorithms and both roles. The additional data is the first
// byte, then the label behind its 4-byte length.

// WrapKey wraps a key under a key-encryption key of 32 bytes. The label says
// what is wrapped where; UnwrapKey needs the same.
func WrapKey(alg Algorithm, kek []byte, label string, key []byte) ([]byte, error) {
	return wrap(roleKey, alg, kek, label, key)
}

// UnwrapKey opens what WrapKey wrapped.
func UnwrapKey(kek []byte, label string, blob []byte) ([]byte, error) {
	return unwrap(roleKey, kek, label, blob)
}

func wrapBox(head byte, kek []byte) (*box, error) {
	if len(kek) != KeySize {
		return nil, fmt.Errorf("key-encryption key of %d bytes, want %d", len(kek), KeySize)
	}
	key, err := hkdf.Key(sha256.New, kek, nil, "keephold wrap v1"+string([]byte{head}), KeySize)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newBox(Algorithm(head&0x0f), key)
}

func wrap(role byte, alg Algorithm, kek []byte, label string, plain []byte) ([]byte, error) {
	if !alg.valid() {
		return nil, fmt.Errorf("wrap: unknown algorithm %d", alg)
	}
	head := role<<4 | byte(alg)
	b, err := wrapBox(head, kek)
	if err != nil {
		return nil, fmt.Errorf("wrap: %w", err)
	}
	s := &scratch{aad: appendString([]byte{head}, label)}
	return b.seal([]byte{head}, s, plain)
}

func unwrap(role byte, kek []byte, label string, blob []byte) ([]byte, error) {
	if len(blob) < 1 || blob[0]>>4 != role || !Algorithm(blob[0]&0x0f).valid() {
		return nil, fmt.Errorf("unwrap: not a wrapped key: %w", ErrUnopenable)
	}
	b, err := wrapBox(blob[0], kek)
	if err != nil {
		return nil, fmt.Errorf("unwrap: %w", err)
	}
	s := &scratch{aad: appendString([]byte{blob[0]}, label)}
	plain, err := b.open(nil, s, blob[1:])
	if err != nil {
		return nil, fmt.Errorf("unwrap: %w", err)
	}
	return plain, nil
}

func keyringLabel(installation string) string { return "keyring of " + installation }

// SealKeyring wraps a keyring under the root key (32 bytes), bound to its
// installation.
func SealKeyring(root []byte, installation string, k *Keyring) ([]byte, error) {
	plain, err := k.encode()
	if err != nil {
		return nil, fmt.Errorf("seal keyring: %w", err)
	}
	defer clear(plain)
	out, err := wrap(roleKeyring, k.active.alg, root, keyringLabel(installation), plain)
	if err != nil {
		return nil, fmt.Errorf("seal keyring: %w", err)
	}
	return out, nil
}

// OpenKeyring opens what SealKeyring sealed and checks all of it.
func OpenKeyring(root []byte, installation string, blob []byte) (*Keyring, error) {
	plain, err := unwrap(roleKeyring, root, keyringLabel(installation), blob)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	defer clear(plain)
	k, err := decodeKeyring(plain)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	return k, nil
}

// The keyring before it is wrapped, big endian:
//
//	1        format, 1
//	8        serial
//	4        count of terms, then for each, ids ascending
//	  4      id
//	  8      created, Unix seconds
//	  1      state (1 pending, 2 active, 3 superseded, 4 retired)
//	  1      algorithm
//	  16     key-check value
//	  32     key, absent when retired
//	4 times (index, audit-hmac, audit-sign, sealed-token):
//	4        count of generations, then for each, ascending
//	  4      generation
//	  8      created, Unix seconds
//	  32     key
const keyringFormat = 1

func (k *Keyring) encode() ([]byte, error) {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	if k.family.wiped.Load() {
		return nil, ErrWiped
	}
	b := make([]byte, 0, 64+len(k.terms)*(4+8+1+1+16+KeySize)+k.generations()*(4+8+KeySize))
	b = append(b, keyringFormat)
	b = binary.BigEndian.AppendUint64(b, k.serial)
	b = binary.BigEndian.AppendUint32(b, uint32(len(k.terms)))
	for _, t := range k.terms {
		b = binary.BigEndian.AppendUint32(b, t.id)
		b = binary.BigEndian.AppendUint64(b, uint64(t.created.Unix()))
		b = append(b, byte(t.state), byte(t.alg))
		b = append(b, t.check[:]...)
		if t.state != Retired {
			b = append(b, t.keys.raw[:]...)
		}
	}
	for _, gens := range k.purposes {
		b = binary.BigEndian.AppendUint32(b, uint32(len(gens)))
		for _, pk := range gens {
			b = binary.BigEndian.AppendUint32(b, pk.generation)
			b = binary.BigEndian.AppendUint64(b, uint64(pk.created.Unix()))
			b = append(b, pk.raw[:]...)
		}
	}
	return b, nil
}

func (k *Keyring) generations() (n int) {
	for _, gens := range k.purposes {
		n += len(gens)
	}
	return n
}

// reader takes fields off a byte slice; after the first shortage every field
// is zero and short is set.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || len(r.b) < n {
		r.short = true
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) when() time.Time {
	return time.Unix(int64(r.u64()), 0).UTC()
}

// decodeKeyring accepts exactly what encode writes.
func decodeKeyring(b []byte) (*Keyring, error) {
	r := &reader{b: b}
	if f := r.u8(); f != keyringFormat {
		return nil, fmt.Errorf("keyring format %d is not known: %w", f, ErrUnopenable)
	}
	k := &Keyring{family: newFamily(), serial: r.u64()}
	terms := r.u32()
	if terms > maxTerms {
		return nil, fmt.Errorf("keyring with %d terms: %w", terms, ErrUnopenable)
	}
	for range terms {
		if err := k.decodeTerm(r); err != nil {
			return nil, err
		}
	}
	if k.active == nil {
		return nil, fmt.Errorf("keyring without an active term: %w", ErrUnopenable)
	}
	for p := range purposeCount {
		if err := k.decodePurpose(p, r); err != nil {
			return nil, err
		}
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("keyring with %d bytes too many: %w", len(r.b), ErrUnopenable)
	}
	return k, nil
}

func (k *Keyring) decodeTerm(r *reader) error {
	t := &term{id: r.u32(), created: r.when(), state: State(r.u8()), alg: Algorithm(r.u8()), keys: &termKey{}}
	copy(t.check[:], r.take(len(t.check)))
	if t.state != Retired {
		copy(t.keys.raw[:], r.take(KeySize))
	}
	if r.short {
		return fmt.Errorf("keyring is cut short: %w", ErrUnopenable)
	}
	n := len(k.terms)
	// Only the newest term can be pending: none is added behind a pending one.
	if t.id == 0 || n > 0 && (t.id <= k.terms[n-1].id || k.terms[n-1].state == Pending) {
		return fmt.Errorf("term %d is out of order: %w", t.id, ErrUnopenable)
	}
	if t.state < Pending || t.state > Retired || !t.alg.valid() {
		return fmt.Errorf("term %d of unknown state or algorithm: %w", t.id, ErrUnopenable)
	}
	if t.state == Active {
		if k.active != nil {
			return fmt.Errorf("terms %d and %d are both active: %w", k.active.id, t.id, ErrUnopenable)
		}
		k.active = t
	}
	if t.state != Retired {
		want := t.check
		if err := t.arm(k.family); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(want[:], t.check[:]) != 1 {
			return fmt.Errorf("term %d: key-check value differs: %w", t.id, ErrUnopenable)
		}
	}
	k.terms = append(k.terms, t)
	return nil
}

func (k *Keyring) decodePurpose(p Purpose, r *reader) error {
	count := r.u32()
	if count == 0 || count > maxGenerations {
		return fmt.Errorf("purpose %s with %d generations: %w", p, count, ErrUnopenable)
	}
	for range count {
		pk := &purposeKey{generation: r.u32(), created: r.when()}
		copy(pk.raw[:], r.take(KeySize))
		n := len(k.purposes[p])
		if r.short || pk.generation == 0 || n > 0 && pk.generation <= k.purposes[p][n-1].generation {
			return fmt.Errorf("purpose %s: generations cut short or out of order: %w", p, ErrUnopenable)
		}
		pk.arm(k.family)
		k.purposes[p] = append(k.purposes[p], pk)
	}
	return nil
}
