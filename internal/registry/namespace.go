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
	name, err := record.Get1(ctx, v, namePrefix+"ns/"+string(parent)+"/"+a.Name)
	if err != nil {
		return nil, nil, err
	}
	if name.Found() {
		existing := new(Namespace)
		_, err := record.Load(ctx, v, nsPrefix+string(name.Value), existing)
		return existing, nil, err // the vendor answers the one that is there
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

// DropNamespace removes a tenant that holds nothing any more: no child, no Space, no sign-in mount but its own.
type DropNamespace struct{ Name string }

func (a DropNamespace) Need() record.Need {
	return record.Need{Action: "namespace.drop", Resource: "sys/namespaces/" + a.Name, Capability: policy.Delete}
}

func (a DropNamespace) Plan(ctx context.Context, c auth.Caller, v record.View) (*Namespace, []record.Change, error) {
	n, r, name, err := readNamespace(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return nil, nil, err
	}
	for _, prefix := range []string{spaceName(n.ID, ""), namePrefix + "ns/" + string(n.ID) + "/"} {
		held, err := v.List(ctx, record.Query{Prefix: prefix, Limit: 1})
		if err != nil {
			return nil, nil, err
		}
		if len(held) > 0 {
			return nil, nil, fmt.Errorf("%w: namespace %s/ still holds %s; remove that first", secret.ErrInvalid, a.Name, strings.TrimPrefix(held[0], prefix))
		}
	}
	mounts, err := v.List(ctx, record.Query{Prefix: mountName(n.ID, "")})
	if err != nil {
		return nil, nil, err
	}
	changes := []record.Change{r.Remove(), name.Remove()}
	for _, key := range mounts {
		id, err := record.Get1(ctx, v, key)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, id.Remove(), record.Change{Key: mountPrefix + string(id.Value), Delete: true})
	}
	return n, changes, nil
}

func readNamespace(ctx context.Context, v record.View, parent secret.NamespaceID, name string) (n *Namespace, r, id record.Record, err error) {
	id, err = record.Get1(ctx, v, namePrefix+"ns/"+string(parent)+"/"+name)
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
