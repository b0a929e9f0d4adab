package custody

import (
	"context"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Act is one operation of administration: what it needs, and what it would change. Plan may run several times, when
// records it expected to find unchanged were changed by somebody else.
type Act[T any] interface {
	Need() record.Need
	Plan(ctx context.Context, c auth.Caller, v record.View) (T, []record.Change, error)
}

// attempts bounds how often a plan is made anew after a lost race.
const attempts = 64

// Do runs one act of administration at the Desk.
func Do[T any](ctx context.Context, d *Desk, c auth.Caller, act Act[T]) (T, error) {
	var zero T
	need, err := d.needOf(ctx, c, act)
	if err != nil {
		return zero, err
	}
	t, err := d.admit(ctx, c, need, what{})
	if err != nil {
		return zero, err
	}
	for range attempts {
		result, changes, planErr := act.Plan(ctx, c, t.o.view)
		if len(changes) == 0 {
			return result, t.done(planErr)
		}
		err := t.change(ctx, changes)
		if isConflict(err) {
			continue
		}
		if err == nil {
			err = planErr // a failed act may still have something to store, a failure counter for instance
		}
		if err != nil {
			return zero, t.done(err)
		}
		return result, nil
	}
	return zero, t.done(fmt.Errorf("%w: records kept changing", secret.ErrBusy))
}

// needOf is the act's need; one that would make what it names asks for create, as the vendor's existence check has it.
// Nothing is looked up for a caller that is refused anyway.
func (d *Desk) needOf(ctx context.Context, c auth.Caller, act interface{ Need() record.Need }) (record.Need, error) {
	need := act.Need()
	o := d.open.Load()
	up, ok := act.(auth.Upsert)
	if !ok || o == nil || c.Refusal() != nil {
		return need, nil //nolint:nilerr // the caller has a refusal; admit answers it
	}
	there, err := up.Exists(ctx, c, o.view)
	if err == nil && !there {
		need.Capability = policy.Create
	}
	return need, err
}

// Login signs somebody in: the method checks the credential, a token is made, and what the method spent is stored
// together with it in one commit. A failed sign-in is a refusal, recorded before it is answered.
func (d *Desk) Login(ctx context.Context, c auth.Caller, resource string, m auth.Method) (auth.Issued, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "login", Resource: resource, Open: true}, what{})
	if err != nil {
		return auth.Issued{}, err
	}
	for range attempts {
		signIn, changes, failed := m.SignIn(ctx, t.o.view, c.From())
		var issued auth.Issued
		if failed == nil {
			var more []record.Change
			if issued, more, err = t.o.authority.Issue(ctx, t.o.view, signIn, c.From()); err != nil {
				return auth.Issued{}, t.done(err)
			}
			changes = append(changes, more...)
			t.signedIn(issued)
		} else {
			t.event.Decision = audit.Decision{Reason: "sign-in"}
		}
		if len(changes) > 0 {
			if err = t.change(ctx, changes); isConflict(err) {
				continue
			}
		}
		switch {
		case err != nil:
			return auth.Issued{}, t.done(err)
		case failed != nil:
			t.recorded = false // what was stored was a counter; the refusal itself is recorded now
			t.event.ID = newEventID(d.now())
			d.cfg.Meters.signInFailed(t.methodOf(resource))
			return auth.Issued{}, t.refuse(ctx, failed, sentinelText(failed))
		}
		return issued, t.done(nil)
	}
	return auth.Issued{}, t.done(fmt.Errorf("%w: records kept changing", secret.ErrBusy))
}

// methodOf is the type of the sign-in mount that a path leads to.
func (t *turn) methodOf(resource string) string {
	m, _, ok := t.table.ResolveMount(t.caller.From().Namespace, strings.TrimPrefix(resource, "auth/"))
	if !ok {
		return ""
	}
	return m.Type
}

// change seals and commits an act's changes with the turn's record, then drops what was derived from them.
func (t *turn) change(ctx context.Context, changes []record.Change) error {
	ops, err := t.d.sealChanges(t.o, changes)
	if err != nil {
		return err
	}
	if len(ops) > store.MaxOps-2 {
		return fmt.Errorf("%w: one act of %d records", secret.ErrTooLarge, len(ops))
	}
	t.event.Cipher = hashOps(ops)
	_, err = t.commit(ctx, ops)
	t.d.forgetDerived(ctx, t.o, changes, err)
	return err
}

// apply is change for work of the house that needs no record of its own: the spending of a token's use, which the
// record of the act that follows shows.
func (d *Desk) apply(ctx context.Context, o *opened, changes []record.Change) error {
	ops, err := d.sealChanges(o, changes)
	if err != nil {
		return err
	}
	_, err = d.engine.Apply(ctx, ops)
	d.forgetDerived(ctx, o, changes, err)
	return storeError(err)
}

// forgetDerived drops what this process derived from records that a commit changed: decoded tokens, compiled policy
// sets, the table of Spaces and mounts. It also runs when the outcome is unknown.
func (d *Desk) forgetDerived(ctx context.Context, o *opened, changes []record.Change, err error) {
	if isConflict(err) {
		return
	}
	keys := make([]string, len(changes))
	reload := false
	for i, c := range changes {
		keys[i] = c.Key
		reload = reload || registry.Holds(c.Key)
	}
	if reload {
		d.reload(context.WithoutCancel(ctx), o)
	}
	o.authority.Forget(keys...)
}

// reload rebuilds the table of the registry. When that fails nothing may be decided by the old one: the Desk seals.
func (d *Desk) reload(ctx context.Context, o *opened) {
	if o.reload(ctx) != nil {
		d.forget()
	}
}

func (o *opened) reload(ctx context.Context) error {
	o.reloading.Lock()
	defer o.reloading.Unlock()
	table, err := registry.Load(ctx, o.view)
	if err != nil {
		return err
	}
	o.table.Store(table)
	o.sets.clear()
	o.authority.ForgetPolicies() // a policy, a namespace or what is protected may have changed
	return nil
}

// Ask runs a look at administration that only needs a permission and answers from memory: lists of mounts, policies,
// health. It is recorded like any read.
func (d *Desk) Ask(ctx context.Context, c auth.Caller, n record.Need) error {
	t, err := d.admit(ctx, c, n, what{})
	if err != nil {
		return err
	}
	return t.done(nil)
}
