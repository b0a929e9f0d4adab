package userpass

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/keephold/keephold/internal/secret"
)

// Argon2id (RFC 9106) with the least parameters that OWASP's password storage cheat sheet names: 19 MiB, two passes.
const (
	memoryKiB = 19 << 10
	passes    = 2
	saltLen   = 16
	keyLen    = 32

	// Bounds of hashes that come from outside, the vendor's: cheaper ones protect nothing, dearer ones stall the keep.
	minCost = 5
	maxCost = 12

	maxPassword = 4096
)

// Hasher derives keys from passwords, a few at a time, so that a flood of sign-ins takes bounded memory.
type Hasher struct {
	slots chan struct{}
	calls atomic.Uint64
	decoy string // what the password of an unknown user is compared with
}

// NewHasher makes a Hasher that works on at most parallel passwords at once; the others wait.
func NewHasher(parallel int) *Hasher {
	h := &Hasher{slots: make(chan struct{}, max(parallel, 1))}
	var key [keyLen]byte
	_, _ = rand.Read(key[:])
	h.decoy = format(newSalt(), key[:])
	return h
}

// Calls is how many keys were derived so far.
func (h *Hasher) Calls() uint64 { return h.calls.Load() }

// Hash is the stored form of a password.
func (h *Hasher) Hash(ctx context.Context, password []byte) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	salt := newSalt()
	return format(salt, argon2.IDKey(password, salt, passes, memoryKiB, 1, keyLen)), nil
}

// Matches derives one key, whichever the hash, and compares it.
func (h *Hasher) Matches(ctx context.Context, hash string, password []byte) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	if isBcrypt(hash) {
		return bcrypt.CompareHashAndPassword([]byte(hash), password[:min(len(password), 72)]) == nil && len(password) <= 72, nil
	}
	salt, want, err := parse(hash)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(argon2.IDKey(password, salt, passes, memoryKiB, 1, keyLen), want) == 1, nil
}

func (h *Hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		h.calls.Add(1)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting to check a password: %w", secret.ErrBusy, ctx.Err())
	}
}

func (h *Hasher) leave() { <-h.slots }

func newSalt() []byte {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	return salt
}

var prefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$", argon2.Version, memoryKiB, passes)

// format is the PHC string of a key, as the reference implementation prints it.
func format(salt, key []byte) string {
	return prefix + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(key)
}

// parse reads what format wrote. Other parameters are refused, so that no stored hash can cost more than ours.
func parse(s string) (salt, key []byte, err error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if ok {
		a, b, _ := strings.Cut(rest, "$")
		enc := base64.RawStdEncoding.Strict()
		if salt, err = enc.DecodeString(a); err == nil {
			key, err = enc.DecodeString(b)
		}
	}
	if !ok || err != nil || len(salt) != saltLen || len(key) != keyLen {
		return nil, nil, fmt.Errorf("password hash: %w: not readable", secret.ErrDamaged)
	}
	return salt, key, nil
}

func isBcrypt(hash string) bool { return strings.HasPrefix(hash, "$2") }

// checkBcrypt accepts a hash that was made elsewhere.
func checkBcrypt(hash string) error {
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil || !isBcrypt(hash):
		return invalid("password_hash is not a valid bcrypt hash")
	case cost < minCost:
		return invalid("bcrypt cost of %d is too low, want %d at minimum", cost, minCost)
	case cost > maxCost:
		return invalid("bcrypt cost of %d exceeds maximum cost of %d", cost, maxCost)
	}
	return nil
}
