package auth

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Kind of a token.
type Kind uint8

const (
	Service  Kind = iota // stored, renewable, revocable
	Batch                // sealed: its content is in its text, nothing is stored
	Recovery             // made by the holders of the recovery keys
)

func (k Kind) String() string {
	switch k {
	case Service:
		return "service"
	case Batch:
		return "batch"
	}
	return "recovery"
}

// maxDepth is how many ancestors a token may have. It bounds what one look-up of a token reads.
const maxDepth = 32

// Token is what is kept of a token. Its text is not: the record's key holds the text's keyed index.
type Token struct {
	Accessor   string             `json:"a,omitempty"`
	Kind       Kind               `json:"k,omitempty"`
	Namespace  secret.NamespaceID `json:"n,omitempty"`
	Path       string             `json:"p,omitempty"` // the API path that made it; revoke-prefix goes by it
	Method     string             `json:"me,omitempty"`
	Mount      string             `json:"mo,omitempty"` // accessor of the mount that made it
	Role       string             `json:"r,omitempty"`
	Display    string             `json:"d,omitempty"`
	Meta       []secret.Pair      `json:"m,omitempty"` // sorted by key
	Policies   []string           `json:"po,omitempty"`
	Entity     string             `json:"e,omitempty"`
	Ancestors  []string           `json:"an,omitempty"` // indexes, the parent first; none: an orphan
	CIDRs      []netip.Prefix     `json:"c,omitempty"`
	Uses       int                `json:"u,omitempty"` // uses left; 0: not limited
	Life       Life               `json:"l"`
	Epoch      uint64             `json:"ep,omitempty"`
	NoIdentity bool               `json:"ni,omitempty"` // policies of the entity do not add up
	// Hollow marks a token that was revoked alone: it opens nothing, but its children, now orphans, still stand.
	Hollow bool `json:"h,omitempty"`

	index string // the key's last part; not stored in the value
}

// Life is how long a token lives.
type Life struct {
	Created     time.Time     `json:"c"`
	Expires     time.Time     `json:"e,omitzero"` // zero: never
	Renewed     time.Time     `json:"r,omitzero"`
	TTL         time.Duration `json:"t,omitempty"` // as given at creation
	Period      time.Duration `json:"p,omitempty"`
	ExplicitMax time.Duration `json:"x,omitempty"`
	Max         time.Duration `json:"m,omitempty"` // the method's or role's bound on renewals
	Renewable   bool          `json:"rn,omitempty"`
	Bucket      int64         `json:"b,omitempty"` // the expiry bucket that names it
}

// Index is the keyed index under which the token is kept.
func (t *Token) Index() string { return t.index }

// Orphan says that no token's end is this one's.
func (t *Token) Orphan() bool { return len(t.Ancestors) == 0 }

// Lease is the token's lease id: the path that made it and its index.
func (t *Token) Lease() string { return t.Path + "/" + leaseTail(t.index) }

// Root says that the token carries the root policy.
func (t *Token) Root() bool { return slices.Contains(t.Policies, rootPolicy) }

// Left is the remaining life, rounded down to seconds as the vendor does; 0 for a token without end.
func (t *Token) Left(now time.Time) time.Duration {
	if t.Life.Expires.IsZero() {
		return 0
	}
	return max(t.Life.Expires.Sub(now).Truncate(time.Second), 0)
}

func (t *Token) expired(now time.Time) bool {
	return !t.Life.Expires.IsZero() && !now.Before(t.Life.Expires)
}

// DecodeToken reads the stored form of a token. What it does not know is secret.ErrDamaged.
func DecodeToken(index string, b []byte) (*Token, error) {
	t := &Token{}
	if err := json.Unmarshal(b, t); err != nil {
		return nil, fmt.Errorf("token: %w: not readable", secret.ErrDamaged)
	}
	switch {
	case t.Kind > Recovery:
		return nil, fmt.Errorf("token: %w: unknown kind", secret.ErrDamaged)
	case len(t.Ancestors) > maxDepth:
		return nil, fmt.Errorf("token: %w: too many ancestors", secret.ErrDamaged)
	case t.Uses < 0:
		return nil, fmt.Errorf("token: %w: negative uses", secret.ErrDamaged)
	case slices.ContainsFunc(t.CIDRs, func(p netip.Prefix) bool { return !p.IsValid() }):
		return nil, fmt.Errorf("token: %w: address range", secret.ErrDamaged)
	}
	t.index = index
	return t, nil
}

// Kinds of the records that tokens are made of; docs/format-auth.md draws them.
const (
	kindToken    = "tok" // tok/INDEX: the token
	kindAccessor = "acc" // acc/NAMESPACE/ACCESSOR: its index
	kindLease    = "les" // les/NAMESPACE/PATH/TAIL: its index
	kindExpiry   = "exp" // exp/BUCKET/INDEX
	kindChild    = "kid" // kid/PARENT/INDEX
	kindGone     = "gon" // gon/INDEX: revoked, what hangs on it is still to be removed
	kindRole     = "trl" // trl/NAMESPACE/NAME: a token role
)

func tokenKey(index string) string { return kindToken + "/" + index }
func goneKey(index string) string  { return kindGone + "/" + index }
func childKey(parent, index string) string {
	return kindChild + "/" + parent + "/" + index
}
func accessorKey(ns secret.NamespaceID, accessor string) string {
	return record.Key(kindAccessor, ns, accessor)
}
func leaseKey(ns secret.NamespaceID, lease string) string { return record.Key(kindLease, ns, lease) }

// CubbyholeKey is where what a token keeps for itself hangs; revoking the token removes everything below it.
func CubbyholeKey(index string) string { return "cub/" + index + "/" }

// leaseTail is the part of a lease id that names the token. It is a part of the index: enough to be unique, too little
// to be mistaken for the key.
func leaseTail(index string) string { return "h" + index[:min(len(index), 40)] }

// bucketWidth is the width of an expiry bucket: how many seconds late the record of an expired token may be removed.
// Expiry itself is checked at each use.
const bucketWidth = 60

func bucketOf(t time.Time) int64 { return t.Unix()/bucketWidth + 1 }

func expiryKey(bucket int64, index string) string {
	s := strconv.FormatInt(bucket, 10)
	return kindExpiry + "/" + "000000000000"[:max(12-len(s), 0)] + s + "/" + index
}

// plant is the Changes that store a new token.
func (t *Token) plant() []record.Change {
	absent := uint64(0)
	index := []byte(t.index)
	changes := []record.Change{
		{Key: tokenKey(t.index), Value: record.Encode(t), Expect: &absent},
		{Key: accessorKey(t.Namespace, t.Accessor), Value: index, Expect: &absent},
		{Key: leaseKey(t.Namespace, t.Lease()), Value: index},
	}
	if t.Life.Bucket != 0 {
		changes = append(changes, record.Change{Key: expiryKey(t.Life.Bucket, t.index), Value: index})
	}
	if !t.Orphan() {
		changes = append(changes, record.Change{Key: childKey(t.Ancestors[0], t.index), Value: index})
	}
	return changes
}

// uproot is the Changes that remove what plant stored; the token's own record must not have changed since it was read.
func (t *Token) uproot(r record.Record) []record.Change {
	changes := []record.Change{
		r.Remove(),
		{Key: accessorKey(t.Namespace, t.Accessor), Delete: true},
		{Key: leaseKey(t.Namespace, t.Lease()), Delete: true},
	}
	if t.Life.Bucket != 0 {
		changes = append(changes, record.Change{Key: expiryKey(t.Life.Bucket, t.index), Delete: true})
	}
	if !t.Orphan() {
		changes = append(changes, record.Change{Key: childKey(t.Ancestors[0], t.index), Delete: true})
	}
	return changes
}
