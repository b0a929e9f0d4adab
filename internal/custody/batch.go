package custody

import (
	"context"
	"errors"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

var verbBatch = verb{"batch-read", "metadata", policy.List}

// Batch asks for several secrets at once: by name, or those of a page of a Space's.
type Batch struct {
	Space  secret.Ref // what its path is counts for nothing
	Wanted []Wanted
	Page   *Stocktaking // nil: Wanted
}

// Wanted is one secret of a Batch.
type Wanted struct {
	Ref   secret.Ref
	Check func(*secret.Head) error // may refuse; nil: nobody does
	Else  *Wanted                  // is read instead where there is no such secret, or none that the caller may read
}

// BatchRead is what came of one Wanted. Err is about it alone; Reading then holds what Read answers beside an error.
type BatchRead struct {
	Ref secret.Ref
	Reading
	Err error
}

// ReadBatch reads what b asks for, and notes the day as ReadNoted does; next is where the next page begins. The caller must be allowed to list the Space, and to
// read each secret. There is a record of the batch and one of each secret, as the vendors' trails have it: whoever looks for the
// readers of a secret finds them under its name. It spends one use of a limited token.
func (d *Desk) ReadBatch(ctx context.Context, c auth.Caller, b Batch) (out []BatchRead, next string, err error) {
	b.Space.Path = secret.Path{}
	var t *turn
	var sp *secret.Space
	if b.Page != nil {
		t, sp, err = d.enter(ctx, c, b.Space, verbBatch)
	} else {
		t, err = d.admit(ctx, c, d.missing(b.Space, verbBatch), what{}) // each secret says whether there is a Space
	}
	if err != nil {
		return nil, "", err
	}
	wanted := b.Wanted
	if b.Page != nil {
		var s Stock
		s, err = t.inventory(ctx, sp, *b.Page)
		for _, item := range s.Items {
			ref := secret.Ref{Namespace: b.Space.Namespace, Space: b.Space.Space, Path: item.Path, Label: secret.LabelCurrent}
			wanted = append(wanted, Wanted{Ref: ref})
		}
		next = s.Next
	}
	if err = t.done(err); err != nil {
		return nil, "", err
	}
	spent := t.o.warrant.Spent(c)
	for _, w := range wanted {
		out = append(out, d.readWanted(ctx, spent, w))
	}
	return out, next, nil
}

// readWanted answers what was said of the first choice when there is no second that can be read.
func (d *Desk) readWanted(ctx context.Context, c auth.Caller, w Wanted) BatchRead {
	r, err := d.ReadNoted(ctx, c, w.Ref)
	if err == nil && w.Check != nil {
		err = w.Check(r.Head)
	}
	if err != nil {
		r.Value = secret.Value{}
	}
	first := BatchRead{w.Ref, r, err}
	if w.Else == nil || !errors.Is(err, secret.ErrNotFound) && !errors.Is(err, secret.ErrDenied) {
		return first
	}
	second := d.readWanted(ctx, c, *w.Else)
	if errors.Is(second.Err, secret.ErrNotFound) || errors.Is(second.Err, secret.ErrDenied) {
		return first
	}
	return second
}
