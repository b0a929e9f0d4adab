// Package seal protects the root key while nobody needs it.
//
// The root key wraps the keyring (package barrier). A Wrapper wraps the root
// key: under an unseal key that exists only as shares (shamir), a passphrase,
// a key file. What must be known before unsealing stands in a Config, which
// is stored in the clear and reveals nothing.
package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/barrier"
)

// KeySize is the size of a root key, an unseal key and a recovery key.
const KeySize = barrier.KeySize

// MaxBlob bounds what a Wrapper may return, and what Unwrap is given.
const MaxBlob = 4096

// ErrWrongKey: the blob does not open with this key, passphrase or file, or
// it is damaged; the two cannot be told apart.
var ErrWrongKey = errors.New("wrong key, or damaged seal")

// Wrapper wraps small keys under something kept elsewhere.
//
// Wrap takes a key of 1 to 64 bytes and returns a blob of at most MaxBlob
// bytes; two calls with one key return different blobs. Unwrap returns a new
// slice that the caller owns and clears. The blob is authenticated: Unwrap of
// anything that Wrap of the same secret did not return is an error that wraps
// ErrWrongKey, never a panic. What is unreachable (a key service, a file) is
// another error, after which the caller may try again. Neither keeps a
// reference to its arguments, both are safe for concurrent use, and both
// return soon after ctx ends, with its error.
type Wrapper interface {
	Wrap(ctx context.Context, key []byte) (blob []byte, err error)
	Unwrap(ctx context.Context, blob []byte) (key []byte, err error)
}

// NewKey returns a random root, unseal or recovery key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}

// CheckArguments refuses what no Wrapper may be given.
func CheckArguments(ctx context.Context, key []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(key) < 1 || len(key) > 64 {
		return fmt.Errorf("wrap a key of %d bytes, want 1 to 64", len(key))
	}
	return nil
}

// KeyWrap is the Wrapper under a key of 32 bytes that is at hand: the one
// combined from shares, or read from a file.
type KeyWrap struct {
	// Algorithm of new blobs; barrier.XAES unless changed before the first
	// use. Blobs of either algorithm unwrap.
	Algorithm barrier.Algorithm

	kek   [KeySize]byte
	label string
}

var _ Wrapper = (*KeyWrap)(nil)

// NewKeyWrap copies the key. The label says what the key is, so that a blob
// of one kind of seal cannot stand in for another's.
func NewKeyWrap(kek []byte, label string) (*KeyWrap, error) {
	if len(kek) != KeySize {
		return nil, fmt.Errorf("%s key of %d bytes, want %d", label, len(kek), KeySize)
	}
	w := &KeyWrap{Algorithm: barrier.XAES, label: label}
	copy(w.kek[:], kek)
	return w, nil
}

// Wrap wraps with barrier.WrapKey.
func (w *KeyWrap) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	if err := CheckArguments(ctx, key); err != nil {
		return nil, err
	}
	return barrier.WrapKey(w.Algorithm, w.kek[:], "keephold seal "+w.label, key)
}

// Unwrap reverses Wrap.
func (w *KeyWrap) Unwrap(ctx context.Context, blob []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := barrier.UnwrapKey(w.kek[:], "keephold seal "+w.label, blob)
	if err != nil {
		return nil, fmt.Errorf("%s seal: %w", w.label, ErrWrongKey)
	}
	return key, nil
}

// Wipe clears the key; the KeyWrap is of no use afterwards. The caller makes
// sure that nobody is using it.
func (w *KeyWrap) Wipe() { clear(w.kek[:]) }
