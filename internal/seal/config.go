package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of seal.
const (
	KindShamir     = "shamir"
	KindPassphrase = "passphrase"
	KindKeyFile    = "keyfile"
	KindKeyring    = "keyring"
)

// MaxShares is the most shares a key can be split into.
const MaxShares = 255

// ErrConfig: the stored seal configuration cannot be read.
var ErrConfig = errors.New("seal configuration is damaged or of an unknown format")

// Nonce names one set of shares; a rekey makes a new one.
type Nonce [16]byte

// Check tells whether a share belongs to a set without telling the share.
type Check [16]byte

// Config is what must be known to unseal. It is stored in the clear, and an
// attacker who rewrites it can prevent unsealing but not learn a key: Wrapped
// is authenticated.
type Config struct {
	Kind      string
	Shares    int     // shares of the unseal key; 0 unless Kind is shamir
	Threshold int     // how many of them it takes
	Nonce     Nonce   // of this set of shares, or of this wrapping
	Checks    []Check // one a share
	Wrapped   []byte  // the root key, wrapped
	Recovery  Recovery
}

// Recovery describes the recovery key of a seal that needs no person to
// unseal. The key opens nothing: its holders together may ask for what share
// holders may ask for (a new root token, a rekey). The zero Recovery is none.
type Recovery struct {
	Shares    int
	Threshold int
	Nonce     Nonce
	Checks    []Check  // one a share
	KeyCheck  [32]byte // of the recovery key
}

// Present tells whether there is a recovery key.
func (r *Recovery) Present() bool { return r.Shares > 0 }

// Verify tells whether key is the recovery key, in constant time.
func (r *Recovery) Verify(key []byte) bool {
	if len(key) != KeySize {
		return false
	}
	check := RecoveryCheck(r.Nonce, key)
	return r.Present() && subtle.ConstantTimeCompare(check[:], r.KeyCheck[:]) == 1
}

// KnowsShare tells whether share is one of the recovery key's.
func (r *Recovery) KnowsShare(share []byte) bool { return knows(r.Checks, r.Nonce, share) }

// KnowsShare tells whether share is one of the unseal key's.
func (c *Config) KnowsShare(share []byte) bool { return knows(c.Checks, c.Nonce, share) }

func knows(checks []Check, nonce Nonce, share []byte) bool {
	if len(share) != KeySize && len(share) != KeySize+1 {
		return false
	}
	check := ShareCheck(nonce, share)
	found := 0
	for i := range checks {
		found |= subtle.ConstantTimeCompare(check[:], checks[i][:])
	}
	return found == 1
}

// ShareCheck is HKDF-SHA-256 of a share with the nonce as salt. A share is 32
// random bytes, so its check reveals nothing that could be searched for.
func ShareCheck(nonce Nonce, share []byte) (c Check) {
	expand(c[:], nonce, share, "keephold share check v1")
	return c
}

// RecoveryCheck is HKDF-SHA-256 of a recovery key with the nonce as salt.
func RecoveryCheck(nonce Nonce, key []byte) (c [32]byte) {
	expand(c[:], nonce, key, "keephold recovery check v1")
	return c
}

func expand(dst []byte, nonce Nonce, secret []byte, info string) {
	b, err := hkdf.Key(sha256.New, secret, nonce[:], info, len(dst))
	if err != nil {
		// Only a length over 255 hashes, or a secret too short for FIPS mode.
		panic("seal: internal error: hkdf: " + err.Error())
	}
	copy(dst, b)
}

// The bytes of a Config:
//
//	4   "khsl"
//	1   format, 1
//	1 n kind behind its length
//	1   shares
//	1   threshold
//	16  nonce
//	1   count of checks (0 or shares), then 16 each
//	2 n wrapped root key behind its length, big endian
//	1   shares of the recovery key; 0 ends it here
//	1   threshold
//	16  nonce
//	32  key check
//	16  check, for each share
const (
	configMagic  = "khsl"
	configFormat = 1
)

// Marshal writes a Config that Unmarshal takes.
func (c *Config) Marshal() ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	b := append([]byte(configMagic), configFormat, byte(len(c.Kind)))
	b = append(b, c.Kind...)
	b = append(b, byte(c.Shares), byte(c.Threshold))
	b = append(b, c.Nonce[:]...)
	b = append(b, byte(len(c.Checks)))
	for _, check := range c.Checks {
		b = append(b, check[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.Wrapped)))
	b = append(b, c.Wrapped...)
	b = append(b, byte(c.Recovery.Shares))
	if !c.Recovery.Present() {
		return b, nil
	}
	b = append(b, byte(c.Recovery.Threshold))
	b = append(b, c.Recovery.Nonce[:]...)
	b = append(b, c.Recovery.KeyCheck[:]...)
	for _, check := range c.Recovery.Checks {
		b = append(b, check[:]...)
	}
	return b, nil
}

// Unmarshal accepts exactly what Marshal writes.
func Unmarshal(b []byte) (*Config, error) {
	r := reader{b: b}
	if string(r.take(4)) != configMagic || r.u8() != configFormat {
		return nil, fmt.Errorf("header: %w", ErrConfig)
	}
	c := &Config{Kind: string(r.take(int(r.u8()))), Shares: int(r.u8()), Threshold: int(r.u8())}
	copy(c.Nonce[:], r.take(16))
	c.Checks = r.checks(int(r.u8()))
	c.Wrapped = append([]byte(nil), r.take(int(binary.BigEndian.Uint16(r.take(2))))...)
	if n := int(r.u8()); n > 0 {
		c.Recovery = Recovery{Shares: n, Threshold: int(r.u8())}
		copy(c.Recovery.Nonce[:], r.take(16))
		copy(c.Recovery.KeyCheck[:], r.take(32))
		c.Recovery.Checks = r.checks(n)
	}
	if r.short || len(r.b) != 0 {
		return nil, fmt.Errorf("length: %w", ErrConfig)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) validate() error {
	switch {
	case len(c.Kind) == 0 || len(c.Kind) > 32 || !lowerCase(c.Kind):
		return fmt.Errorf("kind: %w", ErrConfig)
	case len(c.Wrapped) == 0 || len(c.Wrapped) > MaxBlob:
		return fmt.Errorf("wrapped key of %d bytes: %w", len(c.Wrapped), ErrConfig)
	case (c.Kind == KindShamir) != (c.Shares > 0):
		return fmt.Errorf("%d shares for a seal of kind %s: %w", c.Shares, c.Kind, ErrConfig)
	case len(c.Checks) != 0 && len(c.Checks) != c.Shares:
		return fmt.Errorf("%d checks for %d shares: %w", len(c.Checks), c.Shares, ErrConfig)
	case len(c.Recovery.Checks) != c.Recovery.Shares:
		return fmt.Errorf("%d checks for %d recovery shares: %w", len(c.Recovery.Checks), c.Recovery.Shares, ErrConfig)
	}
	if c.Shares == 0 && c.Threshold != 0 || c.Shares > 0 && CheckSplit(c.Shares, c.Threshold) != nil {
		return fmt.Errorf("%d of %d shares: %w", c.Threshold, c.Shares, ErrConfig)
	}
	if c.Recovery.Present() && CheckSplit(c.Recovery.Shares, c.Recovery.Threshold) != nil {
		return fmt.Errorf("%d of %d recovery shares: %w", c.Recovery.Threshold, c.Recovery.Shares, ErrConfig)
	}
	return nil
}

// CheckSplit tells what is wrong with a number of shares and a threshold.
func CheckSplit(shares, threshold int) error {
	switch {
	case shares < 1 || shares > MaxShares:
		return fmt.Errorf("%d shares, want 1 to %d", shares, MaxShares)
	case threshold < 1 || threshold > shares:
		return fmt.Errorf("threshold %d, want 1 to %d, the number of shares", threshold, shares)
	case threshold == 1 && shares > 1:
		return fmt.Errorf("threshold 1 with %d shares: each share would be the key; use 1 share", shares)
	}
	return nil
}

func lowerCase(s string) bool {
	for _, r := range s {
		if r < 'a' || r > 'z' {
			return false
		}
	}
	return true
}

// reader takes fields off a byte slice; after the first shortage every field
// is zero and short is set.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || len(r.b) < n {
		r.short = true
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u8() byte { return r.take(1)[0] }

func (r *reader) checks(n int) []Check {
	if n == 0 {
		return nil
	}
	out := make([]Check, n)
	for i := range out {
		copy(out[i][:], r.take(16))
	}
	return out
}
