package jwt

import (
	"context"
	"errors"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Entrust says which roles' tokens may take a machine identity, instead of what was said before; none ends it. Who may write such a role decides who takes
// the identity, so it needs sudo as making one does.
type Entrust struct {
	Name  string
	Roles []string // MOUNT/ROLE
}

// Need of the act.
func (a Entrust) Need() record.Need {
	return record.Need{Action: "identity.trust", Resource: "keephold/identities/" + a.Name, Capability: policy.Update, Sudo: true}
}

// Plan finds the roles and stores them with the identity.
func (a Entrust) Plan(ctx context.Context, c auth.Caller, v record.View) (machine.Identity, []record.Change, error) {
	var trust []machine.Trust
	ns := c.From().Namespace
	for _, text := range a.Roles {
		i := strings.LastIndexByte(text, '/')
		if i < 0 {
			return machine.Identity{}, nil, invalid("%q is no MOUNT/ROLE", text)
		}
		path, role := strings.Trim(strings.TrimPrefix(text[:i], "auth/"), "/"), text[i+1:]
		t, err := machine.TrustIn(ctx, v, ns, path, role, Method)
		if err != nil {
			return machine.Identity{}, nil, err
		}
		switch _, err := loadRole(ctx, v, auth.Mount{Namespace: ns, Accessor: t.Accessor}, role); {
		case errors.Is(err, secret.ErrNotFound):
			return machine.Identity{}, nil, auth.Tell(secret.ErrNotFound, "there is no role %q at auth/%s/", role, path)
		case err != nil:
			return machine.Identity{}, nil, err
		}
		trust = append(trust, t)
	}
	return machine.Entrust(ctx, c, v, a.Name, trust)
}
