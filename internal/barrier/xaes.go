package barrier

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"sync/atomic"
)

// xaesKey is one XAES-256-GCM key with what the specification lets us reuse
// across messages (steps 1 and 2 of its key derivation): the AES key schedule
// and the CMAC subkey K1. What is left per message is two block operations
// and one AES-GCM setup under the derived key.
type xaesKey struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

// init works in place, so that a key costs no allocation besides its schedule.
func (x *xaesKey) init(key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	x.block = block
	block.Encrypt(x.k1[:], x.k1[:])
	// Multiply L by x in GF(2^128), without a branch on its top bit.
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- {
		next := x.k1[i] >> 7
		x.k1[i] = x.k1[i]<<1 | carry
		carry = next
	}
	x.k1[len(x.k1)-1] ^= 0x87 & -carry
	return nil
}

// derive returns AES-256-GCM under the key derived from the first half of the
// nonce; the caller passes it the second half. work must hold 32 bytes.
func (x *xaesKey) derive(work *[KeySize]byte, nonce []byte) (cipher.AEAD, error) {
	for i := range 2 {
		m := work[i*aes.BlockSize : (i+1)*aes.BlockSize]
		m[0], m[1], m[2], m[3] = 0, byte(i+1), 'X', 0
		copy(m[4:], nonce[:12])
		subtle.XORBytes(m, m, x.k1[:])
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(work[:])
	clear(work[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// box is a key ready to seal: what hot paths hold instead of key bytes.
type box struct {
	alg   Algorithm
	xaes  xaesKey     // alg XAES
	runs  *runs       // alg XAES; nil for a key that seals a record or two
	gcm   cipher.AEAD // alg GCM
	seals atomic.Uint64
	limit uint64 // of seals; 0 is none
}

func newBox(alg Algorithm, key []byte) (*box, error) {
	b := &box{}
	return b, b.init(alg, key)
}

func (b *box) init(alg Algorithm, key []byte) error {
	b.alg = alg
	if alg == XAES {
		return b.xaes.init(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	b.gcm, err = cipher.NewGCMWithRandomNonce(block)
	return err
}

// overhead is what sealing adds behind the header: nonce and tag.
func (a Algorithm) overhead() int { return a.nonceSize() + tagSize }

// seal appends nonce, ciphertext and tag to dst. dst must not overlap with
// plaintext.
func (b *box) seal(dst []byte, s *scratch, plaintext []byte) ([]byte, error) {
	if b.limit > 0 && b.seals.Add(1) > b.limit {
		return nil, ErrExhausted
	}
	if b.alg == GCM {
		return b.gcm.Seal(dst, nil, plaintext, s.aad), nil
	}
	// The nonce is drawn straight into its place in dst: a pooled buffer
	// would have to be copied, and a local one would escape.
	at := len(dst)
	dst = append(dst, s.zero[:XAES.nonceSize()]...)
	nonce := dst[at : at+24]
	if b.runs != nil {
		r, err := b.xaes.next(b.runs, &s.work)
		if err != nil {
			return nil, err
		}
		copy(nonce, r.nonce[:])
		rand.Read(nonce[half:])
		return r.aead.Seal(dst, nonce[half:], plaintext, s.aad), nil
	}
	rand.Read(nonce) // never fails: the runtime ends the program instead
	return b.sealAt(dst, s, nonce, plaintext)
}

func (b *box) sealAt(dst []byte, s *scratch, nonce, plaintext []byte) ([]byte, error) {
	aead, err := b.xaes.derive(&s.work, nonce)
	if err != nil {
		return nil, err
	}
	return aead.Seal(dst, nonce[12:], plaintext, s.aad), nil
}

// open appends the plaintext of nonce|ciphertext|tag to dst.
func (b *box) open(dst []byte, s *scratch, body []byte) ([]byte, error) {
	if len(body) < b.alg.overhead() {
		return nil, ErrUnopenable
	}
	if b.alg == GCM {
		out, err := b.gcm.Open(dst, nil, body, s.aad)
		if err != nil {
			return nil, ErrUnopenable
		}
		return out, nil
	}
	aead, err := b.opener(s, body[:24])
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(dst, body[12:24], body[24:], s.aad)
	if err != nil {
		return nil, ErrUnopenable
	}
	return out, nil
}

// opener is the cipher for a nonce.
func (b *box) opener(s *scratch, nonce []byte) (cipher.AEAD, error) {
	if b.runs == nil {
		return b.xaes.derive(&s.work, nonce)
	}
	r, err := b.xaes.of(b.runs, &s.work, nonce)
	if err != nil {
		return nil, err
	}
	return r.aead, nil
}

// scratch is what one seal or open needs besides its result. It is pooled
// per family of keyrings, because anything handed to a cipher.AEAD escapes.
type scratch struct {
	aad   []byte
	work  [KeySize]byte
	plain [1 + KeySize]byte // of a data key; cleared after use
	zero  [24]byte          // always zero
}
