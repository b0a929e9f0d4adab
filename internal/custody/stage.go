package custody

import (
	"context"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Transition is a change of one version's state. Check may refuse it, for instance when the caller saw another state;
// it must depend on nothing but its arguments, and may run again when somebody else wrote meanwhile.
type Transition struct {
	To    secret.State // Enabled, Disabled or Destroyed
	Check func(*secret.Head, *secret.Version) error
}

// verb is Update on delete/, undelete/ or destroy/: disabling is taken back by enabling, as deletion is by undeletion.
func (tr Transition) verb() (verb, error) {
	switch tr.To {
	case secret.Enabled:
		return verbEnable, nil
	case secret.Disabled:
		return verbDisable, nil
	case secret.Destroyed:
		return verbDestroy, nil
	}
	return verb{}, fmt.Errorf("%w: a version cannot be made %s", secret.ErrInvalid, tr.To)
}

// SetState brings the version that ref names into another state and answers the secret as it is then. What is there
// already is no change. A destroyed version stays destroyed. Where the secret has a destroy delay, destroying a version
// disables it until then, and enabling it takes that back.
func (d *Desk) SetState(ctx context.Context, c auth.Caller, ref secret.Ref, tr Transition) (*secret.Head, uint64, error) {
	v, err := tr.verb()
	if err != nil {
		return nil, 0, err
	}
	t, sp, err := d.enter(ctx, c, ref, v)
	if err != nil {
		return nil, 0, err
	}
	var number uint64
	head, err := t.alter(ctx, sp, ref, func(n *step) error {
		v, err := t.pick(sp, n.head, ref)
		if err != nil {
			return err
		}
		number, t.event.What.Version = v.Number, v.Number
		if tr.Check != nil {
			if err := tr.Check(n.head, v); err != nil {
				return err
			}
		}
		return n.bring(sp, ref, v, tr.To)
	})
	return head, number, t.done(err)
}

// bring changes v's state. step.same says that there is nothing to store.
func (n *step) bring(sp *secret.Space, ref secret.Ref, v *secret.Version, to secret.State) error {
	now := n.head.Updated
	is := v.StateAt(now)
	if is == secret.Destroyed {
		if to != secret.Destroyed {
			return fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrDestroyed)
		}
		n.same = true
		return nil
	}
	switch to {
	case secret.Enabled:
		n.same = is == secret.Enabled && v.Destroyed.IsZero()
		v.State, v.Deleted, v.Destroyed = secret.Enabled, time.Time{}, time.Time{}
	case secret.Disabled:
		n.same = is == secret.Disabled || is == secret.Deleted
		if !n.same {
			v.State = secret.Disabled
		}
	default:
		if n.same = n.head.Settings.DestroyDelay > 0 && !v.Destroyed.IsZero(); !n.same {
			n.destroy(sp, v)
			v.Destroyed = cmpTime(v.Destroyed, now)
		}
	}
	v.Changed = now
	return nil
}

// destroy takes a version's bytes away, or has that done when the secret's delay is over.
func (n *step) destroy(sp *secret.Space, v *secret.Version) {
	if v.State == secret.Destroyed {
		return
	}
	if delay := n.head.Settings.DestroyDelay; delay > 0 {
		if v.Destroyed.IsZero() {
			v.State, v.Destroyed = secret.Disabled, n.head.Updated.Add(delay)
		}
		return
	}
	v.State = secret.Destroyed
	n.ops = append(n.ops, store.Op{Key: valueKey(sp.Namespace, n.head.UID, v.Number), Delete: true})
}

// cmpTime is t, or else where t is zero.
func cmpTime(t, orElse time.Time) time.Time {
	if t.IsZero() {
		return orElse
	}
	return t
}
