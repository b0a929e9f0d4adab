package secret

import "errors"

// The sentinels of the house. What a floor returns wraps one of them with what was done to what; each front has
// a table from these to its dialect's own error, and a test that the table is complete.
var (
	ErrNotFound    = errors.New("not found")
	ErrDenied      = errors.New("permission denied")
	ErrInvalid     = errors.New("invalid request")
	ErrConflict    = errors.New("check-and-set parameter did not match the current version")
	ErrExists      = errors.New("already exists")
	ErrDisabled    = errors.New("version is disabled")
	ErrDeleted     = errors.New("version is deleted")
	ErrDestroyed   = errors.New("version is destroyed")
	ErrExpired     = errors.New("expired")
	ErrTooLarge    = errors.New("too large")
	ErrSealed      = errors.New("sealed")
	ErrNotInit     = errors.New("not initialized")
	ErrLimited     = errors.New("rate limit exceeded")
	ErrUnavailable = errors.New("unavailable")
	ErrDamaged     = errors.New("record is damaged")
	ErrBusy        = errors.New("busy, try again")
	ErrUnsupported = errors.New("unsupported")
	ErrSignIn      = errors.New("sign-in failed")
	ErrTrashed     = errors.New("scheduled for deletion")
)

// Sentinels lists every sentinel, so that a test can range over them.
func Sentinels() []error {
	return []error{
		ErrNotFound, ErrDenied, ErrInvalid, ErrConflict, ErrExists, ErrDisabled, ErrDeleted, ErrDestroyed, ErrExpired,
		ErrTooLarge, ErrSealed, ErrNotInit, ErrLimited, ErrUnavailable, ErrDamaged, ErrBusy, ErrUnsupported, ErrSignIn, ErrTrashed,
	}
}
