package registry

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// Keepsake is something that an installation makes once and keeps sealed for its own use: the key of its intercepting
// authority. The act answers what is kept, or keeps what Make makes now.
type Keepsake struct {
	Name string
	Make func() ([]byte, error)
}

// Need of the act.
func (a Keepsake) Need() record.Need {
	return record.Need{Action: "keepsake." + a.Name, Resource: "keephold/keepsakes/" + a.Name, Capability: policy.Update, Sudo: true}
}

// Plan keeps it when nobody did before. Of two who make it at once, the one who was first is answered to both.
func (a Keepsake) Plan(ctx context.Context, _ auth.Caller, v record.View) ([]byte, []record.Change, error) {
	r, err := record.Get1(ctx, v, record.Key("kps", "", a.Name))
	if err != nil || r.Found() {
		return r.Value, nil, err
	}
	made, err := a.Make()
	if err != nil {
		return nil, nil, err
	}
	return made, []record.Change{r.Put(made)}, nil
}
