package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Reading is a version as it was read. Head is shared with other readers: do not change it.
type Reading struct {
	Value   secret.Value
	Version secret.Version
	Head    *secret.Head
}

// Read answers one version's bytes. When the version exists and may not be read (deleted, destroyed, disabled,
// expired), the error says so and the Reading still holds what is known of it, without the Value.
func (d *Desk) Read(ctx context.Context, c auth.Caller, ref secret.Ref) (Reading, error) {
	t, sp, err := d.enter(ctx, c, ref, verbRead)
	if err != nil {
		return Reading{}, err
	}
	r, err := t.read(ctx, sp, ref)
	err = t.done(err)
	t.release()
	return r, err
}

// Subkeys is Read for a caller that may see the names inside a map but not its values; the front blanks them.
func (d *Desk) Subkeys(ctx context.Context, c auth.Caller, ref secret.Ref) (Reading, error) {
	t, sp, err := d.enter(ctx, c, ref, verbSubkeys)
	if err != nil {
		return Reading{}, err
	}
	r, err := t.read(ctx, sp, ref)
	return r, t.done(err)
}

// Describe answers what is known of a secret and its versions, without any bytes.
func (d *Desk) Describe(ctx context.Context, c auth.Caller, ref secret.Ref) (*secret.Head, error) {
	t, sp, err := d.enter(ctx, c, ref, verbDescribe)
	if err != nil {
		return nil, err
	}
	e, err := d.find(ctx, t.o, sp, ref.Path)
	if err == nil && e == nil {
		err = t.absent(ctx, sp, ref)
	}
	if err != nil {
		return nil, t.done(err)
	}
	t.event.What.UID = string(e.head.UID)
	return e.head, t.done(nil)
}

// enter admits a caller to a verb on a secret and finds its Space. The Space is looked up first only because its
// settings say how the resource is named; a caller who may not reach it gets the same refusal whether it exists.
func (d *Desk) enter(ctx context.Context, c auth.Caller, ref secret.Ref, v verb) (*turn, *secret.Space, error) {
	return d.enterFor(ctx, c, ref, v, what{})
}

// enterFor is enter with what else is to be said of the thing asked for.
func (d *Desk) enterFor(ctx context.Context, c auth.Caller, ref secret.Ref, v verb, w what) (*turn, *secret.Space, error) {
	o := d.open.Load()
	if o == nil {
		return nil, nil, secret.ErrSealed
	}
	sp, notFound := d.space(o, ref)
	var need record.Need
	if notFound == nil {
		need = v.on(sp, ref.Path)
	} else {
		need = d.missing(ref, v)
	}
	w.space, w.path = sp, ref.Path.String()
	t, err := d.admit(ctx, c, need, w)
	if err != nil {
		return nil, nil, err
	}
	if notFound != nil {
		return nil, nil, t.done(notFound)
	}
	return t, sp, nil
}

func (t *turn) read(ctx context.Context, sp *secret.Space, ref secret.Ref) (Reading, error) {
	e, err := t.d.find(ctx, t.o, sp, ref.Path)
	if err != nil {
		return Reading{}, err
	}
	if e == nil {
		return Reading{}, t.absent(ctx, sp, ref)
	}
	v, err := t.pick(sp, e.head, ref)
	if err != nil {
		return Reading{Head: e.head}, err
	}
	t.event.What.UID, t.event.What.Version = string(e.head.UID), v.Number
	r := Reading{Version: *v, Head: e.head}
	if err := readable(ref, e.head, v, t.event.Time); err != nil {
		return r, err
	}
	if e.number == v.Number {
		r.Value, err = t.d.reveal(t.o, sp.Namespace, e)
		return r, err
	}
	sealed, err := t.d.sealed(ctx, sp.Namespace, e, v.Number)
	if err != nil {
		return r, err
	}
	r.Value, err = t.d.unseal(t.o, sp.Namespace, e.head, v.Number, sealed)
	return r, err
}
