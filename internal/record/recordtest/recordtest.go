// Package recordtest is a record.View in memory that applies Changes as custody does, so that the rooms of
// administration can be tested without one.
package recordtest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher" //nolint:depguard // a stand-in for barrier in tests, which seals nothing that lasts
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Store is a record.View in memory with a clock that stands still until it is told.
type Store struct {
	mu    sync.Mutex
	m     map[string]record.Record // guarded by mu
	rev   record.Rev               // guarded by mu
	now   time.Time                // guarded by mu
	reads int                      // guarded by mu
	lists int                      // guarded by mu

	key  []byte
	aead cipher.AEAD
}

var _ record.View = (*Store)(nil)

// New returns an empty Store.
func New() *Store {
	key := bytes.Repeat([]byte{7}, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("recordtest: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("recordtest: " + err.Error())
	}
	return &Store{m: map[string]record.Record{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), key: key, aead: aead}
}

// Get answers one Record per key and counts one read per key.
func (s *Store) Get(ctx context.Context, keys ...string) ([]record.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads += len(keys)
	out := make([]record.Record, len(keys))
	for i, k := range keys {
		out[i] = record.Record{Key: k, Value: slices.Clone(s.m[k].Value), Rev: s.m[k].Rev}
	}
	return out, nil
}

// List answers keys in byte order.
func (s *Store) List(ctx context.Context, q record.Query) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	var out []string
	for k := range s.m {
		if !strings.HasPrefix(k, q.Prefix) {
			continue
		}
		if i := strings.IndexByte(k[len(q.Prefix):], '/'); q.OneLevel && i >= 0 {
			k = k[:len(q.Prefix)+i+1]
		}
		if k > q.After {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out, nil
}

// Index is an HMAC, in hexadecimal.
func (s *Store) Index(text []byte) string {
	m := hmac.New(sha256.New, s.key)
	m.Write(text)
	return hex.EncodeToString(m.Sum(nil))
}

// Enclose seals plain; it opens at the same place only.
func (s *Store) Enclose(place string, plain []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plain, []byte(place)), nil
}

// Disclose opens what Enclose sealed.
func (s *Store) Disclose(place string, sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("%w: does not open", secret.ErrDamaged)
	}
	return plain, nil
}

// Now is the Store's own time.
func (s *Store) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Advance moves the clock.
func (s *Store) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Apply commits all Changes or, when an expectation fails, none: then the error wraps secret.ErrConflict. It answers the
// keys that changed. Naming one key twice is a fault of the act.
func (s *Store) Apply(changes ...record.Change) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, c := range changes {
		if c.Key == "" || seen[c.Key] {
			return nil, fmt.Errorf("%w: key %q twice or empty in one act", secret.ErrInvalid, c.Key)
		}
		seen[c.Key] = true
		if c.Expect != nil && s.m[c.Key].Rev != *c.Expect {
			return nil, fmt.Errorf("%s: %w", c.Key, secret.ErrConflict)
		}
	}
	s.rev++
	var keys []string
	for _, c := range changes {
		if c.Check {
			continue
		}
		keys = append(keys, c.Key)
		if c.Delete {
			delete(s.m, c.Key)
			continue
		}
		s.m[c.Key] = record.Record{Key: c.Key, Value: slices.Clone(c.Value), Rev: s.rev}
	}
	return keys, nil
}

// Reads is how many records were read and how many lists were made so far.
func (s *Store) Reads() (records, lists int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.lists
}

// Keys lists all keys, for tests that look at what is left.
func (s *Store) Keys() []string {
	keys, _ := s.List(context.Background(), record.Query{})
	return keys
}
