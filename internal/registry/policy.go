package registry

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/hcl"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// WritePolicy stores a policy document. The text is parsed first, so that what is stored can always be compiled.
type WritePolicy struct {
	Name     policy.Name
	Text     string
	Resource string // "sys/policies/acl/NAME" or "sys/policy/NAME", as it was asked
}

func (a WritePolicy) Need() record.Need {
	return record.Need{Action: "policy.write", Resource: a.Resource, Capability: policy.Update}
}

func (a WritePolicy) Plan(_ context.Context, c auth.Caller, v record.View) (*Document, []record.Change, error) {
	if a.Name.Reserved() {
		return nil, nil, fmt.Errorf("%w: cannot update %q policy", secret.ErrInvalid, a.Name)
	}
	if _, err := hcl.Parse(a.Name.String(), a.Name.String(), []byte(a.Text)); err != nil {
		return nil, nil, fmt.Errorf("%w: failed to parse policy: %w", secret.ErrInvalid, err)
	}
	d := Document{Namespace: c.From().Namespace, Name: a.Name.String(), Text: a.Text, Updated: v.Now()}
	return &d, []record.Change{{Key: policyRecord(d.Namespace, d.Name), Value: record.Encode(d)}}, nil
}

// DropPolicy removes a policy document.
type DropPolicy struct {
	Name     policy.Name
	Resource string
}

func (a DropPolicy) Need() record.Need {
	return record.Need{Action: "policy.drop", Resource: a.Resource, Capability: policy.Delete}
}

func (a DropPolicy) Plan(_ context.Context, c auth.Caller, _ record.View) (struct{}, []record.Change, error) {
	if a.Name.Reserved() || a.Name.String() == policy.NameDefault {
		return struct{}{}, nil, fmt.Errorf("%w: cannot delete %q policy", secret.ErrInvalid, a.Name)
	}
	return struct{}{}, []record.Change{{Key: policyRecord(c.From().Namespace, a.Name.String()), Delete: true}}, nil
}

func policyRecord(ns secret.NamespaceID, name string) string {
	return policyPrefix + string(ns) + "/" + name
}
