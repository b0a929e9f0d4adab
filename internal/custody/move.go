package custody

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Move gives a secret another path, in the same Space or another of the same namespace, with its whole history: its
// uid does not change, so nothing is sealed anew. It is one commit. It needs leave to read and to remove at the old
// path, and to make at the new one: what moves can be read at its new place.
func (d *Desk) Move(ctx context.Context, c auth.Caller, from, to secret.Ref) error {
	if from.Namespace != to.Namespace {
		return fmt.Errorf("%w: a secret cannot move to another namespace; copy it", secret.ErrInvalid)
	}
	t, old, err := d.enter(ctx, c, from, verbMoveFrom)
	if err != nil {
		return err
	}
	if err := t.also(ctx, verbRead.on(old, from.Path), old); err != nil {
		return err
	}
	if err := t.done(nil); err != nil {
		return err
	}
	t, sp, err := d.enter(ctx, t.o.warrant.Spent(c), to, verbMoveTo)
	if err != nil {
		return err
	}
	if err := t.also(ctx, verbCreate.on(sp, to.Path), sp); err != nil {
		return err
	}
	return t.done(t.move(ctx, old, from, sp, to))
}

// also asks policy for one more thing in the same turn. The refusal is recorded like one at admission.
func (t *turn) also(ctx context.Context, n record.Need, sp *secret.Space) error {
	decision := t.caller.Powers().Decide(t.request(n, what{space: sp}))
	if decision.Allowed {
		return nil
	}
	t.decided(decision)
	t.event.What.Capability = n.Capability.String()
	return t.refuse(ctx, fmt.Errorf("%w: %s on %s", secret.ErrDenied, n.Capability, n.Resource), decision.Reason.String())
}

func (t *turn) move(ctx context.Context, old *secret.Space, from secret.Ref, sp *secret.Space, to secret.Ref) error {
	if old.Versioned != sp.Versioned || old.Home != sp.Home {
		return fmt.Errorf("%w: %s/ and %s/ keep secrets differently; copy it", secret.ErrInvalid, old.Name, sp.Name)
	}
	source, target := nameKey(old, from.Path), nameKey(sp, to.Path)
	unlock := t.d.writers.lockBoth(source, target)
	defer unlock()
	for range attempts {
		e, err := t.d.find(ctx, t.o, old, from.Path)
		if err != nil {
			return err
		}
		if e == nil {
			return t.absent(ctx, old, from)
		}
		if len(t.o.table.Load().Attached(old, e.head.UID)) > 0 {
			return auth.Tell(secret.ErrInvalid, "%s has a resource policy, which says who may do what there; take it away before the secret moves", from)
		}
		there, err := t.d.find(ctx, t.o, sp, to.Path)
		if err != nil {
			return err
		}
		if there != nil {
			return fmt.Errorf("%s: %w", to, secret.ErrExists)
		}
		if err := t.unused(ctx, sp, to); err != nil {
			return err
		}
		uid, err := t.o.keys.Load().Seal(t.d.place(namePlace, sp.Namespace, target, 0), []byte(e.head.UID))
		if err != nil {
			return err
		}
		t.event.What.UID = string(e.head.UID)
		due, err := t.dueOps(sp, to.Path, nil, e.head)
		if err != nil {
			return err
		}
		_, err = t.commit(ctx, append(due, []store.Op{
			{Key: source, Delete: true, Expect: store.Expect(e.nameRev)},
			{Key: target, Value: uid, Expect: store.Expect(0)},
			{Key: spacePrefix(tombPrefix, sp) + to.Path.String(), Check: true, Expect: store.Expect(0)},
		}...))
		t.d.cache.drop(source)
		t.d.cache.drop(target)
		if !isConflict(err) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", from, secret.ErrBusy)
}

// lockBoth takes two stripes in one order, so that two moves cannot wait for each other.
func (s *stripes) lockBoth(a, b string) func() {
	i, j := s.index(a), s.index(b)
	if i == j {
		s.locks[i].Lock()
		return s.locks[i].Unlock
	}
	if i > j {
		i, j = j, i
	}
	s.locks[i].Lock()
	s.locks[j].Lock()
	return func() {
		s.locks[j].Unlock()
		s.locks[i].Unlock()
	}
}
