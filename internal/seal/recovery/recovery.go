// Package recovery writes a root key for people: as a text that can be printed and typed, which shows a mistake in it.
package recovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/seal"
)

// ErrMalformed: the text is no recovery key, or was cut or mistyped.
var ErrMalformed = errors.New("not a recovery key")

// The text is the prefix and 36 bytes in base32 (RFC 4648), in groups of five with a hyphen between. Case, spaces and line
// breaks do not matter.
//
//	KEEPHOLD-RECOVERY-1-   32        4
//	                       root key  first bytes of SHA-256("keephold recovery key 1" | root key)
const (
	prefix  = "KEEPHOLD-RECOVERY-1-"
	sumSize = 4
	group   = 5
	// most bounds what is read.
	most = 4096
)

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Format writes a root key.
func Format(key []byte) string {
	sum := checksum(key)
	raw := append(append(make([]byte, 0, seal.KeySize+sumSize), key...), sum[:sumSize]...)
	defer clear(raw)
	var b strings.Builder
	b.WriteString(prefix)
	for i, c := range encoding.EncodeToString(raw) {
		if i > 0 && i%group == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Parse reads what Format wrote. Lines that begin with # are left out. The caller clears what it returns.
func Parse(text []byte) ([]byte, error) {
	if len(text) > most {
		return nil, fmt.Errorf("longer than %d bytes: %w", most, ErrMalformed)
	}
	var b strings.Builder
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			b.Write(line)
		}
	}
	compact := strings.ToUpper(strings.Join(strings.Fields(b.String()), ""))
	rest, ok := strings.CutPrefix(compact, prefix)
	if !ok {
		return nil, fmt.Errorf("it does not begin with %s: %w", prefix, ErrMalformed)
	}
	raw, err := encoding.DecodeString(strings.ReplaceAll(rest, "-", ""))
	if err != nil || len(raw) != seal.KeySize+sumSize {
		clear(raw)
		return nil, fmt.Errorf("a letter is wrong or something is missing: %w", ErrMalformed)
	}
	sum := checksum(raw[:seal.KeySize])
	if subtle.ConstantTimeCompare(sum[:sumSize], raw[seal.KeySize:]) != 1 {
		clear(raw)
		return nil, fmt.Errorf("its checksum differs, so a letter is wrong: %w", ErrMalformed)
	}
	return raw[:seal.KeySize:seal.KeySize], nil
}

func checksum(key []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("keephold recovery key 1"), key...))
}

// Key is a root key at hand, in the place of a seal that is lost. It unwraps whatever it is given as that key, so the
// keyring behind it is what says whether the key is right.
type Key []byte

// Unwrap answers a copy of the key.
func (k Key) Unwrap(ctx context.Context, _ []byte) ([]byte, error) { return bytes.Clone(k), ctx.Err() }

// Wrap is of no use: the root key is not wrapped under itself.
func (k Key) Wrap(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("a recovery key opens a store and seals none")
}

var _ seal.Wrapper = Key(nil)
