package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Labelling puts a stage label on a version, or with the number 0 takes it away.
type Labelling struct {
	Label  string
	Number uint64
}

// Make makes a secret that has no version yet; secret.ErrExists when there is one. name is the client's spelling, where
// the Path folds it.
func (d *Desk) Make(ctx context.Context, c auth.Caller, ref secret.Ref, name string, cfg Configuration) (*secret.Head, error) {
	t, sp, err := d.enter(ctx, c, ref, verbConfMake)
	if err != nil {
		return nil, err
	}
	if err := t.refuseFolder(ctx, sp, ref); err != nil {
		return nil, t.done(err)
	}
	head, err := t.alterOrMake(ctx, sp, ref, func(n *step) error {
		if !n.fresh {
			return fmt.Errorf("%s: %w", ref, secret.ErrExists)
		}
		n.head.Name, n.head.Revision = name, 1
		return cfg.apply(n.head)
	})
	return head, t.done(err)
}

// Revise changes what is kept of a secret besides its versions' bytes. The secret must be there, and its Revision grows.
// change must depend on nothing but its argument; it may run again when somebody else wrote meanwhile.
func (d *Desk) Revise(ctx context.Context, c auth.Caller, ref secret.Ref, change func(*secret.Head) (Configuration, error)) (*secret.Head, error) {
	t, sp, err := d.enter(ctx, c, ref, verbConf)
	if err != nil {
		return nil, err
	}
	head, err := t.alter(ctx, sp, ref, func(n *step) error {
		cfg, err := change(n.head)
		if err != nil {
			return err
		}
		n.head.Revision++
		return cfg.apply(n.head)
	})
	return head, t.done(err)
}

// Expunge is Remove of a secret that must be there, and that check, where there is one, does not refuse to let go.
func (d *Desk) Expunge(ctx context.Context, c auth.Caller, ref secret.Ref, check func(*secret.Head) error) error {
	t, sp, err := d.enter(ctx, c, ref, verbRemove)
	if err != nil {
		return err
	}
	return t.done(t.remove(ctx, sp, ref, func(e *entry) error {
		switch {
		case e == nil:
			return fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
		case check != nil:
			return check(e.head)
		}
		return nil
	}))
}

// label moves or takes away stage labels.
func (cfg Configuration) label(h *secret.Head) error {
	for _, l := range cfg.Labels {
		if l.Number == 0 {
			h.Unlabel(l.Label)
			continue
		}
		v := h.Find(l.Number)
		if v == nil {
			return fmt.Errorf("version %d for the label %q: %w", l.Number, l.Label, secret.ErrNotFound)
		}
		h.Move(l.Label, v)
	}
	return nil
}

// errGone ends a removal of what somebody else took away meanwhile.
var errGone = errors.New("gone already")

// Behold is Inspect by another permission than that of the metadata: of a rotation, a replication or a resource policy.
func (d *Desk) Behold(ctx context.Context, c auth.Caller, ref secret.Ref, n record.Need) (*secret.Head, error) {
	t, sp, err := d.enterBy(ctx, c, ref, n)
	if err != nil {
		return nil, err
	}
	e, err := d.find(ctx, t.o, sp, ref.Path)
	if err == nil && e == nil {
		e, err = t.buried(ctx, sp, ref)
	}
	if err != nil {
		return nil, t.done(err)
	}
	t.event.What.UID = string(e.head.UID)
	return e.head, t.done(nil)
}

// Amend is Revise by another permission than that of the metadata. It leaves the versions and their labels alone.
func (d *Desk) Amend(ctx context.Context, c auth.Caller, ref secret.Ref, n record.Need, change func(*secret.Head) (Configuration, error)) (*secret.Head, error) {
	t, sp, err := d.enterBy(ctx, c, ref, n)
	if err != nil {
		return nil, err
	}
	head, err := t.alter(ctx, sp, ref, func(n *step) error {
		cfg, err := change(n.head)
		if err != nil {
			return err
		}
		n.head.Revision++
		return Configuration{Facts: cfg.Facts}.apply(n.head)
	})
	return head, t.done(err)
}

// enterBy is enter with the need as it is given.
func (d *Desk) enterBy(ctx context.Context, c auth.Caller, ref secret.Ref, n record.Need) (*turn, *secret.Space, error) {
	o := d.open.Load()
	if o == nil {
		return nil, nil, secret.ErrSealed
	}
	sp, missing := d.space(o, ref)
	t, err := d.admit(ctx, c, n, what{space: sp, path: ref.Path.String()})
	if err != nil {
		return nil, nil, err
	}
	if missing != nil {
		return nil, nil, t.done(missing)
	}
	return t, sp, nil
}
