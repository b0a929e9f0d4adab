package barrier

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"sync/atomic"
)

// XAES derives an AES-256-GCM key from the first half of a nonce, and that costs ten times what opening a short record does. So
// the records that a process seals under a term come in runs: those of one share the first half of their nonces, drawn at random,
// and draw the second one by one. A reader cannot tell, and need not: it remembers the keys that it derived last.
//
// A run has 2^12 records at most, so that two of its nonces are the same with a probability of 2^-73; of 2^52 records under one
// term some two are with 2^-33. NIST SP 800-38D, 8.3, asks for 2^-32. docs/adr/0014 says more.
const runLength = 1 << 12

// half is that of a nonce.
const half = 12

// run is what its records share.
type run struct {
	nonce [half]byte
	aead  cipher.AEAD   // AES-256-GCM under the key derived from it
	seals atomic.Uint32 // by this process
}

// runs are those of a key that seals many records.
type runs struct {
	sealing atomic.Pointer[run]
	opening [8]atomic.Pointer[run] // by the first byte of their nonces
}

// next is the run that one more record may be sealed in.
func (x *xaesKey) next(rs *runs, work *[KeySize]byte) (*run, error) {
	if r := rs.sealing.Load(); r != nil && r.seals.Add(1) <= runLength {
		return r, nil
	}
	r := new(run)
	rand.Read(r.nonce[:]) // never fails: the runtime ends the program instead
	var err error
	if r.aead, err = x.derive(work, r.nonce[:]); err != nil {
		return nil, err
	}
	r.seals.Store(1)
	rs.sealing.Store(r) // of two that begin one at once both are good, and one is used further
	return r, nil
}

// of is the run of a record that is to be opened.
func (x *xaesKey) of(rs *runs, work *[KeySize]byte, nonce []byte) (*run, error) {
	slot := &rs.opening[nonce[0]%byte(len(rs.opening))]
	if r := slot.Load(); r != nil && bytes.Equal(r.nonce[:], nonce[:half]) {
		return r, nil
	}
	aead, err := x.derive(work, nonce)
	if err != nil {
		return nil, err
	}
	r := &run{nonce: [half]byte(nonce), aead: aead}
	slot.Store(r)
	return r, nil
}
