package custody

import (
	"context"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// DropNamespace removes a tenant. From the commit on nothing in it can be reached; what it held is destroyed by a job.
func (d *Desk) DropNamespace(ctx context.Context, c auth.Caller, name string) error {
	_, err := Do(ctx, d, c, registry.DropNamespace{Name: name})
	if err == nil {
		d.wakeJobs()
	}
	return err
}

// runDemolish destroys what namespaces held that were dropped. Each step can be done again, and the job's record goes last,
// so a crash anywhere leaves a job that goes on.
func (d *Desk) runDemolish(ctx context.Context, o *opened) error {
	keys, err := o.view.List(ctx, record.Query{Prefix: registry.DemolishPrefix, Limit: 100})
	if err != nil {
		return err
	}
	for _, key := range keys {
		var n registry.Namespace
		if _, err := record.Load(ctx, o.view, key, &n); err != nil {
			return err
		}
		for _, step := range []func(context.Context, *opened, secret.NamespaceID) error{
			d.demolishSpaces, d.demolishTokens, d.demolishRegistry, d.demolishRecords, d.demolishCopies, d.demolishSecrets,
		} {
			if err := step(ctx, o, n.ID); err != nil {
				return err
			}
		}
		if _, err := Do(ctx, d, o.self, demolished{key, &n}); err != nil {
			return err
		}
	}
	return nil
}

// demolishSpaces drops each Space as somebody could who is asked for it: with its faces, its record in the log, and a job.
func (d *Desk) demolishSpaces(ctx context.Context, o *opened, ns secret.NamespaceID) error {
	for _, sp := range o.table.Load().Spaces(ns) {
		if _, err := Do(ctx, d, o.self.In(ns), registry.DropSpace{Name: sp.Name}); err != nil {
			return err
		}
	}
	return nil
}

// demolishTokens revokes every token that was given in the namespace: their leases lie below auth/.
func (d *Desk) demolishTokens(ctx context.Context, o *opened, ns secret.NamespaceID) error {
	for {
		swept, err := Do(ctx, d, o.self.In(ns), auth.RevokePrefix{Prefix: "auth"})
		if err != nil || !swept.More {
			return err
		}
	}
}

// demolishRegistry removes sign-in mounts and policies.
func (d *Desk) demolishRegistry(ctx context.Context, o *opened, ns secret.NamespaceID) error {
	for {
		more, err := Do(ctx, d, o.self, registry.EmptyNamespace{ID: ns})
		if err != nil || !more {
			return err
		}
	}
}

// demolishRecords removes what is left of roles, users, entities, accessors: records of every kind whose keys name the
// namespace behind the kind. Which kinds there are the store says, so none can be forgotten here.
func (d *Desk) demolishRecords(ctx context.Context, o *opened, ns secret.NamespaceID) error {
	kinds, err := o.view.List(ctx, record.Query{OneLevel: true})
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if !strings.HasSuffix(kind, "/") {
			continue
		}
		for {
			keys, err := o.view.List(ctx, record.Query{Prefix: kind + string(ns) + "/", Limit: demolishPage})
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				break
			}
			changes := make([]record.Change, len(keys))
			for i, k := range keys {
				changes[i] = record.Change{Key: k, Delete: true}
			}
			if err := d.apply(ctx, o, changes); err != nil {
				return err
			}
		}
	}
	return nil
}

// demolishCopies removes copies that nobody can go on with.
func (d *Desk) demolishCopies(ctx context.Context, o *opened, ns secret.NamespaceID) error {
	keys, err := o.view.List(ctx, record.Query{Prefix: copyPrefix, Limit: maxCopies})
	if err != nil {
		return err
	}
	for _, key := range keys {
		var j copyRecord
		if _, err := record.LoadIf(ctx, o.view, key, &j); err != nil {
			return err
		}
		if j.Namespace != ns {
			continue
		}
		if err := d.apply(ctx, o, []record.Change{{Key: key, Delete: true}}); err != nil {
			return err
		}
	}
	return nil
}

// demolishPage is how many records one commit removes.
const demolishPage = 100

// demolishSecrets removes what the jobs of the Spaces would find, and what they could not: below a damaged name, say.
func (d *Desk) demolishSecrets(ctx context.Context, _ *opened, ns secret.NamespaceID) error {
	for _, kind := range []string{namePrefix, tombPrefix, headPrefix, valuePrefix} {
		if err := d.erase(ctx, kind+string(ns)+"/"); err != nil {
			return err
		}
	}
	return nil
}

// demolished ends the job, with a record that says so.
type demolished struct {
	key string
	ns  *registry.Namespace
}

func (a demolished) Need() record.Need {
	return record.Need{Action: "namespace.demolished", Resource: "sys/namespaces/" + a.ns.Path, Capability: policy.Delete}
}

func (a demolished) Plan(context.Context, auth.Caller, record.View) (struct{}, []record.Change, error) {
	return struct{}{}, []record.Change{{Key: a.key, Delete: true}}, nil
}
