package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Create makes a secret with what is known of it and, unless p is nil, its first version, in one commit. It is
// secret.ErrExists when there is one, and secret.ErrTrashed when one of that name is in the trash. Where p.Once is set, the
// same again is answered as at first.
func (d *Desk) Create(ctx context.Context, c auth.Caller, ref secret.Ref, p *Put, cfg Configuration) (Reading, error) {
	t, sp, err := d.enter(ctx, c, ref, verbCreate)
	if err != nil {
		return Reading{}, err
	}
	if p != nil {
		fresh := *p
		fresh.Fresh, fresh.Revise = true, func(*secret.Head) (Configuration, error) { return cfg, nil }
		r, err := t.write(ctx, sp, ref, fresh)
		return r, t.done(err)
	}
	if err := t.refuseFolder(ctx, sp, ref); err != nil {
		return Reading{}, t.done(err)
	}
	head, err := t.alterOrMake(ctx, sp, ref, func(n *step) error {
		if !n.fresh {
			return fmt.Errorf("%s: %w", ref, secret.ErrExists)
		}
		n.head.Revision = 1
		return cfg.apply(n.head)
	})
	return Reading{Head: head}, t.done(err)
}

// Add writes a version of a secret that must be there. It needs update, whether or not the secret has a version yet.
func (d *Desk) Add(ctx context.Context, c auth.Caller, ref secret.Ref, p Put) (Reading, error) {
	t, sp, err := d.enter(ctx, c, ref, verbUpdate)
	if err != nil {
		return Reading{}, err
	}
	p.Existing = true
	r, err := t.write(ctx, sp, ref, p)
	return r, t.done(err)
}

// errRepeated says that a write was made before, in the very same words.
var errRepeated = errors.New("written already")

// repeated looks for the version that p's foreign id names. errRepeated with that version when it holds the same bytes,
// secret.ErrExists when it holds others.
func (t *turn) repeated(ctx context.Context, sp *secret.Space, ref secret.Ref, e *entry, p *Put) (*secret.Version, error) {
	if !p.Once || p.AWSID == "" {
		return nil, nil
	}
	v := e.head.ByID(p.AWSID)
	if v == nil {
		return nil, nil
	}
	if p.Revise != nil { // what it refuses is refused whether or not it was written before
		if _, err := p.Revise(e.head.Clone()); err != nil {
			return nil, err
		}
	}
	if v.Kind != p.Kind || v.State == secret.Destroyed {
		return nil, fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrExists)
	}
	sealed, err := t.d.sealed(ctx, sp.Namespace, e, v.Number)
	if err != nil {
		return nil, err
	}
	value, err := t.d.unseal(t.o, sp.Namespace, e.head, v.Number, sealed)
	if err != nil {
		return nil, err
	}
	defer value.Wipe()
	if !value.Equal(p.Value) {
		return nil, fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrExists)
	}
	return v, errRepeated
}
