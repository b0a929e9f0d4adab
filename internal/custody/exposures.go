package custody

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Exposed is one Space with the faces that other dialects reach it by.
type Exposed struct {
	Space string
	Home  secret.Dialect
	Faces []secret.Face // the one that its name implies first
}

// Exposures lists the Spaces of the Caller's namespace that have a face.
func (d *Desk) Exposures(ctx context.Context, c auth.Caller) ([]Exposed, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "space.exposures", Resource: "keephold/exposures/", Capability: policy.List}, what{})
	if err != nil {
		return nil, err
	}
	out := []Exposed{}
	for _, sp := range t.table.Spaces(c.From().Namespace) {
		if faces := t.table.Faces(sp); len(faces) > 0 {
			out = append(out, Exposed{sp.Name, sp.Home, faces})
		}
	}
	return out, t.done(nil)
}

// representable refuses a new name that a dialect bound to the Space has no word for: its clients could neither see nor
// reach what stands there.
func (t *turn) representable(sp *secret.Space, path secret.Path) error {
	if sp.Home != secret.Vault {
		if _, ok := secret.NameOn(sp.Home, path); !ok {
			return unnameable(path, sp.Home)
		}
	}
	for _, f := range t.table.Faces(sp) {
		if _, ok := secret.NameOn(f.Dialect, path); !ok {
			return unnameable(path, f.Dialect)
		}
	}
	return nil
}

func unnameable(path secret.Path, d secret.Dialect) error {
	return auth.Tell(secret.ErrInvalid, "%s", fmt.Sprintf("%q is no name that %s clients of this Space could use", path, d))
}
