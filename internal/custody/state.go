package custody

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Delete marks versions deleted; without numbers, the latest one. The bytes stay until they are destroyed or pruned.
// On a Space without versions it removes the secret.
func (d *Desk) Delete(ctx context.Context, c auth.Caller, ref secret.Ref, numbers ...uint64) error {
	v := verbTrash
	if len(numbers) == 0 {
		v = verbDelete
	}
	t, sp, err := d.enter(ctx, c, ref, v)
	if err != nil {
		return err
	}
	if !sp.Versioned {
		return t.done(t.remove(ctx, sp, ref, nil))
	}
	return t.done(t.change1(ctx, sp, ref, func(n *step) error {
		if len(numbers) == 0 {
			numbers = []uint64{n.head.Current}
		}
		return n.each(numbers, func(v *secret.Version) {
			if v.State == secret.Enabled || v.State == secret.Disabled {
				v.State, v.Deleted = secret.Deleted, n.head.Updated
			}
		})
	}))
}

// Undelete makes deleted versions readable again.
func (d *Desk) Undelete(ctx context.Context, c auth.Caller, ref secret.Ref, numbers ...uint64) error {
	t, sp, err := d.enter(ctx, c, ref, verbUndelete)
	if err != nil {
		return err
	}
	return t.done(t.change1(ctx, sp, ref, func(n *step) error {
		return n.each(numbers, func(v *secret.Version) {
			if v.StateAt(n.head.Updated) == secret.Deleted {
				v.State, v.Deleted = secret.Enabled, time.Time{}
			}
		})
	}))
}

// Destroy removes the bytes of versions for good. Their numbers and times stay.
func (d *Desk) Destroy(ctx context.Context, c auth.Caller, ref secret.Ref, numbers ...uint64) error {
	t, sp, err := d.enter(ctx, c, ref, verbDestroy)
	if err != nil {
		return err
	}
	return t.done(t.change1(ctx, sp, ref, func(n *step) error {
		return n.each(numbers, func(v *secret.Version) { n.destroy(sp, v) })
	}))
}

// Enable sets whether a version may be read.
func (d *Desk) Enable(ctx context.Context, c auth.Caller, ref secret.Ref, on bool) error {
	t, sp, err := d.enter(ctx, c, ref, verbLabel)
	if err != nil {
		return err
	}
	return t.done(t.change1(ctx, sp, ref, func(n *step) error {
		v, err := t.pick(sp, n.head, ref)
		if err != nil {
			return err
		}
		switch {
		case v.State == secret.Destroyed:
			return fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrDestroyed)
		case on:
			v.State, v.Deleted = secret.Enabled, time.Time{}
		default:
			v.State = secret.Disabled
		}
		return nil
	}))
}

// Label moves a stage label to the version that ref names.
func (d *Desk) Label(ctx context.Context, c auth.Caller, ref secret.Ref, label string) error {
	t, sp, err := d.enter(ctx, c, ref, verbLabel)
	if err != nil {
		return err
	}
	return t.done(t.change1(ctx, sp, ref, func(n *step) error {
		v, err := t.pick(sp, n.head, ref)
		if err != nil {
			return err
		}
		n.head.Move(label, v)
		return nil
	}))
}

// Configuration is what Configure may set; nil leaves a field as it is.
type Configuration struct {
	MaxVersions *uint64
	CASRequired *bool
	DeleteAfter *time.Duration
	ExpiresAt   *time.Time
	Custom      *[]secret.Pair // replaces all custom metadata
	Description *string
	Owner       *string

	DestroyDelay *time.Duration
	Facts        *[]secret.Pair // replaces all facts
	Labels       []Labelling    // applied last, in this order
}

// Configure sets what is kept of a secret besides its versions. A path without a secret gets one without versions, as
// the vendor's metadata endpoint does. edit asks for the patch capability, and for a secret to be there.
func (d *Desk) Configure(ctx context.Context, c auth.Caller, ref secret.Ref, edit bool, change func(*secret.Head) (Configuration, error)) (*secret.Head, error) {
	var t *turn
	var sp *secret.Space
	var err error
	if edit {
		t, sp, err = d.enter(ctx, c, ref, verbConfEdit)
	} else {
		t, sp, err = d.enterWrite(ctx, c, ref, verbConf, verbConfMake)
	}
	if err != nil {
		return nil, err
	}
	alter := t.alter
	if !edit {
		alter = t.alterOrMake
	}
	head, err := alter(ctx, sp, ref, func(n *step) error {
		cfg, err := change(n.head)
		if err != nil {
			return err
		}
		if err := cfg.apply(n.head); err != nil {
			return err
		}
		n.prune(sp)
		return nil
	})
	return head, t.done(err)
}

func (cfg Configuration) apply(h *secret.Head) error {
	set(&h.Settings.MaxVersions, cfg.MaxVersions)
	set(&h.Settings.CASRequired, cfg.CASRequired)
	set(&h.Settings.DeleteAfter, cfg.DeleteAfter)
	set(&h.Settings.ExpiresAt, cfg.ExpiresAt)
	set(&h.About.Description, cfg.Description)
	set(&h.About.Owner, cfg.Owner)
	set(&h.Settings.DestroyDelay, cfg.DestroyDelay)
	if cfg.Custom != nil {
		h.Custom = sortedPairs(*cfg.Custom)
	}
	if cfg.Facts != nil {
		h.Facts = sortedPairs(*cfg.Facts)
	}
	return cfg.label(h)
}

func sortedPairs(pairs []secret.Pair) []secret.Pair {
	pairs = slices.Clone(pairs)
	slices.SortFunc(pairs, func(a, b secret.Pair) int { return strings.Compare(a.Key, b.Key) })
	return pairs
}

func set[T any](dst *T, src *T) {
	if src != nil {
		*dst = *src
	}
}

// change1 alters the head of a secret that must be there.
func (t *turn) change1(ctx context.Context, sp *secret.Space, ref secret.Ref, edit func(*step) error) error {
	_, err := t.alter(ctx, sp, ref, edit)
	return err
}

// alter reads a head, lets edit change its copy, and commits it, again when somebody else committed first. It answers
// the head as it is then.
func (t *turn) alter(ctx context.Context, sp *secret.Space, ref secret.Ref, edit func(*step) error) (*secret.Head, error) {
	return t.alterHead(ctx, sp, ref, false, edit)
}

// alterOrMake is alter that makes the secret when there is none.
func (t *turn) alterOrMake(ctx context.Context, sp *secret.Space, ref secret.Ref, edit func(*step) error) (*secret.Head, error) {
	return t.alterHead(ctx, sp, ref, true, edit)
}

func (t *turn) alterHead(ctx context.Context, sp *secret.Space, ref secret.Ref, create bool, edit func(*step) error) (*secret.Head, error) {
	key := nameKey(sp, ref.Path)
	unlock := t.d.writers.lock(key)
	defer unlock()
	for range attempts {
		e, err := t.d.find(ctx, t.o, sp, ref.Path)
		if err != nil {
			return nil, err
		}
		now := t.d.now().UTC()
		n := new(step)
		switch {
		case e != nil:
			n.head = e.head.Clone()
		case create:
			if err := t.unused(ctx, sp, ref); err != nil {
				return nil, err
			}
			if err := t.representable(sp, ref.Path); err != nil {
				return nil, err
			}
			n.head, n.fresh = &secret.Head{UID: newUID(now), Created: now}, true
		default:
			return nil, t.absent(ctx, sp, ref)
		}
		n.head.Updated = now
		if err := edit(n); err != nil {
			return nil, err
		}
		t.event.What.UID = string(n.head.UID)
		if n.same {
			return e.head, nil
		}
		if err := t.finish(sp, ref.Path, e, n); err != nil {
			return nil, err
		}
		rev, err := t.commit(ctx, n.ops)
		t.d.settle(key, e, n, rev, err)
		if !isConflict(err) {
			return n.head, err
		}
	}
	return nil, fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

// each runs f on the versions with these numbers; numbers that do not exist are passed over, as the vendor does.
func (n *step) each(numbers []uint64, f func(*secret.Version)) error {
	if len(numbers) > store.MaxOps/2 {
		return fmt.Errorf("%w: at most %d versions at once", secret.ErrInvalid, store.MaxOps/2)
	}
	for _, number := range numbers {
		if v := n.head.Find(number); v != nil {
			f(v)
		}
	}
	return nil
}
