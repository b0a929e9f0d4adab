package barrier

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Purpose names one of the keys that are not terms.
type Purpose uint8

const (
	// PurposeIndex keys the look-up of tokens and secret-ids: stores hold
	// HMACs under it, never plain hashes.
	PurposeIndex Purpose = iota
	// PurposeAuditHMAC keys the strings in audit records.
	PurposeAuditHMAC
	// PurposeAuditSign is the Ed25519 seed that signs audit checkpoints.
	PurposeAuditSign
	// PurposeSealedToken keys stateless tokens.
	PurposeSealedToken
	purposeCount
)

func (p Purpose) String() string {
	switch p {
	case PurposeIndex:
		return "index"
	case PurposeAuditHMAC:
		return "audit-hmac"
	case PurposeAuditSign:
		return "audit-sign"
	case PurposeSealedToken:
		return "sealed-token"
	}
	return "unknown"
}

// PurposeKey is one generation of a purpose key. It holds a copy of the key:
// the caller clears it.
type PurposeKey struct {
	Generation uint32
	Created    time.Time
	Key        [KeySize]byte
}

// String and GoString keep the key out of logs.
func (PurposeKey) String() string   { return "[redacted]" }
func (PurposeKey) GoString() string { return "[redacted]" }

type purposeKey struct {
	generation uint32
	created    time.Time
	raw        [KeySize]byte // guarded by family.mu
	macs       atomic.Pointer[sync.Pool]
}

// mac is a keyed hash with its buffers, so that nothing given to HMAC escapes
// and nothing is allocated.
type mac struct {
	hash.Hash
	in  [256]byte
	out [sha256.Size]byte
}

func (k *Keyring) makePurpose(gen uint32, random io.Reader, now time.Time) (*purposeKey, error) {
	pk := &purposeKey{generation: gen, created: now.UTC().Truncate(time.Second)}
	if err := readKey(&pk.raw, random); err != nil {
		return nil, fmt.Errorf("purpose key: %w", err)
	}
	pk.arm(k.family)
	return pk, nil
}

func (pk *purposeKey) arm(f *family) {
	// The pool's own copy goes when the pool goes.
	key := pk.raw
	pk.macs.Store(&sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key[:])} }})
	f.mu.Lock()
	f.purposes = append(f.purposes, pk)
	f.mu.Unlock()
}

func (pk *purposeKey) sum(data []byte) (out [sha256.Size]byte) {
	pool := pk.macs.Load()
	if pool == nil {
		rand.Read(out[:])
		return out
	}
	m := pool.Get().(*mac)
	m.Reset()
	used := min(len(data), len(m.in))
	for len(data) > 0 {
		n := copy(m.in[:], data)
		m.Write(m.in[:n])
		data = data[n:]
	}
	m.Sum(m.out[:0])
	out = m.out
	clear(m.in[:used]) // tokens pass through here
	pool.Put(m)
	return out
}

// newest panics on a Purpose that is not one of the constants.
func (k *Keyring) newest(p Purpose) *purposeKey {
	if p >= purposeCount {
		panic("barrier: internal error: unknown purpose")
	}
	gens := k.purposes[p]
	return gens[len(gens)-1]
}

func (k *Keyring) generation(p Purpose, gen uint32) *purposeKey {
	if p >= purposeCount {
		return nil
	}
	for _, pk := range k.purposes[p] {
		if pk.generation == gen {
			return pk
		}
	}
	return nil
}

// HMAC is HMAC-SHA-256 of data under the newest generation of a purpose key.
// On a wiped keyring it answers random bytes, which match nothing.
func (k *Keyring) HMAC(p Purpose, data []byte) [sha256.Size]byte {
	return k.newest(p).sum(data)
}

// HMACAt is HMAC under an older generation; false when it is not held.
func (k *Keyring) HMACAt(p Purpose, gen uint32, data []byte) ([sha256.Size]byte, bool) {
	pk := k.generation(p, gen)
	if pk == nil {
		return [sha256.Size]byte{}, false
	}
	return pk.sum(data), true
}

// Purpose is the newest generation of a purpose key. On a wiped keyring its
// generation is 0.
func (k *Keyring) Purpose(p Purpose) PurposeKey {
	return k.copyOf(k.newest(p))
}

// PurposeAt is one generation of a purpose key; false when it is not held.
func (k *Keyring) PurposeAt(p Purpose, gen uint32) (PurposeKey, bool) {
	pk := k.generation(p, gen)
	if pk == nil {
		return PurposeKey{}, false
	}
	out := k.copyOf(pk)
	return out, out.Generation != 0
}

func (k *Keyring) copyOf(pk *purposeKey) PurposeKey {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	if pk.macs.Load() == nil {
		return PurposeKey{}
	}
	return PurposeKey{Generation: pk.generation, Created: pk.created, Key: pk.raw}
}

// Generations lists the generations of a purpose key that are held, oldest first.
func (k *Keyring) Generations(p Purpose) []uint32 {
	if p >= purposeCount {
		return nil
	}
	out := make([]uint32, 0, len(k.purposes[p]))
	for _, pk := range k.purposes[p] {
		out = append(out, pk.generation)
	}
	return out
}

// SigningSeed is the Ed25519 seed (RFC 8032, 5.1.5) that signs audit checkpoints.
func (k *Keyring) SigningSeed() [KeySize]byte {
	return k.Purpose(PurposeAuditSign).Key
}

// RotatePurpose adds a generation to a purpose key. Older generations stay
// until DropPurpose: stored look-ups are re-keyed by a job that can take long.
func (k *Keyring) RotatePurpose(p Purpose, random io.Reader, now time.Time) (*Keyring, error) {
	if k.family.wiped.Load() {
		return nil, ErrWiped
	}
	old := k.newest(p)
	if len(k.purposes[p]) >= maxGenerations {
		return nil, fmt.Errorf("purpose %s: %d generations: %w", p, len(k.purposes[p]), ErrExhausted)
	}
	pk, err := k.makePurpose(old.generation+1, random, now)
	if err != nil {
		return nil, err
	}
	n := k.clone()
	n.purposes[p] = append(n.purposes[p], pk)
	return n, nil
}

// DropPurpose forgets an older generation of a purpose key.
func (k *Keyring) DropPurpose(p Purpose, gen uint32) (*Keyring, error) {
	pk := k.generation(p, gen)
	if pk == nil || pk == k.newest(p) {
		return nil, fmt.Errorf("drop %s generation %d: %w", p, gen, ErrTermState)
	}
	n := k.clone()
	kept := n.purposes[p][:0]
	for _, g := range k.purposes[p] {
		if g != pk {
			kept = append(kept, g)
		}
	}
	n.purposes[p] = kept
	return n, nil
}
