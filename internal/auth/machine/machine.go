// Package machine keeps the identities by which programs sign in to the dialects of the clouds: AWS access keys and roles,
// Google service accounts, Azure managed identities. It makes, rotates and removes them, finds the one that a public id
// names, and proves secrets that are presented as they are; how a request is signed is known in the fronts.
package machine

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Kind of an identity: which vendor's clients it is for, and how it proves itself.
type Kind string

// The kinds. An AppRole is none of them: it has a method of its own.
const (
	AWSKey      Kind = "aws-key"      // an access key: requests signed with a shared secret
	AWSRole     Kind = "aws-role"     // assumed by others, or asked for at the container endpoint with a token
	GCPAccount  Kind = "gcp-sa"       // a service account: assertions signed with a private key that is not kept
	AzureSystem Kind = "azure-system" // a managed identity that ends with its owner
	AzureUser   Kind = "azure-user"   // a managed identity that is selected by its client id
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{AWSKey, AWSRole, GCPAccount, AzureSystem, AzureUser} }

// Dialect is whose clients the kind is for.
func (k Kind) Dialect() secret.Dialect {
	switch k {
	case AWSKey, AWSRole:
		return secret.AWS
	case GCPAccount:
		return secret.GCP
	}
	return secret.Azure
}

// Identity is one machine identity.
type Identity struct {
	Name      string             `json:"name"` // unique in its namespace
	Kind      Kind               `json:"kind"`
	UID       string             `json:"uid"` // never changes; an identity made again has another
	Namespace secret.NamespaceID `json:"namespace,omitempty"`
	Home      string             `json:"home"`   // account, project or tenant
	Public    string             `json:"public"` // what clients call it: an ARN, an email, a client id
	Policies  []string           `json:"policies"`
	Owner     string             `json:"owner,omitempty"` // "identity:NAME" or "space:NAME": it ends with that
	OwnerID   string             `json:"owner_id,omitempty"`
	Created   time.Time          `json:"created"`
	Expires   time.Time          `json:"expires,omitzero"`
	Session   time.Duration      `json:"session,omitempty"` // longest life of what is issued to it; 0: the dialect's default
	Keys      []Key              `json:"keys"`              // oldest first
	Trust     []Trust            `json:"trust,omitempty"`   // whose tokens may take it; none: nobody's
}

// Key is one credential of an identity. What proves it is kept in the identity's sealed record.
type Key struct {
	ID      string    `json:"id"`               // public: an access key id, a kid
	Shared  []byte    `json:"shared,omitempty"` // a secret that both sides sign with
	Public  []byte    `json:"public,omitempty"` // PKIX; the private half is the client's alone
	Digest  []byte    `json:"digest,omitempty"` // SHA-256 of 256 random bits that are presented as they are
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // set when a rotation replaced it
}

// String keeps the key's secret out of everything that prints.
func (k Key) String() string { return "key " + k.ID }

// GoString is String.
func (k Key) GoString() string { return k.String() }

func (k *Key) stands(now time.Time) bool { return k.Expires.IsZero() || now.Before(k.Expires) }

// Records: mch/NAMESPACE/NAME is the identity, mpi/PUBLIC leads from a public id to it, whoever asks: public ids are unique
// per installation.
func nameKey(ns secret.NamespaceID, name string) string { return record.Key("mch", ns, name) }
func publicKey(public string) string                    { return "mpi/" + public }

// publics is every public id that leads to the identity.
func (id *Identity) publics() []string {
	out := []string{id.Public}
	for _, k := range id.Keys {
		out = append(out, k.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Find answers the identity that a public id names, and the keys of the records that the answer hangs on. One whose owner
// is gone, or that has ended, is not there. secret.ErrDenied when there is none.
func Find(ctx context.Context, v record.View, public string) (*Identity, []string, error) {
	if public == "" || len(public) > 1024 || strings.ContainsRune(public, 0) {
		return nil, nil, errNone
	}
	link, err := record.Get1(ctx, v, publicKey(public))
	if err != nil {
		return nil, nil, err
	}
	if !link.Found() {
		return nil, nil, errNone
	}
	return load(ctx, v, string(link.Value), link.Key)
}

// Named is Find by namespace and name.
func Named(ctx context.Context, v record.View, ns secret.NamespaceID, name string) (*Identity, []string, error) {
	if auth.CheckName("name", name) != nil {
		return nil, nil, errNone
	}
	return load(ctx, v, nameKey(ns, name))
}

// errNone reads the same for an identity that never was, one that ended, and one whose owner is gone.
var errNone = fmt.Errorf("%w: no such identity", secret.ErrDenied)

// ErrNone says that no identity has the public id.
func ErrNone() error { return errNone }

func load(ctx context.Context, v record.View, key string, records ...string) (*Identity, []string, error) {
	r, err := record.Get1(ctx, v, key)
	if err != nil {
		return nil, nil, err
	}
	if !r.Found() {
		return nil, nil, errNone
	}
	id, err := decode(r)
	if err != nil {
		return nil, nil, err
	}
	records, there, err := id.owned(ctx, v, append(records, key))
	if err != nil {
		return nil, nil, err
	}
	if !there || id.ended(v.Now()) {
		return nil, nil, errNone
	}
	return id, records, nil
}

func (id *Identity) ended(now time.Time) bool {
	return !id.Expires.IsZero() && !now.Before(id.Expires)
}

// Key answers the credential with that public id, while it stands; nil when there is none.
func (id *Identity) Key(public string, now time.Time) *Key {
	for i := range id.Keys {
		if id.Keys[i].ID == public && id.Keys[i].stands(now) {
			return &id.Keys[i]
		}
	}
	return nil
}

// Standing is the identity as auth keeps it between requests, proved by that key (nil: by something sealed elsewhere).
func (id *Identity) Standing(k *Key, records []string) *auth.Standing {
	s := &auth.Standing{
		Identity: "machine:" + id.UID, Name: id.Name, Method: string(id.Kind), Namespace: id.Namespace, Policies: append(slices.Clone(id.Policies), GrantsOf(id.UID)), Expires: id.Expires, Records: records,
		Principals: id.principals(),
		Meta:       auth.Pairs(map[string]string{"public": id.Public, "home": id.Home, "kind": string(id.Kind), "uid": id.UID}),
	}
	if k != nil {
		s.Key = auth.Material{ID: k.ID, Shared: k.Shared, Public: k.Public, Digest: k.Digest}
		if !k.Expires.IsZero() && (s.Expires.IsZero() || k.Expires.Before(s.Expires)) {
			s.Expires = k.Expires
		}
	}
	return s
}

// principals is what policies attached to resources call the identity: itself, and everybody of its AWS account.
func (id *Identity) principals() []string {
	out := []string{Principal(id.UID)}
	if id.Kind.Dialect() == secret.AWS {
		out = append(out, AccountPrincipal(id.Home))
	}
	return out
}

// Principal is what policies attached to resources call an identity. Its uid never comes again, so what was given to an identity
// that is gone is given to nobody.
func Principal(uid string) string { return "identity:" + uid }

// AccountPrincipal is everybody of an AWS account.
func AccountPrincipal(account string) string { return "account:" + account }

// GrantsOf is the name of the policy that every identity carries without being told: what was granted to itself.
func GrantsOf(uid string) string { return "identity:" + uid }

// Holds compares a presented secret with the material in constant time.
func Holds(m auth.Material, presented []byte) bool {
	sum := sha256.Sum256(presented)
	return len(m.Digest) == len(sum) && subtle.ConstantTimeCompare(m.Digest, sum[:]) == 1
}

func decode(r record.Record) (*Identity, error) {
	id := new(Identity)
	if err := json.Unmarshal(r.Value, id); err != nil || id.UID == "" || id.Name == "" {
		return nil, fmt.Errorf("%s: %w: not readable", r.Key, secret.ErrDamaged)
	}
	return id, nil
}
