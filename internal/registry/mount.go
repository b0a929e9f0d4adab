package registry

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// MakeMount makes a sign-in mount. Which types exist is the server's literal table, checked before the act.
type MakeMount struct{ Mount Mount }

func (a MakeMount) Need() record.Need {
	return record.Need{Action: "auth.mount.make", Resource: "sys/auth/" + a.Mount.Name, Capability: policy.Update, Sudo: true}
}

func (a MakeMount) Plan(ctx context.Context, c auth.Caller, v record.View) (*Mount, []record.Change, error) {
	m := a.Mount
	if _, err := secret.ParsePath(m.Name); err != nil {
		return nil, nil, fmt.Errorf("name of the mount: %w", err)
	}
	if m.Name == "token" && m.Type != "token" {
		return nil, nil, fmt.Errorf("%w: auth/token/ is taken by the token store", secret.ErrExists)
	}
	m.ID = NewID("m")
	m.Namespace = c.From().Namespace
	m.Created = v.Now()
	m.Accessor = "auth_" + m.Type + "_" + m.ID[1:9]
	name, err := record.Get1(ctx, v, mountName(m.Namespace, m.Name))
	if err != nil {
		return nil, nil, err
	}
	if name.Found() {
		return nil, nil, fmt.Errorf("%w: path is already in use at auth/%s/", secret.ErrExists, m.Name)
	}
	return &m, []record.Change{name.Put([]byte(m.ID)), {Key: mountPrefix + m.ID, Value: record.Encode(m)}}, nil
}

// TuneMount changes a sign-in mount's settings.
type TuneMount struct {
	Name   string
	Change func(*Tuning) error
}

func (a TuneMount) Need() record.Need {
	return record.Need{Action: "auth.mount.tune", Resource: "sys/auth/" + a.Name + "/tune", Capability: policy.Update, Sudo: true}
}

func (a TuneMount) Plan(ctx context.Context, c auth.Caller, v record.View) (*Mount, []record.Change, error) {
	m, r, err := readMount(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := a.Change(&m.Tuning); err != nil {
		return nil, nil, err
	}
	return m, []record.Change{r.Put(record.Encode(m))}, nil
}

// DropMount removes a sign-in mount. What was kept under it becomes unreachable at once, because every record of a
// mount is named by the mount's id; the tokens it issued are revoked by prefix.
type DropMount struct{ Name string }

func (a DropMount) Need() record.Need {
	return record.Need{Action: "auth.mount.drop", Resource: "sys/auth/" + a.Name, Capability: policy.Delete, Sudo: true}
}

func (a DropMount) Plan(ctx context.Context, c auth.Caller, v record.View) (*Mount, []record.Change, error) {
	ns := c.From().Namespace
	if a.Name == "token" {
		return nil, nil, fmt.Errorf("%w: token credential backend cannot be disabled", secret.ErrInvalid)
	}
	m, r, err := readMount(ctx, v, ns, a.Name)
	if err != nil {
		return nil, nil, err
	}
	return m, []record.Change{r.Remove(), {Key: mountName(ns, a.Name), Delete: true}}, nil
}

func readMount(ctx context.Context, v record.View, ns secret.NamespaceID, name string) (*Mount, record.Record, error) {
	id, err := record.Get1(ctx, v, mountName(ns, name))
	if err != nil {
		return nil, id, err
	}
	if !id.Found() {
		return nil, id, fmt.Errorf("no auth mount at auth/%s/: %w", name, secret.ErrNotFound)
	}
	m := new(Mount)
	r, err := record.Load(ctx, v, mountPrefix+string(id.Value), m)
	return m, r, err
}

func mountName(ns secret.NamespaceID, name string) string {
	return namePrefix + "auth/" + string(ns) + "/" + name
}
