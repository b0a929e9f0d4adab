package awssm

import (
	"context"
	"errors"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/auth/sigv4"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// claim is a signed request.
type claim struct {
	signed *sigv4.Signed
	keys   *sigv4.Keys
	fault  error // the request has no signature that can be proved
}

var _ auth.Claim = claim{}

var (
	errUnknownKey   = auth.Tell(secret.ErrDenied, "The security token included in the request is invalid.")
	errExpiredToken = auth.Tell(secret.ErrDenied, "The security token included in the request is expired")
)

// Presented is the access key, and the session token that must come with a temporary one.
func (c claim) Presented() []byte {
	if c.signed == nil {
		return []byte("sigv4")
	}
	return []byte("sigv4\x00" + c.signed.AccessKey + "\x00" + c.signed.Token)
}

// Find answers who the access key, or the session token, stands for.
func (c claim) Find(ctx context.Context, v record.View) (*auth.Standing, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	if c.signed.Token != "" {
		s, id, records, err := machine.OpenSession(ctx, v, []byte(c.signed.Token))
		switch {
		case errors.Is(err, secret.ErrDenied):
			return nil, errUnknownKey
		case err != nil:
			return nil, err
		case s.Access != c.signed.AccessKey:
			return nil, errUnknownKey // another session's key
		}
		return s.Standing(id, records), nil
	}
	id, records, err := machine.Find(ctx, v, c.signed.AccessKey)
	if errors.Is(err, secret.ErrDenied) {
		return nil, errUnknownKey
	}
	if err != nil {
		return nil, err
	}
	k := id.Key(c.signed.AccessKey, v.Now())
	if k == nil || id.Kind != machine.AWSKey || len(k.Shared) == 0 {
		return nil, errUnknownKey
	}
	return id.Standing(k, records), nil
}

// Prove verifies the signature, and that a session has not ended.
func (c claim) Prove(s *auth.Standing, now time.Time) error {
	if c.fault != nil {
		return c.fault
	}
	if err := c.signed.Verify(c.keys, s.Key.Shared, now); err != nil {
		return err
	}
	if !s.Expires.IsZero() && !now.Before(s.Expires) {
		return errExpiredToken
	}
	return nil
}
