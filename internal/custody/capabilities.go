package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Capabilities answers, for each path, what a token may do there, in the vendor's words. A path in a protected Space is
// answered as a request for it would be decided.
func (d *Desk) Capabilities(ctx context.Context, c auth.Caller, which auth.Which, resource string, paths []string) ([][]string, error) {
	set, err := Do(ctx, d, c, auth.PowersOf{Which: which, Resource: resource})
	if err != nil {
		return nil, err
	}
	o := d.open.Load()
	if o == nil {
		return nil, secret.ErrSealed
	}
	t := &turn{d: d, o: o, table: o.table.Load(), caller: c}
	all := make([][]string, len(paths))
	for i, p := range paths {
		sp, _, ok := t.table.ResolveSpace(c.From().Namespace, p)
		if ok && sp.Settings.Protected {
			all[i] = set.CapabilityNamesIn(t.qualify(sp.Name), t.qualify(p))
			continue
		}
		all[i] = set.CapabilityNames(t.qualify(p))
	}
	return all, nil
}
