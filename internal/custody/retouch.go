package custody

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Retouching is what may be changed of a version besides its bytes; nil leaves a field as it is.
type Retouching struct {
	ContentType *string
	NotBefore   *time.Time
	Expires     *time.Time
	Enabled     *bool
	Retag       func(facts []secret.Pair) []secret.Pair // makes the new facts of the former; it may run again
}

// Retouch changes what is known of the version that ref names and answers the secret as it is then. Who disables or
// enables one needs leave for that as well.
func (d *Desk) Retouch(ctx context.Context, c auth.Caller, ref secret.Ref, r Retouching) (*secret.Head, uint64, error) {
	t, sp, err := d.enter(ctx, c, ref, verbConf)
	if err != nil {
		return nil, 0, err
	}
	to, v := secret.Disabled, verbDisable
	if r.Enabled != nil {
		if *r.Enabled {
			to, v = secret.Enabled, verbEnable
		}
		if err := t.also(ctx, v.on(sp, ref.Path), sp); err != nil {
			return nil, 0, err
		}
	}
	var number uint64
	head, err := t.alter(ctx, sp, ref, func(n *step) error {
		v, err := t.pick(sp, n.head, ref)
		if err != nil {
			return err
		}
		number, t.event.What.Version = v.Number, v.Number
		if r.Enabled != nil {
			if err := n.bring(sp, ref, v, to); err != nil {
				return err
			}
			n.same = false
		}
		set(&v.ContentType, r.ContentType)
		set(&v.NotBefore, r.NotBefore)
		set(&v.Expires, r.Expires)
		if r.Retag != nil {
			v.Facts = r.Retag(v.Facts)
		}
		v.Changed = n.head.Updated
		return nil
	})
	return head, number, t.done(err)
}
