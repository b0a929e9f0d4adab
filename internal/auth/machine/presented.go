package machine

import (
	"context"
	"slices"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Presented is the Claim of who presents a public id and the secret itself: a client secret, the header of a
// managed-identity endpoint, the token of a container endpoint.
type Presented struct {
	Public string // names the identity; its first key that matches proves it
	Secret auth.Proof
	Kinds  []Kind // none: any
}

var _ auth.Claim = Presented{}

// Presented is the public id and the secret: which of the identity's keys proves it depends on both.
func (p Presented) Presented() []byte {
	return []byte("presented\x00" + p.Public + "\x00" + string(p.Secret.Bytes()))
}

// Find answers the identity with the key that the secret matches.
func (p Presented) Find(ctx context.Context, v record.View) (*auth.Standing, error) {
	id, records, err := Find(ctx, v, p.Public)
	if err != nil {
		return nil, err
	}
	if len(p.Kinds) > 0 && !slices.Contains(p.Kinds, id.Kind) {
		return nil, errNone
	}
	now := v.Now()
	var found *Key
	for i := range id.Keys { // all of them, so that the time tells nothing
		if k := &id.Keys[i]; Holds(auth.Material{Digest: k.Digest}, p.Secret.Bytes()) && k.stands(now) {
			found = k
		}
	}
	if found == nil {
		return nil, errWrong
	}
	return id.Standing(found, records), nil
}

// Prove compares again, with what is kept.
func (p Presented) Prove(s *auth.Standing, _ time.Time) error {
	if !Holds(s.Key, p.Secret.Bytes()) {
		return errWrong
	}
	return nil
}

var errWrong = auth.Tell(secret.ErrDenied, "wrong secret")

// ErrWrong says that the identity is known and the secret is not its.
func ErrWrong() error { return errWrong }
