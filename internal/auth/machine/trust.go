package machine

import (
	"context"
	"slices"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Trust is a role of a sign-in mount: who could sign in by it may take the identity, too.
type Trust struct {
	Mount    string `json:"mount"`    // its path: "jwt"
	ID       string `json:"id"`       // and its id: a mount that is made again under the path is another
	Accessor string `json:"accessor"` // names the mount's records
	Role     string `json:"role"`
}

// maxTrust bounds how many roles one identity trusts: each of them is looked at when somebody wants to take it.
const maxTrust = 16

// TrustIn finds the mount at a path, which has to be of a method.
func TrustIn(ctx context.Context, v record.View, ns secret.NamespaceID, path, role, method string) (Trust, error) {
	id, err := record.Get1(ctx, v, mountName(ns, path))
	if err != nil {
		return Trust{}, err
	}
	var is struct{ Type, Accessor string }
	if id.Found() { // as the registry, which stands beside this room, keeps it
		if _, err := record.LoadIf(ctx, v, "reg/auth/"+string(id.Value), &is); err != nil {
			return Trust{}, err
		}
	}
	if is.Type != method {
		return Trust{}, auth.Tell(secret.ErrNotFound, "there is no sign-in mount of type %s at auth/%s/", method, path)
	}
	return Trust{Mount: path, ID: string(id.Value), Accessor: is.Accessor, Role: role}, nil
}

func mountName(ns secret.NamespaceID, path string) string {
	return "name/auth/" + string(ns) + "/" + path
}

// Stands says whether the mount is still the one that was trusted, and the key of the record that this hangs on.
func (t Trust) Stands(ctx context.Context, v record.View, ns secret.NamespaceID) (bool, string, error) {
	r, err := record.Get1(ctx, v, mountName(ns, t.Mount))
	return err == nil && string(r.Value) == t.ID, r.Key, err
}

// Entrust says anew whose tokens may take an identity, instead of what was said before. It answers what is to be stored.
func Entrust(ctx context.Context, c auth.Caller, v record.View, name string, trust []Trust) (Identity, []record.Change, error) {
	id, r, err := read(ctx, v, c, name)
	if err != nil {
		return Identity{}, nil, err
	}
	switch {
	case !slices.Contains(taken(), id.Kind) && len(trust) > 0:
		return Identity{}, nil, auth.Tell(secret.ErrInvalid, "%s is of kind %s: tokens of other issuers take an aws-role, azure-system or azure-user", name, id.Kind)
	case len(trust) > maxTrust:
		return Identity{}, nil, auth.Tell(secret.ErrInvalid, "an identity trusts %d roles at most", maxTrust)
	}
	id.Trust = trust
	return id.bare(), []record.Change{r.Put(record.Encode(id))}, nil
}

// taken are the kinds that somebody takes who proved who they are elsewhere.
func taken() []Kind { return []Kind{AWSRole, AzureSystem, AzureUser} }
