package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// WriteGrants changes the grants of a role. They are kept as a policy document of the role's name, which holds their
// JSON; its text says them for people. A document that somebody wrote as a policy is not turned into grants.
type WriteGrants struct {
	Role   policy.Name
	Change func([]policy.Grant) ([]policy.Grant, error)
}

// Need of the act.
func (a WriteGrants) Need() record.Need {
	return record.Need{Action: "grant.write", Resource: "keephold/grants/" + a.Role.String(), Capability: policy.Update, Sudo: true}
}

// Plan stores the grants.
func (a WriteGrants) Plan(ctx context.Context, c auth.Caller, v record.View) ([]policy.Grant, []record.Change, error) {
	if a.Role.Reserved() || a.Role.String() == policy.NameDefault {
		return nil, nil, fmt.Errorf("%w: the name %q is reserved", secret.ErrInvalid, a.Role)
	}
	d := Document{Namespace: c.From().Namespace, Name: a.Role.String(), Updated: v.Now()}
	r, err := record.LoadIf(ctx, v, policyRecord(d.Namespace, d.Name), &d)
	if err != nil {
		return nil, nil, err
	}
	if r.Found() && len(d.Grants) == 0 {
		return nil, nil, fmt.Errorf("%w: %q is a policy written as text; give the grants another name", secret.ErrExists, a.Role)
	}
	old, err := d.ReadGrants()
	if err != nil {
		return nil, nil, err
	}
	grants, err := a.Change(old)
	if err != nil {
		return nil, nil, err
	}
	if len(grants) == 0 {
		return nil, []record.Change{r.Remove()}, nil
	}
	compiled, err := policy.GrantPolicy(a.Role, grants...)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", secret.ErrInvalid, err)
	}
	d.Updated, d.Grants = v.Now(), json.RawMessage(compiled.Text)
	var text strings.Builder
	text.WriteString("# Made by grants; change it with those.\n")
	for _, g := range grants {
		text.WriteString("# " + g.String() + "\n")
	}
	d.Text = text.String()
	return grants, []record.Change{r.Put(record.Encode(d))}, nil
}

// DropGrants removes a role's grants.
type DropGrants struct{ Role policy.Name }

// Need of the act.
func (a DropGrants) Need() record.Need {
	return record.Need{Action: "grant.drop", Resource: "keephold/grants/" + a.Role.String(), Capability: policy.Delete, Sudo: true}
}

// Plan removes the document, when it holds grants.
func (a DropGrants) Plan(ctx context.Context, c auth.Caller, v record.View) (struct{}, []record.Change, error) {
	var d Document
	r, err := record.Load(ctx, v, policyRecord(c.From().Namespace, a.Role.String()), &d)
	if err != nil {
		return struct{}{}, nil, err
	}
	if len(d.Grants) == 0 {
		return struct{}{}, nil, fmt.Errorf("no grants of %q: %w", a.Role, secret.ErrNotFound)
	}
	return struct{}{}, []record.Change{r.Remove()}, nil
}

// ReadGrants answers the grants that the document was made from; none when it was written as text.
func (d *Document) ReadGrants() ([]policy.Grant, error) {
	if len(d.Grants) == 0 {
		return nil, nil
	}
	grants, err := policy.ParseGrants(d.Grants)
	if err != nil {
		return nil, fmt.Errorf("grants of %q: %w: %w", d.Name, secret.ErrDamaged, err)
	}
	return grants, nil
}
