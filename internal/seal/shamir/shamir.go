// Package shamir splits a key into shares of which a threshold brings it back
// and fewer tell nothing (A. Shamir, "How to share a secret", CACM 22:11,
// 1979).
//
// Shares have the format that HashiCorp Vault and OpenBao print, so that
// their share holders' tools and habits keep working:
//
//	n           1
//	y bytes     x
//
// Each byte of the secret is the constant term of its own polynomial over
// GF(2^8) modulo x^8+x^4+x^3+x+1 (0x11b), evaluated at x, which is never 0. A
// threshold of one has a single share, which is the secret itself.
//
// Arithmetic uses no tables and no branch on a secret: a table look-up would
// leave the shares' traces in the processor's cache.
package shamir

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/seal"
)

var (
	// ErrBadShare: this cannot be a share at all.
	ErrBadShare = errors.New("malformed share")
	// ErrWrongShare: a share, but not one of the current set.
	ErrWrongShare = errors.New("not one of the current shares")
	// ErrWrongCombination: enough shares, but they do not give the key: at
	// least one is wrong. All have been dropped.
	ErrWrongCombination = errors.New("these shares do not combine to the key; all were dropped, start again")
)

// Split splits a secret. Coefficients come from crypto/rand.
func Split(secret []byte, shares, threshold int) ([][]byte, error) {
	if err := seal.CheckSplit(shares, threshold); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	if len(secret) == 0 {
		return nil, errors.New("split: empty secret")
	}
	if threshold == 1 {
		return [][]byte{append([]byte(nil), secret...)}, nil
	}
	out := make([][]byte, shares)
	for i := range out {
		out[i] = make([]byte, len(secret)+1)
		out[i][len(secret)] = byte(i + 1)
	}
	poly := make([]byte, threshold)
	defer clear(poly)
	for at, b := range secret {
		rand.Read(poly[1:])
		poly[0] = b
		for i := range out {
			out[i][at] = evaluate(poly, byte(i+1))
		}
	}
	return out, nil
}

// Combine gives back the secret. It cannot know whether the shares were the
// right ones, or enough of them: the caller tries the result.
func Combine(shares [][]byte) ([]byte, error) {
	if len(shares) == 0 || len(shares) > seal.MaxShares {
		return nil, fmt.Errorf("combine %d shares: %w", len(shares), ErrBadShare)
	}
	if len(shares) == 1 {
		return append([]byte(nil), shares[0]...), nil
	}
	n := len(shares[0]) - 1
	if n < 1 {
		return nil, fmt.Errorf("share of %d bytes: %w", n+1, ErrBadShare)
	}
	var seen [256]bool
	for _, s := range shares {
		if len(s) != n+1 {
			return nil, fmt.Errorf("shares of %d and %d bytes: %w", n+1, len(s), ErrBadShare)
		}
		x := s[n]
		if x == 0 || seen[x] {
			return nil, fmt.Errorf("share number %d is zero or given twice: %w", x, ErrBadShare)
		}
		seen[x] = true
	}
	secret := make([]byte, n)
	for i, s := range shares {
		// The Lagrange basis of this share at 0; x is not secret.
		basis := byte(1)
		for j, other := range shares {
			if i != j {
				basis = multiply(basis, multiply(other[n], invert(s[n]^other[n])))
			}
		}
		for at := range secret {
			secret[at] ^= multiply(basis, s[at])
		}
	}
	return secret, nil
}

// evaluate uses Horner's rule.
func evaluate(poly []byte, x byte) (y byte) {
	for i := len(poly) - 1; i >= 0; i-- {
		y = multiply(y, x) ^ poly[i]
	}
	return y
}

// multiply in GF(2^8), in the same eight steps for all inputs.
func multiply(a, b byte) (r byte) {
	for i := 7; i >= 0; i-- {
		r = r<<1 ^ -(r>>7)&0x1b ^ -(b>>i&1)&a
	}
	return r
}

// invert is a^254, which is the inverse of all but 0.
func invert(a byte) byte {
	r := byte(1)
	for range 7 { // 254 = 2+4+…+128
		a = multiply(a, a)
		r = multiply(r, a)
	}
	return r
}

// Parse reads a share as people paste it: hexadecimal or base64.
func Parse(text string) ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.Strict().DecodeString, base64.RawStdEncoding.Strict().DecodeString,
	} {
		// The length decides: a base64 share can look like hexadecimal.
		if b, err := decode(text); err == nil && (len(b) == seal.KeySize || len(b) == seal.KeySize+1) {
			return b, nil
		}
	}
	return nil, fmt.Errorf("neither hexadecimal nor base64 of 32 or 33 bytes: %w", ErrBadShare)
}
