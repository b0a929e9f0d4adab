// Package passphrase wraps the root key under a passphrase, by Argon2id
// (RFC 9106).
//
// Argon2id is slow and takes much memory on purpose. A Gate bounds how many
// computations run at once, and the parameters stored in a blob are bounded
// when they are read, so that neither a crowd nor a forged blob can make the
// machine run out of memory.
package passphrase

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/seal"
	"golang.org/x/crypto/argon2"
)

// MinRunes is the shortest passphrase that wraps. Any length unwraps.
const MinRunes = 12

const maxBytes = 1024

// ErrTooShort: the passphrase is shorter than MinRunes.
var ErrTooShort = fmt.Errorf("passphrase is shorter than %d characters", MinRunes)

// Params are the costs of Argon2id.
type Params struct {
	Time    uint8  // passes, 1 to 16
	Memory  uint32 // KiB, 8 MiB to 1 GiB
	Threads uint8  // lanes, 1 to 16
}

// Default is the second recommended option of RFC 9106, section 4.
func Default() Params { return Params{Time: 3, Memory: 64 << 10, Threads: 4} }

// maxWork bounds passes × memory, in KiB: 4 GiB written in all.
const maxWork = 4 << 20

func (p Params) check() error {
	switch {
	case p.Time < 1 || p.Time > 16:
		return fmt.Errorf("%d passes, want 1 to 16", p.Time)
	case p.Memory < 8<<10 || p.Memory > 1<<20:
		return fmt.Errorf("%d KiB of memory, want %d to %d", p.Memory, 8<<10, 1<<20)
	case p.Threads < 1 || p.Threads > 16:
		return fmt.Errorf("%d threads, want 1 to 16", p.Threads)
	case uint64(p.Time)*uint64(p.Memory) > maxWork:
		return fmt.Errorf("%d passes over %d KiB, want a product of at most %d", p.Time, p.Memory, maxWork)
	}
	return nil
}

// Gate bounds how many computations run at once. Share one between all users
// of Argon2id in a process.
type Gate chan struct{}

// NewGate lets n computations run at once.
func NewGate(n int) Gate { return make(Gate, max(1, n)) }

// Enter waits for its turn, or for ctx to end.
func (g Gate) Enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Wrapper wraps under one passphrase.
type Wrapper struct {
	passphrase []byte
	params     Params
	gate       Gate
}

var _ seal.Wrapper = (*Wrapper)(nil)

// New copies the passphrase, whose bytes count as they are. The zero Params
// is Default; a nil Gate lets one computation of this Wrapper run at a time.
func New(passphrase []byte, p Params, gate Gate) (*Wrapper, error) {
	if p == (Params{}) {
		p = Default()
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("passphrase seal: %w", err)
	}
	if len(passphrase) == 0 || len(passphrase) > maxBytes {
		return nil, fmt.Errorf("passphrase of %d bytes, want 1 to %d", len(passphrase), maxBytes)
	}
	if gate == nil {
		gate = NewGate(1)
	}
	return &Wrapper{passphrase: append([]byte(nil), passphrase...), params: p, gate: gate}, nil
}

// The blob:
//
//	1       format, 1
//	1       time
//	4       memory in KiB, big endian
//	1       threads
//	16      salt
//	n + 41  key wrapped (barrier.WrapKey) under the Argon2id output
//
// The first 23 bytes are part of the label of the wrapped key, so that they
// cannot be changed either.
const (
	format    = 1
	saltSize  = 16
	headSize  = 1 + 1 + 4 + 1 + saltSize
	saltStart = headSize - saltSize
)

// Wrap draws a new salt.
func (w *Wrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	if err := seal.CheckArguments(ctx, key); err != nil {
		return nil, err
	}
	if utf8.RuneCount(w.passphrase) < MinRunes {
		return nil, ErrTooShort
	}
	head := make([]byte, headSize, seal.MaxBlob)
	head[0], head[1], head[6] = format, w.params.Time, w.params.Threads
	binary.BigEndian.PutUint32(head[2:], w.params.Memory)
	rand.Read(head[saltStart:])
	k, err := w.derive(ctx, head, w.params)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	wrapped, err := k.Wrap(ctx, key)
	if err != nil {
		return nil, err
	}
	return append(head, wrapped...), nil
}

// Unwrap uses the parameters in the blob, within the bounds of Params.
func (w *Wrapper) Unwrap(ctx context.Context, blob []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(blob) <= headSize || len(blob) > seal.MaxBlob || blob[0] != format {
		return nil, fmt.Errorf("passphrase seal of %d bytes: %w", len(blob), seal.ErrWrongKey)
	}
	p := Params{Time: blob[1], Memory: binary.BigEndian.Uint32(blob[2:]), Threads: blob[6]}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("passphrase seal asks for %w: %w", err, seal.ErrWrongKey)
	}
	k, err := w.derive(ctx, blob[:headSize], p)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	return k.Unwrap(ctx, blob[headSize:])
}

func (w *Wrapper) derive(ctx context.Context, head []byte, p Params) (*seal.KeyWrap, error) {
	leave, err := w.gate.Enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait to derive a key: %w", err)
	}
	defer leave()
	kek := argon2.IDKey(w.passphrase, head[saltStart:headSize], uint32(p.Time), p.Memory, p.Threads, seal.KeySize)
	defer clear(kek)
	return seal.NewKeyWrap(kek, seal.KindPassphrase+" "+string(head[:headSize]))
}

// Wipe clears the passphrase. The caller makes sure that nobody is using it.
func (w *Wrapper) Wipe() {
	clear(w.passphrase)
	w.passphrase = w.passphrase[:0]
}
