package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Tidy runs an act that cleans up page by page. The caller is asked, recorded and answered for the first page; the rest
// is the house's own work in the caller's namespace, so that a token of few uses does not run out in the middle.
func Tidy(ctx context.Context, d *Desk, c auth.Caller, page func(cursor string) Act[string]) error {
	cursor, err := Do(ctx, d, c, page(""))
	for err == nil && cursor != "" {
		o := d.open.Load()
		if o == nil {
			return secret.ErrSealed
		}
		cursor, err = Do(ctx, d, o.self.In(c.From().Namespace), page(cursor))
	}
	return err
}
