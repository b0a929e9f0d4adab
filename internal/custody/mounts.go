package custody

import (
	"context"
	"encoding/json"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// DropSpace removes a Space. From the commit on nothing in it can be reached; what it held is erased by a job.
func (d *Desk) DropSpace(ctx context.Context, c auth.Caller, name string) (*secret.Space, error) {
	sp, err := Do(ctx, d, c, registry.DropSpace{Name: name})
	if err == nil {
		d.wakeJobs()
	}
	return sp, err
}

// revokePrefix holds one record per sign-in mount that was dropped and whose tokens are not all revoked yet.
const revokePrefix = "job/revoke/"

// dropMount is registry's act, with the job in the same commit that ends the mount's tokens: a crash between the two
// would leave tokens of a mount that is no more.
type dropMount struct{ registry.DropMount }

func (a dropMount) Plan(ctx context.Context, c auth.Caller, v record.View) (*registry.Mount, []record.Change, error) {
	m, changes, err := a.DropMount.Plan(ctx, c, v)
	if err != nil {
		return nil, nil, err
	}
	return m, append(changes, record.Change{Key: revokePrefix + m.ID, Value: record.Encode(m)}), nil
}

// DropMount removes a sign-in mount and revokes every token that was given there, before it answers.
func (d *Desk) DropMount(ctx context.Context, c auth.Caller, name string) error {
	m, err := Do(ctx, d, c, dropMount{registry.DropMount{Name: name}})
	if err != nil {
		return err
	}
	o := d.open.Load()
	if o == nil {
		return nil // sealed meanwhile; the job goes on after the unsealing
	}
	return d.revokeMount(ctx, o, m)
}

// runRevoke goes on with what a crash interrupted.
func (d *Desk) runRevoke(ctx context.Context, o *opened) error {
	keys, err := o.view.List(ctx, record.Query{Prefix: revokePrefix, Limit: 100})
	if err != nil {
		return err
	}
	for _, key := range keys {
		r, err := record.Get1(ctx, o.view, key)
		if err != nil || !r.Found() {
			return err
		}
		m := new(registry.Mount)
		if err := json.Unmarshal(r.Value, m); err != nil {
			return d.damage(key, err)
		}
		if err := d.revokeMount(ctx, o, m); err != nil {
			return err
		}
	}
	return nil
}

// revokeMount ends the tokens of a mount page by page, as the house itself, and then its job.
func (d *Desk) revokeMount(ctx context.Context, o *opened, m *registry.Mount) error {
	self := o.self.In(m.Namespace)
	for {
		swept, err := Do(ctx, d, self, auth.RevokePrefix{Prefix: "auth/" + m.Name})
		if err != nil {
			return err
		}
		if !swept.More {
			break
		}
	}
	err := d.apply(ctx, o, []record.Change{{Key: revokePrefix + m.ID, Delete: true}})
	return err
}
