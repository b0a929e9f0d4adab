package barrier

import (
	"encoding/binary"
	"fmt"
)

// A record sealed under a term:
//
//	1            4     24 (12 for aes-256-gcm)   n + 16
//	role|alg     term  nonce                     ciphertext and tag
//
// Its additional data is the first five bytes and the context.
const termHeader = 1 + 4

// Overhead is how many bytes longer a record may be than its plaintext.
const Overhead = termHeader + 24 + tagSize

// Seal seals plaintext for a place under the active term.
func (k *Keyring) Seal(c Context, plaintext []byte) ([]byte, error) {
	return k.AppendSeal(make([]byte, 0, len(plaintext)+Overhead), c, plaintext)
}

// AppendSeal appends the record to dst, which must not overlap plaintext.
func (k *Keyring) AppendSeal(dst []byte, c Context, plaintext []byte) ([]byte, error) {
	return k.sealTerm(dst, roleRecord, &c, plaintext)
}

// Open opens a record at its place.
func (k *Keyring) Open(c Context, record []byte) ([]byte, error) {
	return k.AppendOpen(nil, c, record)
}

// AppendOpen appends the plaintext to dst, which must not overlap record.
func (k *Keyring) AppendOpen(dst []byte, c Context, record []byte) ([]byte, error) {
	return k.openTerm(dst, roleRecord, &c, record)
}

// Reseal seals a record anew under the active term; changed is false, and the
// record returned as it is, when it already is.
func (k *Keyring) Reseal(c Context, record []byte) (resealed []byte, changed bool, err error) {
	return k.reseal(roleRecord, c, record)
}

// SealedUnder tells the term of a record or of a wrapped data key, without
// opening it; false for anything else.
func (k *Keyring) SealedUnder(record []byte) (uint32, bool) {
	if len(record) < termHeader || !Algorithm(record[0]&0x0f).valid() {
		return 0, false
	}
	if role := record[0] >> 4; role != roleRecord && role != roleDataKey {
		return 0, false
	}
	return binary.BigEndian.Uint32(record[1:]), true
}

func (k *Keyring) sealTerm(dst []byte, role byte, c *Context, plaintext []byte) ([]byte, error) {
	t := k.active
	b := t.keys.box.Load()
	if b == nil {
		return nil, ErrWiped
	}
	at := len(dst)
	dst = append(dst, role<<4|byte(t.alg))
	dst = binary.BigEndian.AppendUint32(dst, t.id)
	s := k.family.scratch.Get().(*scratch)
	s.bind(dst[at:], c)
	out, err := b.seal(dst, s, plaintext)
	k.family.put(s)
	if err != nil {
		return nil, fmt.Errorf("seal under term %d: %w", t.id, err)
	}
	return out, nil
}

func (k *Keyring) openTerm(dst []byte, role byte, c *Context, record []byte) ([]byte, error) {
	s := k.family.scratch.Get().(*scratch)
	defer k.family.put(s)
	return k.openWith(s, dst, role, c, record)
}

func (k *Keyring) openWith(s *scratch, dst []byte, role byte, c *Context, record []byte) ([]byte, error) {
	if len(record) < termHeader {
		return nil, fmt.Errorf("record of %d bytes is cut short: %w", len(record), ErrUnopenable)
	}
	if record[0]>>4 != role {
		return nil, fmt.Errorf("record of another kind: %w", ErrUnopenable)
	}
	id := binary.BigEndian.Uint32(record[1:])
	t := k.find(id)
	if t == nil {
		return nil, fmt.Errorf("term %d: %w: %w", id, ErrUnknownTerm, ErrUnopenable)
	}
	if t.state == Retired {
		return nil, fmt.Errorf("term %d is retired: %w", id, ErrUnopenable)
	}
	b := t.keys.box.Load()
	if b == nil {
		return nil, ErrWiped
	}
	if Algorithm(record[0]&0x0f) != b.alg {
		return nil, fmt.Errorf("term %d: another algorithm: %w", id, ErrUnopenable)
	}
	s.bind(record[:termHeader], c)
	out, err := b.open(dst, s, record[termHeader:])
	if err != nil {
		return nil, fmt.Errorf("term %d: %w", id, err)
	}
	return out, nil
}

func (k *Keyring) reseal(role byte, c Context, record []byte) ([]byte, bool, error) {
	plain, err := k.openTerm(nil, role, &c, record)
	if err != nil {
		return nil, false, err
	}
	defer clear(plain)
	if binary.BigEndian.Uint32(record[1:]) == k.active.id {
		return record, false, nil
	}
	out, err := k.sealTerm(make([]byte, 0, len(plain)+Overhead), role, &c, plain)
	return out, err == nil, err
}

// bind writes the additional data.
func (s *scratch) bind(header []byte, c *Context) {
	s.aad = c.appendTo(append(s.aad[:0], header...))
}

func (f *family) put(s *scratch) {
	if cap(s.aad) <= 4096 {
		f.scratch.Put(s)
	}
}
