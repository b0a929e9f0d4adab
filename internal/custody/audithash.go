package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// AuditHash answers what records show in place of a text that may be secret.
func (d *Desk) AuditHash(ctx context.Context, c auth.Caller, n record.Need, input string) (string, error) {
	if err := d.Ask(ctx, c, n); err != nil {
		return "", err
	}
	hash := d.log.HMAC(input)
	if hash == "" && input != "" {
		return "", secret.ErrSealed
	}
	return hash, nil
}
