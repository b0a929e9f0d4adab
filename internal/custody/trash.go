package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Trash takes a secret out of its Space with its whole history, to be recovered before the window has passed; then it is
// gone for good. Its path cannot be used meanwhile. check, where there is one, may refuse; it must depend on nothing but
// its argument. The secret is answered as it lies in the trash.
func (d *Desk) Trash(ctx context.Context, c auth.Caller, ref secret.Ref, window time.Duration, check func(*secret.Head) error) (*secret.Head, error) {
	t, sp, err := d.enter(ctx, c, ref, verbBury)
	if err != nil {
		return nil, err
	}
	if window <= 0 {
		return nil, t.done(fmt.Errorf("%w: a recovery window must be positive", secret.ErrInvalid))
	}
	live, buried := nameKey(sp, ref.Path), tombKey(sp, ref.Path)
	head, err := t.carry(ctx, sp, ref, t.standing, live, buried, func(h *secret.Head) error {
		if check != nil {
			if err := check(h); err != nil {
				return err
			}
		}
		now := t.d.now().UTC()
		h.Tombstone = &secret.Tombstone{By: t.caller.Identity().ID, At: now, PurgeAt: now.Add(window)}
		return nil
	})
	return head, t.done(err)
}

// Recover puts a secret back where it was. All its versions are as they were.
func (d *Desk) Recover(ctx context.Context, c auth.Caller, ref secret.Ref) (*secret.Head, error) {
	t, sp, err := d.enter(ctx, c, ref, verbRecover)
	if err != nil {
		return nil, err
	}
	live, buried := nameKey(sp, ref.Path), tombKey(sp, ref.Path)
	head, err := t.carry(ctx, sp, ref, t.buried, buried, live, func(h *secret.Head) error {
		h.Tombstone = nil
		return nil
	})
	return head, t.done(err)
}

// RecoverOrKeep is Recover of a secret that may be where it belongs already. check may refuse.
func (d *Desk) RecoverOrKeep(ctx context.Context, c auth.Caller, ref secret.Ref, check func(*secret.Head) error) (*secret.Head, error) {
	t, sp, err := d.enter(ctx, c, ref, verbRecover)
	if err != nil {
		return nil, err
	}
	live, buried := nameKey(sp, ref.Path), tombKey(sp, ref.Path)
	head, err := t.carry(ctx, sp, ref, t.buried, buried, live, func(h *secret.Head) error {
		h.Tombstone = nil
		return check(h)
	})
	if errors.Is(err, secret.ErrNotFound) {
		var e *entry
		if e, err = t.standing(ctx, sp, ref); err == nil {
			head, err = e.head, check(e.head)
		}
	}
	return head, t.done(err)
}

// Purge takes a secret in the trash away for good. live says that one outside it goes as well, which is how a secret is
// removed without a window; check may refuse, and is asked with nil when there is none.
func (d *Desk) Purge(ctx context.Context, c auth.Caller, ref secret.Ref, live bool, check func(*secret.Head) error) error {
	t, sp, err := d.enter(ctx, c, ref, verbPurge)
	if err != nil {
		return err
	}
	if live {
		seen := false
		err := t.remove(ctx, sp, ref, func(e *entry) error {
			if seen = e != nil; seen && check != nil {
				return check(e.head)
			}
			return nil
		})
		if seen || err != nil {
			return t.done(err)
		}
	}
	return t.done(t.purge(ctx, sp, ref, check))
}

// Inspect is Describe that looks in the trash, too, and tells when the secret was last read. Head.Tombstone says where it was found.
func (d *Desk) Inspect(ctx context.Context, c auth.Caller, ref secret.Ref) (Item, error) {
	t, sp, err := d.enter(ctx, c, ref, verbDescribe)
	if err != nil {
		return Item{}, err
	}
	e, err := d.find(ctx, t.o, sp, ref.Path)
	if err == nil && e == nil {
		e, err = t.buried(ctx, sp, ref)
	}
	if err != nil {
		return Item{}, t.done(err)
	}
	t.event.What.UID = string(e.head.UID)
	found := []Item{{Path: ref.Path, Head: e.head}}
	err = t.done(t.lastRead(ctx, sp, found))
	return found[0], err
}

func tombKey(sp *secret.Space, p secret.Path) string {
	return spacePrefix(tombPrefix, sp) + p.String()
}

// standing is find of a secret that must be there.
func (t *turn) standing(ctx context.Context, sp *secret.Space, ref secret.Ref) (*entry, error) {
	e, err := t.d.find(ctx, t.o, sp, ref.Path)
	if err == nil && e == nil {
		err = t.absent(ctx, sp, ref)
	}
	return e, err
}

// buried is find in the trash, of a secret that must be there.
func (t *turn) buried(ctx context.Context, sp *secret.Space, ref secret.Ref) (*entry, error) {
	names, _, err := t.d.engine.Get(ctx, 0, tombKey(sp, ref.Path))
	if err != nil {
		return nil, storeError(err)
	}
	if names[0].Rev != 0 {
		uid, err := t.d.openName(t.o, sp, names[0])
		if err != nil {
			return nil, err
		}
		e, err := t.d.load(ctx, t.o, sp.Namespace, uid)
		if err != nil {
			return nil, err
		}
		if e != nil {
			e.nameRev = names[0].Rev
			return e, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
}

// absent says why no secret has this path: there is none, or it lies in the trash.
func (t *turn) absent(ctx context.Context, sp *secret.Space, ref secret.Ref) error {
	names, _, err := t.d.engine.Get(ctx, 0, tombKey(sp, ref.Path))
	if err != nil {
		return storeError(err)
	}
	if names[0].Rev != 0 {
		return fmt.Errorf("%s: %w", ref, secret.ErrTrashed)
	}
	return fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
}

// unused refuses a path whose secret lies in the trash.
func (t *turn) unused(ctx context.Context, sp *secret.Space, ref secret.Ref) error {
	if err := t.absent(ctx, sp, ref); !errors.Is(err, secret.ErrNotFound) {
		return err
	}
	return nil
}

// carry takes a secret from one name to another in one commit, with what edit changes of its head. Of carriers that race
// one wins; to must be free.
func (t *turn) carry(
	ctx context.Context, sp *secret.Space, ref secret.Ref,
	find func(context.Context, *secret.Space, secret.Ref) (*entry, error), from, to string, edit func(*secret.Head) error,
) (*secret.Head, error) {
	live := nameKey(sp, ref.Path)
	unlock := t.d.writers.lock(live)
	defer unlock()
	for range attempts {
		e, err := find(ctx, sp, ref)
		if err != nil {
			return nil, err
		}
		head := e.head.Clone()
		if err := edit(head); err != nil {
			return nil, err
		}
		t.event.What.UID = string(head.UID)
		ops, err := t.carryOps(sp, ref.Path, e, head, from, to)
		if err != nil {
			return nil, err
		}
		_, err = t.commit(ctx, ops)
		t.d.cache.drop(live)
		if !isConflict(err) {
			return head, err
		}
	}
	return nil, fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

func (t *turn) carryOps(sp *secret.Space, path secret.Path, e *entry, head *secret.Head, from, to string) ([]store.Op, error) {
	keys := t.o.keys.Load()
	sealed, err := keys.Seal(t.d.place(headPlace, sp.Namespace, string(head.UID), 0), secret.AppendHead(nil, head))
	if err != nil {
		return nil, err
	}
	name, err := keys.Seal(t.d.place(namePlace, sp.Namespace, to, 0), []byte(head.UID))
	if err != nil {
		return nil, err
	}
	due, err := t.dueOps(sp, path, nil, head)
	if err != nil {
		return nil, err
	}
	t.event.Cipher = hash(sealed)
	return append(due,
		store.Op{Key: headKey(sp.Namespace, head.UID), Value: sealed, Expect: store.Expect(e.headRev)},
		store.Op{Key: from, Delete: true, Expect: store.Expect(e.nameRev)},
		store.Op{Key: to, Value: name, Expect: store.Expect(0)},
	), nil
}

// purge removes what lies in the trash under this path.
func (t *turn) purge(ctx context.Context, sp *secret.Space, ref secret.Ref, check func(*secret.Head) error) error {
	unlock := t.d.writers.lock(nameKey(sp, ref.Path))
	defer unlock()
	for range attempts {
		e, err := t.buried(ctx, sp, ref)
		if err != nil {
			if errors.Is(err, secret.ErrNotFound) && check != nil {
				return check(nil)
			}
			return err
		}
		if check != nil {
			if err := check(e.head); err != nil {
				return err
			}
		}
		t.event.What.UID = string(e.head.UID)
		ops, job, err := t.removal(sp, e)
		if err != nil {
			return err
		}
		_, err = t.commit(ctx, append(ops, store.Op{Key: tombKey(sp, ref.Path), Delete: true, Expect: store.Expect(e.nameRev)}))
		if isConflict(err) {
			continue
		}
		if err == nil && job {
			t.d.wakeJobs()
		}
		if err == nil {
			t.detached(ctx, sp, e.head.UID)
		}
		return err
	}
	return fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

// purgeDue is the house's own purge of a secret whose window has passed.
func (d *Desk) purgeDue(ctx context.Context, self auth.Caller, ref secret.Ref, uid secret.UID) error {
	t, sp, err := d.enter(ctx, self, ref, verb{"purge-due", verbPurge.folder, verbPurge.cap})
	if err != nil {
		return err
	}
	err = t.purge(ctx, sp, ref, func(h *secret.Head) error {
		if h == nil || h.UID != uid || h.Tombstone == nil || d.now().Before(h.Tombstone.PurgeAt) {
			return errGone
		}
		return nil
	})
	return t.done(ignore(err, errGone))
}
