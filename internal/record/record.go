// Package record names the small sealed records that administration keeps (tokens, roles, mounts, policies), how
// they are read, and what an act wants changed. It stores nothing itself: custody opens the records that a View
// answers and commits the Changes, together with their audit record.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

// Rev is the revision of a record's last change; 0 means that there is no such record.
type Rev = uint64

// Record is one administrative record, opened.
type Record struct {
	Key   string
	Value []byte // nil when Rev is 0; belongs to the reader
	Rev   Rev
}

// View reads records and holds the few keyed functions that administration needs. All methods may be called from
// several goroutines.
type View interface {
	// Get answers one Record per key, in the order asked, as of one consistent point.
	Get(ctx context.Context, keys ...string) ([]Record, error)
	// List answers at most q.Limit keys in byte order.
	List(ctx context.Context, q Query) ([]string, error)
	// Index is the name under which a secret string (a token, a secret-id) is looked up: an HMAC under a purpose
	// key, never a plain hash, so that a stolen store does not confirm a guess.
	Index(secret []byte) string
	// Enclose seals a stateless token's content, Disclose opens it; place is bound to it.
	Enclose(place string, plain []byte) ([]byte, error)
	Disclose(place string, sealed []byte) ([]byte, error)
	Now() time.Time
}

// Query asks for keys below Prefix, strictly after After (a whole key).
type Query struct {
	Prefix, After string
	Limit         int  // 0: no limit
	OneLevel      bool // folders collapse into one key that ends in '/'
}

// Change is one record to store or remove. Expect, when set, is the revision the record must still have
// (0: it must not exist); a Change whose Check is set only checks.
type Change struct {
	Key    string
	Value  []byte
	Delete bool
	Check  bool
	Expect *Rev
}

// Put stores r.Key anew, provided that it has not changed since r was read.
func (r Record) Put(value []byte) Change { return Change{Key: r.Key, Value: value, Expect: &r.Rev} }

// Remove deletes r, provided that it has not changed since r was read.
func (r Record) Remove() Change { return Change{Key: r.Key, Delete: true, Expect: &r.Rev} }

// Unchanged lets the whole act fail when r has changed meanwhile.
func (r Record) Unchanged() Change { return Change{Key: r.Key, Check: true, Expect: &r.Rev} }

// Found says that the record exists.
func (r Record) Found() bool { return r.Rev != 0 }

// Need is what an act asks of policy and how the audit log names it.
type Need struct {
	Action     string            // audit name, for instance "approle.role.write"
	Resource   string            // policy resource: the Vault API path, whichever dialect asked
	Capability policy.Capability // one capability
	Sudo       bool              // and sudo, where the vendor's path is root-protected
	Known      bool              // no policy needed, only a caller who is known: it is about the caller itself
	Open       bool              // no policy needed: sign-in, health, unwrapping by possession
}

// Get1 reads one record.
func Get1(ctx context.Context, v View, key string) (Record, error) {
	rs, err := v.Get(ctx, key)
	if err != nil {
		return Record{}, err
	}
	return rs[0], nil
}

// Load reads one JSON record into dst; secret.ErrNotFound when there is none.
func Load(ctx context.Context, v View, key string, dst any) (Record, error) {
	r, err := Get1(ctx, v, key)
	if err != nil {
		return r, err
	}
	if !r.Found() {
		return r, fmt.Errorf("%s: %w", key, secret.ErrNotFound)
	}
	if err := json.Unmarshal(r.Value, dst); err != nil {
		return r, fmt.Errorf("%s: %w: not readable", key, secret.ErrDamaged)
	}
	return r, nil
}

// LoadIf is Load, where a record that does not exist leaves dst alone.
func LoadIf(ctx context.Context, v View, key string, dst any) (Record, error) {
	r, err := Load(ctx, v, key, dst)
	if errors.Is(err, secret.ErrNotFound) {
		return r, nil
	}
	return r, err
}

// Encode is the stored form of an administrative record. It panics on a type that JSON cannot hold, which is a
// fault of the program.
func Encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("record: internal error: " + err.Error())
	}
	return b
}
