package custody

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// GrantRoles lists the roles that hold grants.
func (d *Desk) GrantRoles(ctx context.Context, c auth.Caller) ([]string, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "grant.list", Resource: "keephold/grants/", Capability: policy.List}, what{})
	if err != nil {
		return nil, err
	}
	ns := c.From().Namespace
	names := []string{}
	for _, name := range t.table.Policies(ns) {
		if doc, ok := t.table.Policy(ns, name); ok && len(doc.Grants) > 0 {
			names = append(names, name)
		}
	}
	return names, t.done(nil)
}

// Grants answers what a role was granted.
func (d *Desk) Grants(ctx context.Context, c auth.Caller, role policy.Name) ([]policy.Grant, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "grant.read", Resource: "keephold/grants/" + role.String(), Capability: policy.Read}, what{})
	if err != nil {
		return nil, err
	}
	doc, ok := t.table.Policy(c.From().Namespace, role.String())
	if !ok || len(doc.Grants) == 0 {
		return nil, t.done(fmt.Errorf("no grants of %q: %w", role, secret.ErrNotFound))
	}
	grants, err := doc.ReadGrants()
	return grants, t.done(err)
}
