package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Attaching is a policy to be attached, in a dialect's words, to the secret that a ref names, or where the ref has no path to the whole Space. Who attaches
// decides who may do what there, so Need asks for sudo.
type Attaching struct {
	Need    record.Need
	Dialect secret.Dialect
	// Edit answers what shall be attached in place of what is (nil: nothing). It may run again, and must depend on nothing but its arguments.
	Edit func(h *secret.Head, old *registry.Attachment, find FindPrincipal) (*registry.Attachment, error)
}

// FindPrincipal answers what bindings call the identity that clients know by a public id. The error for one that is not there, or not in this
// namespace, wraps secret.ErrNotFound.
type FindPrincipal func(public string) (string, error)

// Attach attaches a policy, or takes it away, and answers the secret it is attached to (nil: the Space).
func (d *Desk) Attach(ctx context.Context, c auth.Caller, ref secret.Ref, a Attaching) (*secret.Head, *registry.Attachment, error) {
	t, sp, err := d.enterBy(ctx, c, ref, a.Need)
	if err != nil {
		return nil, nil, err
	}
	h, at, err := t.attach(ctx, sp, ref, a)
	return h, at, t.done(err)
}

func (t *turn) attach(ctx context.Context, sp *secret.Space, ref secret.Ref, a Attaching) (*secret.Head, *registry.Attachment, error) {
	if !sp.Versioned && !ref.Path.IsRoot() {
		return nil, nil, fmt.Errorf("%w: a Space without versions takes no policies on its secrets", secret.ErrUnsupported)
	}
	for range attempts {
		h, uid, checks, err := t.attachable(ctx, sp, ref)
		if err != nil {
			return nil, nil, err
		}
		old := new(registry.Attachment)
		r, err := record.LoadIf(ctx, t.o.view, registry.AttachmentKey(sp, uid, a.Dialect), old)
		if err != nil {
			return nil, nil, err
		}
		if !r.Found() {
			old = nil
		}
		now, err := a.Edit(h, old, t.principal(ctx))
		if err != nil || now == nil && old == nil {
			return h, nil, err
		}
		change := r.Remove()
		if now != nil {
			if err := policy.CheckBindings(policy.Place{Space: sp.Name, Path: ref.Path.String(), Flat: !sp.Versioned}, now.Bindings); err != nil {
				return nil, nil, fmt.Errorf("%w: %w", secret.ErrInvalid, err)
			}
			now.Namespace, now.Space, now.UID, now.Path, now.Dialect = sp.Namespace, sp.ID, uid, ref.Path.String(), a.Dialect
			now.Updated, now.Edition = t.d.now().UTC(), 1
			if old != nil {
				now.Edition = old.Edition + 1
			}
			change = r.Put(record.Encode(now))
		}
		changes := []record.Change{change}
		ops, err := t.d.sealChanges(t.o, changes)
		if err != nil {
			return nil, nil, err
		}
		t.event.Cipher = hashOps(ops)
		_, err = t.commit(ctx, append(ops, checks...))
		t.d.forgetDerived(ctx, t.o, changes, err)
		if !isConflict(err) {
			return h, now, err
		}
	}
	return nil, nil, fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

// attachable finds what a policy is attached to, and what must still be so when it is.
func (t *turn) attachable(ctx context.Context, sp *secret.Space, ref secret.Ref) (*secret.Head, secret.UID, []store.Op, error) {
	if ref.Path.IsRoot() {
		return nil, "", nil, nil
	}
	e, err := t.d.find(ctx, t.o, sp, ref.Path)
	if err == nil && e == nil {
		err = t.absent(ctx, sp, ref)
	}
	if err != nil {
		return nil, "", nil, err
	}
	t.event.What.UID = string(e.head.UID)
	return e.head, e.head.UID, []store.Op{{Key: nameKey(sp, ref.Path), Check: true, Expect: store.Expect(e.nameRev)}}, nil
}

func (t *turn) principal(ctx context.Context) FindPrincipal {
	return func(public string) (string, error) {
		id, _, err := machine.Find(ctx, t.o.view, public)
		switch {
		case err == nil && id.Namespace == t.caller.From().Namespace && id.Public == public:
			return machine.Principal(id.UID), nil
		case err == nil, errors.Is(err, secret.ErrDenied):
			return "", fmt.Errorf("%q: %w", public, secret.ErrNotFound)
		}
		return "", err
	}
}

// AttachedTo answers what is attached, in a dialect's words, to the secret that a ref names or to a Space; nil when nothing is.
func (d *Desk) AttachedTo(ctx context.Context, c auth.Caller, ref secret.Ref, n record.Need, words secret.Dialect) (*secret.Head, *registry.Attachment, error) {
	t, sp, err := d.enterBy(ctx, c, ref, n)
	if err != nil {
		return nil, nil, err
	}
	var h *secret.Head
	var uid secret.UID
	if !ref.Path.IsRoot() {
		e, err := d.find(ctx, t.o, sp, ref.Path)
		if err == nil && e == nil {
			e, err = t.buried(ctx, sp, ref)
		}
		if err != nil {
			return nil, nil, t.done(err)
		}
		h, uid = e.head, e.head.UID
		t.event.What.UID = string(uid)
	}
	for _, a := range t.table.Attached(sp, uid) {
		if a.Dialect == words {
			return h, a, t.done(nil)
		}
	}
	return h, nil, t.done(nil)
}

// detachOps take away what is attached to a secret that goes.
func detachOps(sp *secret.Space, uid secret.UID) []store.Op {
	changes := registry.DropAttachments(sp, uid)
	ops := make([]store.Op, len(changes))
	for i, c := range changes {
		ops[i] = store.Op{Key: recordPrefix + c.Key, Delete: true}
	}
	return ops
}

// detached drops what this process derived from what was attached to a secret that is gone.
func (t *turn) detached(ctx context.Context, sp *secret.Space, uid secret.UID) {
	if len(t.o.table.Load().Attached(sp, uid)) > 0 {
		t.d.reload(context.WithoutCancel(ctx), t.o)
	}
}
