package barrier

// XAESSeal seals with a given nonce, for the vectors of the specification.
func XAESSeal(key, nonce, plaintext, aad []byte) ([]byte, error) {
	b, err := newBox(XAES, key)
	if err != nil {
		return nil, err
	}
	out, err := b.sealAt(append([]byte(nil), nonce...), &scratch{aad: aad}, nonce, plaintext)
	if err != nil {
		return nil, err
	}
	return out[len(nonce):], nil
}

// XAESOpen is the reverse of XAESSeal.
func XAESOpen(key, nonce, ciphertext, aad []byte) ([]byte, error) {
	b, err := newBox(XAES, key)
	if err != nil {
		return nil, err
	}
	return b.open(nil, &scratch{aad: aad}, append(append([]byte(nil), nonce...), ciphertext...))
}

// DecodeKeyring is the decoder behind OpenKeyring.
func DecodeKeyring(b []byte) (*Keyring, error) { return decodeKeyring(b) }

// Encode is the encoder behind SealKeyring.
func (k *Keyring) Encode() ([]byte, error) { return k.encode() }

// LimitActive lowers how often the active term may seal.
func (k *Keyring) LimitActive(n uint64) { k.active.keys.box.Load().limit = n }

// Encoding is the encoding of a context.
func (c Context) Encoding() []byte { return c.appendTo(nil) }

// RunLength is how many records share half a nonce at most.
const RunLength = runLength
