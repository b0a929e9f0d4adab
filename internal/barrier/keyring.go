package barrier

import (
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// State of a term.
type State uint8

const (
	// Pending terms are stored but nobody seals under them yet: every node
	// learns of them first.
	Pending State = 1
	// Active is the one term that seals.
	Active State = 2
	// Superseded terms still open.
	Superseded State = 3
	// Retired terms have no key any more; what is sealed under them is gone.
	Retired State = 4
)

func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Active:
		return "active"
	case Superseded:
		return "superseded"
	case Retired:
		return "retired"
	}
	return "unknown"
}

// TermInfo is what may be told about a term.
type TermInfo struct {
	ID        uint32
	Created   time.Time
	State     State
	Algorithm Algorithm
	Check     [16]byte // key-check value: tells two keys apart, reveals nothing
	Seals     uint64   // by this process; counted for bounded (FIPS) terms only
}

// Keyring holds the terms and purpose keys of one installation. It is
// immutable and safe for concurrent use; the zero Keyring is not usable.
type Keyring struct {
	serial   uint64
	terms    []*term // ascending ids
	active   *term
	purposes [purposeCount][]*purposeKey // ascending generations, newest last
	family   *family
}

// family is what all keyrings derived from one another share.
type family struct {
	scratch  sync.Pool
	wiped    atomic.Bool
	mu       sync.Mutex    // guards the key bytes of terms and purposes, and:
	terms    []*termKey    // every key ever made or read in this family,
	purposes []*purposeKey // so that Wipe reaches those a later keyring dropped
}

type term struct {
	id      uint32
	created time.Time
	state   State
	alg     Algorithm
	check   [16]byte
	keys    *termKey // shared by all copies of this term
}

type termKey struct {
	raw [KeySize]byte       // guarded by family.mu; zero once wiped or retired
	box atomic.Pointer[box] // nil once wiped or retired
}

// gcmTermLimit bounds the seals of one process under one FIPS term. Random
// 96-bit nonces allow 2^32 seals per key (NIST SP 800-38D, 8.3); a 64th of it
// leaves room for 64 processes or restarts in the life of a term.
const gcmTermLimit = 1 << 26

func newFamily() *family {
	f := &family{}
	f.scratch.New = func() any { return &scratch{aad: make([]byte, 0, 256)} }
	return f
}

// NewKeyring makes a keyring with term 1 active and every purpose at
// generation 1. Keys are read from random; nil means crypto/rand. Nonces
// always come from crypto/rand.
func NewKeyring(random io.Reader, now time.Time) (*Keyring, error) {
	return NewKeyringAs(XAES, random, now)
}

// NewKeyringAs is NewKeyring with the algorithm of its first term.
func NewKeyringAs(alg Algorithm, random io.Reader, now time.Time) (*Keyring, error) {
	k := &Keyring{family: newFamily(), serial: 1}
	t, err := k.makeTerm(1, alg, random, now)
	if err != nil {
		return nil, err
	}
	t.state = Active
	k.terms, k.active = []*term{t}, t
	for p := range purposeCount {
		pk, err := k.makePurpose(1, random, now)
		if err != nil {
			return nil, err
		}
		k.purposes[p] = []*purposeKey{pk}
	}
	return k, nil
}

func readKey(dst *[KeySize]byte, random io.Reader) error {
	if random == nil {
		random = rand.Reader
	}
	_, err := io.ReadFull(random, dst[:])
	return err
}

func (k *Keyring) makeTerm(id uint32, alg Algorithm, random io.Reader, now time.Time) (*term, error) {
	if !alg.valid() {
		return nil, fmt.Errorf("term %d: unknown algorithm %d", id, alg)
	}
	t := &term{id: id, alg: alg, created: now.UTC().Truncate(time.Second), state: Pending, keys: &termKey{}}
	if err := readKey(&t.keys.raw, random); err != nil {
		return nil, fmt.Errorf("term %d: %w", id, err)
	}
	return t, t.arm(k.family)
}

// arm computes the check value and readies the cipher from the raw key.
func (t *term) arm(f *family) error {
	check, err := termCheck(t.id, t.keys.raw[:])
	if err != nil {
		return err
	}
	t.check = check
	b, err := newBox(t.alg, t.keys.raw[:])
	if err != nil {
		return fmt.Errorf("term %d: %w", t.id, err)
	}
	if t.alg == GCM {
		b.limit = gcmTermLimit
	} else {
		b.runs = new(runs)
	}
	t.keys.box.Store(b)
	f.mu.Lock()
	f.terms = append(f.terms, t.keys)
	f.mu.Unlock()
	return nil
}

// termCheck is HKDF-SHA-256 (RFC 5869) of the key with no salt. GCM does not
// commit to its key; this value does.
func termCheck(id uint32, key []byte) (c [16]byte, err error) {
	info := binary.BigEndian.AppendUint32([]byte("keephold term check v1"), id)
	b, err := hkdf.Key(sha256.New, key, nil, string(info), len(c))
	copy(c[:], b)
	return c, err
}

// clone copies the keyring and its term entries (not the keys) so that the
// copy can be changed.
func (k *Keyring) clone() *Keyring {
	n := &Keyring{serial: k.serial + 1, family: k.family, terms: make([]*term, len(k.terms))}
	for i, t := range k.terms {
		c := *t
		n.terms[i] = &c
		if t == k.active {
			n.active = &c
		}
	}
	for p := range k.purposes {
		n.purposes[p] = slices.Clone(k.purposes[p])
	}
	return n
}

// Serial counts the changes of the keyring since it was made: of two sealed
// keyrings the one with the higher serial is the newer one.
func (k *Keyring) Serial() uint64 { return k.serial }

// Active is the id of the term that seals.
func (k *Keyring) Active() uint32 { return k.active.id }

// Algorithm is that of the term that seals.
func (k *Keyring) Algorithm() Algorithm { return k.active.alg }

// Terms lists the terms, oldest first.
func (k *Keyring) Terms() []TermInfo {
	out := make([]TermInfo, 0, len(k.terms))
	for _, t := range k.terms {
		info := TermInfo{ID: t.id, Created: t.created, State: t.state, Algorithm: t.alg, Check: t.check}
		if b := t.keys.box.Load(); b != nil {
			info.Seals = b.seals.Load()
		}
		out = append(out, info)
	}
	return out
}

// find returns the term with an id, or nil.
func (k *Keyring) find(id uint32) *term {
	if k.active.id == id {
		return k.active
	}
	i, ok := slices.BinarySearchFunc(k.terms, id, func(t *term, id uint32) int {
		return cmp.Compare(t.id, id)
	})
	if !ok {
		return nil
	}
	return k.terms[i]
}

// AddPending adds a pending term with the active term's algorithm, and
// returns its id. There is at most one pending term.
func (k *Keyring) AddPending(random io.Reader, now time.Time) (*Keyring, uint32, error) {
	return k.AddPendingAs(k.active.alg, random, now)
}

// AddPendingAs is AddPending for a change of algorithm.
func (k *Keyring) AddPendingAs(alg Algorithm, random io.Reader, now time.Time) (*Keyring, uint32, error) {
	if k.family.wiped.Load() {
		return nil, 0, ErrWiped
	}
	last := k.terms[len(k.terms)-1]
	if last.state == Pending {
		return nil, 0, fmt.Errorf("term %d is already pending: %w", last.id, ErrTermState)
	}
	if len(k.terms) >= maxTerms {
		return nil, 0, fmt.Errorf("%d terms: %w", len(k.terms), ErrExhausted)
	}
	n := k.clone()
	t, err := n.makeTerm(last.id+1, alg, random, now)
	if err != nil {
		return nil, 0, err
	}
	n.terms = append(n.terms, t)
	return n, t.id, nil
}

// Activate makes a pending term the active one; the one before it is superseded.
func (k *Keyring) Activate(id uint32) (*Keyring, error) {
	n := k.clone()
	t := n.find(id)
	if t == nil {
		return nil, fmt.Errorf("activate term %d: %w", id, ErrUnknownTerm)
	}
	if t.state != Pending {
		return nil, fmt.Errorf("activate term %d, which is %s: %w", id, t.state, ErrTermState)
	}
	n.active.state, t.state = Superseded, Active
	n.active = t
	return n, nil
}

// Retire drops the key of a pending or superseded term for good: what is
// still sealed under it cannot be opened again by the new keyring. The old
// keyring value keeps working until it is dropped or wiped.
func (k *Keyring) Retire(id uint32) (*Keyring, error) {
	n := k.clone()
	t := n.find(id)
	if t == nil {
		return nil, fmt.Errorf("retire term %d: %w", id, ErrUnknownTerm)
	}
	if t.state != Pending && t.state != Superseded {
		return nil, fmt.Errorf("retire term %d, which is %s: %w", id, t.state, ErrTermState)
	}
	t.state, t.keys = Retired, &termKey{}
	return n, nil
}

// Wipe clears the key bytes of this keyring and of every keyring it was
// derived from or that was derived from it, and drops the expanded keys; what
// uses them afterwards gets ErrWiped. Go cannot promise more: expanded keys
// stay in freed memory until it is used again.
func (k *Keyring) Wipe() {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	k.family.wiped.Store(true)
	for _, t := range k.family.terms {
		t.box.Store(nil)
		clear(t.raw[:])
	}
	for _, pk := range k.family.purposes {
		pk.macs.Store(nil)
		clear(pk.raw[:])
	}
}
