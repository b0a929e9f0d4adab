package custody

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Edition is a version of a folder's child.
type Edition struct {
	Name    string
	Value   secret.Value
	Version uint64
	Current bool
}

// editions of a child that are read: more would be a store of its own.
const mostEditions = 100

// ReadEditions reads the direct text children of a folder with all their versions that can be read, the newest first. It
// wants the whole folder: who may not read one of the children is refused. One record lists each uid and version.
func (d *Desk) ReadEditions(ctx context.Context, c auth.Caller, ref secret.Ref, most int) ([]Edition, error) {
	t, sp, err := d.enter(ctx, c, ref, verbRead)
	if err != nil {
		return nil, err
	}
	all, err := t.readEditions(ctx, sp, ref, most)
	return all, t.done(err)
}

func (t *turn) readEditions(ctx context.Context, sp *secret.Space, ref secret.Ref, most int) ([]Edition, error) {
	names, err := t.d.names(ctx, sp, Folder{Path: ref.Path, Limit: 2*most + 1})
	if err != nil {
		return nil, err
	}
	children, hidden, err := t.childrenOf(sp, ref, names)
	if err != nil {
		return nil, err
	}
	if hidden {
		return nil, t.refuse(ctx, fmt.Errorf("%w: a part of %s", secret.ErrDenied, ref), "a part of it may not be read")
	}
	if len(names) > 2*most || len(children) > most {
		return nil, fmt.Errorf("%w: %s has more than %d children", secret.ErrTooLarge, ref, most)
	}
	if err := t.fetch(ctx, sp, children); err != nil {
		return nil, err
	}
	var all []Edition
	for _, c := range children {
		if c.entry == nil {
			continue // it went away meanwhile
		}
		if all, err = t.editionsOf(ctx, sp, c, all); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
	}
	return all, nil
}

func (t *turn) editionsOf(ctx context.Context, sp *secret.Space, c *child, all []Edition) ([]Edition, error) {
	head := c.entry.head
	current := uint64(0)
	if v, err := t.pick(sp, head, c.ref); err == nil {
		current = v.Number
	}
	read := 0
	for i := len(head.Versions) - 1; i >= 0 && read < mostEditions; i-- {
		v := &head.Versions[i]
		if v.Kind != secret.Text || readable(c.ref, head, v, t.event.Time) != nil {
			continue
		}
		sealed, err := t.d.sealed(ctx, sp.Namespace, c.entry, v.Number)
		if err != nil {
			return nil, err
		}
		value, err := t.d.unseal(t.o, sp.Namespace, head, v.Number, sealed)
		if err != nil {
			return nil, err
		}
		read++
		all = append(all, Edition{c.name, value, v.Number, v.Number == current})
		t.event.Items = append(t.event.Items, audit.What{Space: sp.Name, Path: c.ref.Path.String(), UID: string(head.UID), Version: v.Number})
	}
	return all, nil
}
