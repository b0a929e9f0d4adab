package shamir

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/keephold/keephold/internal/seal"
)

// NewSeal wraps the root key under a new unseal key and splits that. The
// unseal key itself is forgotten.
func NewSeal(ctx context.Context, root []byte, shares, threshold int) (*seal.Config, [][]byte, error) {
	key := seal.NewKey()
	defer clear(key)
	parts, err := Split(key, shares, threshold)
	if err != nil {
		return nil, nil, err
	}
	c := &seal.Config{Kind: seal.KindShamir, Shares: shares, Threshold: threshold}
	rand.Read(c.Nonce[:])
	for _, p := range parts {
		c.Checks = append(c.Checks, seal.ShareCheck(c.Nonce, p))
	}
	w, err := seal.NewKeyWrap(key, seal.KindShamir)
	if err != nil {
		return nil, nil, err
	}
	defer w.Wipe()
	if c.Wrapped, err = w.Wrap(ctx, root); err != nil {
		return nil, nil, fmt.Errorf("wrap the root key: %w", err)
	}
	return c, parts, nil
}

// Unwrap returns the root key that a combined unseal key opens.
func Unwrap(ctx context.Context, c *seal.Config, key []byte) ([]byte, error) {
	w, err := seal.NewKeyWrap(key, seal.KindShamir)
	if err != nil {
		return nil, err
	}
	defer w.Wipe()
	return w.Unwrap(ctx, c.Wrapped)
}

// NewRecovery makes a recovery key and splits it; the key is forgotten.
func NewRecovery(shares, threshold int) (seal.Recovery, [][]byte, error) {
	key := seal.NewKey()
	defer clear(key)
	parts, err := Split(key, shares, threshold)
	if err != nil {
		return seal.Recovery{}, nil, err
	}
	r := seal.Recovery{Shares: shares, Threshold: threshold}
	rand.Read(r.Nonce[:])
	r.KeyCheck = seal.RecoveryCheck(r.Nonce, key)
	for _, p := range parts {
		r.Checks = append(r.Checks, seal.ShareCheck(r.Nonce, p))
	}
	return r, parts, nil
}
