package custody

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// Grantee is whom something is granted to: a role, or one machine identity, as identity:NAME or by what its clients call it (an ARN, the
// email of a service account, a client id).
type Grantee string

var clientID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) })

// resolve answers the policy that the grantee's grants are kept in, and how it is shown.
func (g Grantee) resolve(ctx context.Context, v record.View, c auth.Caller) (policy.Name, string, error) {
	text := string(g)
	var id *machine.Identity
	var err error
	switch name, named := strings.CutPrefix(text, "identity:"); {
	case named:
		var read machine.Identity
		read, _, err = machine.Read{Name: name}.Plan(ctx, c, v)
		id = &read
	case strings.HasPrefix(text, "arn:"), strings.HasSuffix(text, ".gserviceaccount.com"), clientID().MatchString(text):
		id, _, err = machine.Find(ctx, v, text)
		if err == nil && (id.Namespace != c.From().Namespace || id.Public != text) || errors.Is(err, secret.ErrDenied) {
			err = auth.Tell(secret.ErrNotFound, "there is no identity %q", text)
		}
	default:
		role, err := policy.NormalizeName(text)
		if err != nil {
			return role, "", auth.Tell(secret.ErrInvalid, "%v", err)
		}
		return role, role.String(), nil
	}
	if err != nil {
		return policy.Name{}, "", err
	}
	role, err := policy.NormalizeName(machine.GrantsOf(id.UID))
	return role, id.Public, err
}

// WriteGrants is registry's act for a Grantee.
type WriteGrants struct {
	To     Grantee
	Change func(role string, old []policy.Grant) ([]policy.Grant, error)
}

// Need of the act.
func (a WriteGrants) Need() record.Need {
	return record.Need{Action: "grant.write", Resource: "keephold/grants/" + string(a.To), Capability: policy.Update, Sudo: true}
}

// Plan stores the grants.
func (a WriteGrants) Plan(ctx context.Context, c auth.Caller, v record.View) (Granted, []record.Change, error) {
	role, shown, err := a.To.resolve(ctx, v, c)
	if err != nil {
		return Granted{}, nil, err
	}
	grants, changes, err := registry.WriteGrants{Role: role, Change: func(old []policy.Grant) ([]policy.Grant, error) { return a.Change(shown, old) }}.Plan(ctx, c, v)
	return Granted{shown, grants}, changes, err
}

// Granted is what somebody was granted.
type Granted struct {
	To     string
	Grants []policy.Grant
}

// DropGrants is registry's act for a Grantee.
type DropGrants struct{ To Grantee }

// Need of the act.
func (a DropGrants) Need() record.Need {
	return record.Need{Action: "grant.drop", Resource: "keephold/grants/" + string(a.To), Capability: policy.Delete, Sudo: true}
}

// Plan removes the grants.
func (a DropGrants) Plan(ctx context.Context, c auth.Caller, v record.View) (struct{}, []record.Change, error) {
	role, _, err := a.To.resolve(ctx, v, c)
	if err != nil {
		return struct{}{}, nil, err
	}
	return registry.DropGrants{Role: role}.Plan(ctx, c, v)
}

// GrantRoles lists who holds grants.
func (d *Desk) GrantRoles(ctx context.Context, c auth.Caller) ([]string, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "grant.list", Resource: "keephold/grants/", Capability: policy.List}, what{})
	if err != nil {
		return nil, err
	}
	ns := c.From().Namespace
	names := []string{}
	for _, name := range t.table.Policies(ns) {
		doc, ok := t.table.Policy(ns, name)
		if !ok || len(doc.Grants) == 0 {
			continue
		}
		grants, err := doc.ReadGrants()
		if err != nil {
			return nil, t.done(err)
		}
		names = append(names, holderOf(name, grants))
	}
	return names, t.done(nil)
}

// holderOf is how the holder of a document of grants is shown: an identity by what its clients call it.
func holderOf(name string, grants []policy.Grant) string {
	if strings.HasPrefix(name, machine.GrantsOf("")) && len(grants) > 0 {
		return grants[0].Role
	}
	return name
}

// Grants answers what somebody was granted.
func (d *Desk) Grants(ctx context.Context, c auth.Caller, to Grantee) (Granted, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "grant.read", Resource: "keephold/grants/" + string(to), Capability: policy.Read}, what{})
	if err != nil {
		return Granted{}, err
	}
	role, shown, err := to.resolve(ctx, t.o.view, c)
	if err != nil {
		return Granted{}, t.done(err)
	}
	doc, ok := t.table.Policy(c.From().Namespace, role.String())
	if !ok || len(doc.Grants) == 0 {
		return Granted{}, t.done(fmt.Errorf("no grants of %q: %w", shown, secret.ErrNotFound))
	}
	grants, err := doc.ReadGrants()
	return Granted{shown, grants}, t.done(err)
}
