// Package audit is the log that shows tampering: one record for every act, in a Merkle tree that is signed.
//
// Open a Log, Append events, Close it. A record is one JSON object (see Event); records lie in append-only
// segments (package segment), their hashes in tiles (package tile). A background loop makes what was appended
// durable, adds it to the tree, and signs a checkpoint once a second. Verify checks a whole directory
// against a public key and against every checkpoint that somebody kept.
//
// No record, no service: when the log cannot take a record, every call fails with ErrUnavailable until Reopen
// succeeds. Callers refuse the act then.
package audit

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of act a record is about.
type Kind uint8

// The kinds of records.
const (
	Change      Kind = iota + 1 // stored data was changed
	Read                        // a value, or a list of names, was given out
	Refusal                     // a caller was turned away
	Admin                       // policies, mounts, roles, keys, seal
	SignIn                      // an identity was proved, a token was made, renewed or revoked
	SystemEvent                 // the log or the server speaks of itself
)

var kindNames = [...]string{"", "change", "read", "refusal", "admin", "sign-in", "system"}

// String is the name that stands in the record.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// ParseKind is the inverse of Kind.String.
func ParseKind(name string) (Kind, error) {
	for i, n := range kindNames {
		if i > 0 && n == name {
			return Kind(i), nil
		}
	}
	return 0, fmt.Errorf("unknown kind of audit record %q", name)
}

// UnmarshalText reads the name of a kind.
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKind(string(text))
	return err
}

// MarshalText writes the name of a kind.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Event is one record. It is an allow-list: no field can hold a secret value. Fields called "keyed" take the
// output of Log.HMAC only; anything else is dropped when the record is written.
type Event struct {
	ID       string    `json:"id,omitempty"`    // record id, idempotence key of AppendOnce; empty for reads
	Part     int       `json:"part,omitempty"`  // 1…Parts when the items did not fit into one record
	Parts    int       `json:"parts,omitempty"` // set by the log
	Time     time.Time `json:"time"`            // stamped by the log when zero
	Kind     Kind      `json:"kind"`
	Action   string    `json:"action,omitempty"` // "read", "write", "login", …
	Who      Who       `json:"who,omitzero"`
	From     From      `json:"from,omitzero"`
	What     What      `json:"what,omitzero"`
	Decision Decision  `json:"decision,omitzero"`
	Cipher   string    `json:"cipher,omitempty"` // hash of the new ciphertext, hex, for changes
	Values   []string  `json:"values,omitempty"` // keyed: the value, or each member of it
	Items    []What    `json:"items,omitempty"`  // folder reads and batches
	Links    []Pair    `json:"links,omitempty"`  // other facts: "installation", "snapshot-root", …
}

// Who is the caller.
type Who struct {
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name,omitempty"`
	Method   string   `json:"method,omitempty"`
	Accessor string   `json:"accessor,omitempty"` // keyed
	Policies []string `json:"policies,omitempty"`
	Entity   string   `json:"entity,omitempty"`
}

// From is where the call came from.
type From struct {
	Addr      string `json:"addr,omitempty"`
	UserAgent string `json:"agent,omitempty"`
	RequestID string `json:"request,omitempty"`
	Dialect   string `json:"dialect,omitempty"`
}

// What is the thing acted upon.
type What struct {
	Namespace  string `json:"ns,omitempty"`
	Space      string `json:"space,omitempty"`
	Path       string `json:"path,omitempty"` // the escaped form
	UID        string `json:"uid,omitempty"`
	Version    uint64 `json:"version,omitempty"`
	Capability string `json:"capability,omitempty"`
}

// Decision is what policy said.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Pair is a named fact.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Record is an encoded event and its number in the log.
type Record struct {
	Seq  uint64
	Data []byte // one JSON object and a newline
}

// OutboxRecord is a record that waits in the store, beside the change that it speaks of.
type OutboxRecord struct {
	ID   string // equals the event's ID
	Data []byte // Event.AppendJSON
}

// Entry is a record read back.
type Entry struct {
	Seq   uint64
	Event Event
}

// What can go wrong. All but ErrClosed and ErrNotCovered mean that service must be refused.
var (
	ErrUnavailable = errors.New("audit log unavailable")
	ErrClosed      = errors.New("audit log closed")
	ErrTruncated   = errors.New("audit log is shorter than its checkpoint")
	ErrTampered    = errors.New("audit log was changed")
	ErrInUse       = errors.New("audit log is in use by another process")
	ErrLocked      = errors.New("audit log has no keys while sealed")
	ErrNotCovered  = errors.New("record is not covered by a checkpoint yet")
)
