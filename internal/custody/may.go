package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// May answers which of the needs a caller has leave for, in the Space that ref names. ask is what is asked of the caller
// for asking, and what is recorded; nothing is said of whether what the needs name is there.
func (d *Desk) May(ctx context.Context, c auth.Caller, ask record.Need, ref secret.Ref, needs []record.Need) ([]bool, error) {
	t, err := d.admit(ctx, c, ask, what{path: ref.Path.String()})
	if err != nil {
		return nil, err
	}
	w := what{}
	if sp, ok := t.table.Space(ref.Namespace, ref.Space); ok {
		w.space = sp
	}
	out := make([]bool, len(needs))
	for i, n := range needs {
		out[i] = c.Powers().Decide(t.request(n, w)).Allowed
	}
	return out, t.done(nil)
}
