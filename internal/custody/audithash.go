package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// AuditHash answers what records show in place of a text that may be secret: what they show now, then what those of before
// a rotation of the key show.
func (d *Desk) AuditHash(ctx context.Context, c auth.Caller, n record.Need, input string) (hash string, earlier []string, err error) {
	if err := d.Ask(ctx, c, n); err != nil {
		return "", nil, err
	}
	o := d.open.Load()
	if o == nil {
		return "", nil, secret.ErrSealed
	}
	if input == "" {
		return "", nil, nil
	}
	all := o.keyedAs(input)
	return all[0], all[1:], nil
}
