package barrier

import (
	"crypto/cipher"
	"fmt"
)

// Kept opens one sealed value again and again. It holds the value's ciphertext and the cipher that was made ready for it,
// never the plaintext, and answers only at the place that the value was sealed for, and only until its keyring is wiped.
type Kept struct {
	sealed []byte
	aead   cipher.AEAD // XAES: AES-GCM under the key derived for this value's nonce; GCM: the data key's own
	family *family
}

// KeptSize is about how many bytes a Kept needs besides the ciphertext.
const KeptSize = 900

// Keep makes what opens one sealed value without its data key. The caller must not change sealed afterwards.
func (d *DataKey) Keep(sealed []byte) (*Kept, error) {
	if d.family.wiped.Load() {
		return nil, ErrWiped
	}
	if len(sealed) < valueHeader+d.box.alg.overhead() || sealed[0] != roleValue<<4|byte(d.box.alg) {
		return nil, fmt.Errorf("not sealed by a data key of this kind: %w", ErrUnopenable)
	}
	k := &Kept{sealed: sealed, aead: d.box.gcm, family: d.family}
	if d.box.alg == GCM {
		return k, nil
	}
	s := d.family.scratch.Get().(*scratch)
	defer d.family.put(s)
	var err error
	k.aead, err = d.box.xaes.derive(&s.work, sealed[valueHeader:valueHeader+24])
	return k, err
}

// Open opens the value at its place.
func (k *Kept) Open(c Context) ([]byte, error) {
	if k.family.wiped.Load() {
		return nil, ErrWiped
	}
	s := k.family.scratch.Get().(*scratch)
	defer k.family.put(s)
	s.bind(k.sealed[:valueHeader], &c)
	nonce, body := []byte(nil), k.sealed[valueHeader:]
	if k.sealed[0]&0x0f == byte(XAES) {
		nonce, body = body[12:24], body[24:]
	}
	out, err := k.aead.Open(nil, nonce, body, s.aad)
	if err != nil {
		return nil, ErrUnopenable
	}
	return out, nil
}
