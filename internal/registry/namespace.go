package registry

import (
	"context"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// MakeNamespace makes a tenant below the caller's namespace. Name is one segment.
type MakeNamespace struct {
	Name       string
	ParentPath string // path of the caller's namespace, "" for the root
	Custom     map[string]string
}

func (a MakeNamespace) Need() record.Need {
	return record.Need{Action: "namespace.make", Resource: "sys/namespaces/" + a.Name, Capability: policy.Update}
}

func (a MakeNamespace) Plan(ctx context.Context, c auth.Caller, v record.View) (*Namespace, []record.Change, error) {
	if _, err := secret.ParsePath(a.Name); err != nil {
		return nil, nil, fmt.Errorf("name of the namespace: %w", err)
	}
	// One canonical form, checked after it was made: "ROOT" and " root" are the reserved word too.
	word := strings.ToLower(strings.TrimSpace(a.Name))
	if strings.Contains(a.Name, "/") || word == "root" || word == "." || reserved[word] {
		return nil, nil, fmt.Errorf("%w: %q is a reserved path and cannot be used as a namespace", secret.ErrInvalid, a.Name)
	}
	parent := c.From().Namespace
	n := Namespace{ID: secret.NamespaceID(NewID("n")), Parent: parent, Path: strings.Trim(a.ParentPath+"/"+a.Name, "/"), Created: v.Now(), Custom: a.Custom}
	name, err := record.Get1(ctx, v, namespaceName(parent, a.Name))
	if err != nil {
		return nil, nil, err
	}
	if name.Found() {
		existing := new(Namespace)
		_, err := record.Load(ctx, v, nsPrefix+string(name.Value), existing)
		return existing, nil, err // the vendor answers the one that is there
	}
	if err := refuseSpaceAt(ctx, v, parent, a.Name); err != nil {
		return nil, nil, err
	}
	m := Mount{ID: NewID("m"), Namespace: n.ID, Name: "token", Type: "token", Created: n.Created, Tuning: Tuning{Description: "token based credentials"}}
	m.Accessor = "auth_token_" + m.ID[1:9]
	return &n, []record.Change{
		name.Put([]byte(n.ID)),
		{Key: nsPrefix + string(n.ID), Value: record.Encode(n)},
		{Key: mountPrefix + m.ID, Value: record.Encode(m)},
		{Key: mountName(n.ID, m.Name), Value: []byte(m.ID)},
	}, nil
}

// PatchNamespace changes a namespace's custom metadata.
type PatchNamespace struct {
	Name   string
	Change func(map[string]string) map[string]string
}

func (a PatchNamespace) Need() record.Need {
	return record.Need{Action: "namespace.patch", Resource: "sys/namespaces/" + a.Name, Capability: policy.Patch}
}

func (a PatchNamespace) Plan(ctx context.Context, c auth.Caller, v record.View) (*Namespace, []record.Change, error) {
	n, r, _, err := readNamespace(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return nil, nil, err
	}
	n.Custom = a.Change(n.Custom)
	return n, []record.Change{r.Put(record.Encode(n))}, nil
}

// DropNamespace removes a tenant with all it holds. From the commit on nothing in it can be reached; custody destroys what it
// held as a resumable job named by its id, which is written in the same commit. Its children go first, by whoever may remove
// each of them, as the vendor has it.
type DropNamespace struct{ Name string }

func (a DropNamespace) Need() record.Need {
	return record.Need{Action: "namespace.drop", Resource: "sys/namespaces/" + a.Name, Capability: policy.Delete}
}

func (a DropNamespace) Plan(ctx context.Context, c auth.Caller, v record.View) (*Namespace, []record.Change, error) {
	n, r, name, err := readNamespace(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return nil, nil, err
	}
	children, err := v.List(ctx, record.Query{Prefix: namespaceName(n.ID, ""), Limit: 1})
	if err != nil {
		return nil, nil, err
	}
	if len(children) > 0 {
		return nil, nil, fmt.Errorf("%w: cannot delete namespace %q containing child namespaces", secret.ErrInvalid, a.Name+"/")
	}
	return n, []record.Change{r.Remove(), name.Remove(), {Key: DemolishPrefix + string(n.ID), Value: record.Encode(n)}}, nil
}

// DemolishPrefix holds one record per dropped namespace of which something is left.
const DemolishPrefix = "job/demolish/"

// EmptyNamespace removes what the registry still knows of a namespace that was dropped, a page at a time. It answers whether
// there is more. The Spaces were dropped before.
type EmptyNamespace struct{ ID secret.NamespaceID }

func (a EmptyNamespace) Need() record.Need {
	return record.Need{Action: "namespace.empty", Resource: "sys/namespaces", Capability: policy.Delete, Sudo: true}
}

// emptyPage is how many mounts and policies one page removes, each with two records.
const emptyPage = 30

func (a EmptyNamespace) Plan(ctx context.Context, _ auth.Caller, v record.View) (more bool, changes []record.Change, err error) {
	mounts, err := v.List(ctx, record.Query{Prefix: mountName(a.ID, ""), Limit: emptyPage})
	if err != nil {
		return false, nil, err
	}
	for _, key := range mounts {
		id, err := record.Get1(ctx, v, key)
		if err != nil {
			return false, nil, err
		}
		changes = append(changes, id.Remove(), record.Change{Key: mountPrefix + string(id.Value), Delete: true})
	}
	policies, err := v.List(ctx, record.Query{Prefix: policyPrefix + string(a.ID) + "/", Limit: emptyPage})
	for _, key := range policies {
		changes = append(changes, record.Change{Key: key, Delete: true})
	}
	if err != nil {
		return false, nil, err
	}
	attached, err := v.List(ctx, record.Query{Prefix: attachPrefix + string(a.ID) + "/", Limit: emptyPage})
	for _, key := range attached {
		changes = append(changes, record.Change{Key: key, Delete: true})
	}
	return len(mounts) == emptyPage || len(policies) == emptyPage || len(attached) == emptyPage, changes, err
}

func readNamespace(ctx context.Context, v record.View, parent secret.NamespaceID, name string) (n *Namespace, r, id record.Record, err error) {
	id, err = record.Get1(ctx, v, namespaceName(parent, name))
	if err != nil {
		return nil, r, id, err
	}
	if !id.Found() {
		return nil, r, id, fmt.Errorf("no namespace %s/: %w", name, secret.ErrNotFound)
	}
	n = new(Namespace)
	r, err = record.Load(ctx, v, nsPrefix+string(id.Value), n)
	return n, r, id, err
}

func namespaceName(parent secret.NamespaceID, name string) string {
	return namePrefix + "ns/" + string(parent) + "/" + name
}
