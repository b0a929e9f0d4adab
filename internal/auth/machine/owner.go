package machine

import (
	"context"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// What an identity ends with is meant by its id: one that is made again under the owner's name is another, and a Space that is renamed
// is the same. Of an owner without an id (of identities that were made before there was one) the name has to do.

// maxOwners bounds a chain of owners. One of ids cannot be a ring, for an owner is there first; one of names might.
const maxOwners = 8

// owned says whether everything is there that the identity ends with: its owner, and what that ends with. It adds the keys of the records
// that this hangs on, and lets the identity end no later than its owners.
func (id *Identity) owned(ctx context.Context, v record.View, records []string) ([]string, bool, error) {
	ends := &id.Expires
	for range maxOwners {
		if id.Owner == "" {
			return records, true, nil
		}
		what, name, err := id.ownerName()
		if err != nil {
			return nil, false, err
		}
		key := ownerKey(id.Namespace, what, name)
		if what == "space" && id.OwnerID != "" {
			key = "reg/space/" + id.OwnerID // as the registry, which stands beside this room, keeps it
		}
		r, err := record.Get1(ctx, v, key)
		if err != nil || !r.Found() {
			return nil, false, err
		}
		records = append(records, key)
		if what == "space" {
			return records, true, nil
		}
		owner, err := decode(r)
		if err != nil || id.OwnerID != "" && id.OwnerID != owner.UID || owner.ended(v.Now()) {
			return nil, false, err
		}
		if !owner.Expires.IsZero() && (ends.IsZero() || owner.Expires.Before(*ends)) {
			*ends = owner.Expires
		}
		id = owner
	}
	return nil, false, nil
}

// join makes the identity end with its owner, which has to be there. What it answers must not change until that is stored.
func (id *Identity) join(ctx context.Context, v record.View) ([]record.Change, error) {
	if id.Owner == "" {
		return nil, nil
	}
	what, name, err := id.ownerName()
	if err != nil {
		return nil, err
	}
	r, err := record.Get1(ctx, v, ownerKey(id.Namespace, what, name))
	if err != nil {
		return nil, err
	}
	if !r.Found() {
		return nil, auth.Tell(secret.ErrNotFound, "there is no owner %q", id.Owner)
	}
	id.OwnerID, err = ownerID(what, r)
	return []record.Change{r.Unchanged()}, err
}

// ownerName takes "identity:NAME" or "space:NAME" apart.
func (id *Identity) ownerName() (what, name string, err error) {
	what, name, _ = strings.Cut(id.Owner, ":")
	if what == "identity" && auth.CheckName("owner", name) == nil || what == "space" && name != "" {
		return what, name, nil
	}
	return "", "", auth.Tell(secret.ErrInvalid, "owner must be identity:NAME or space:NAME")
}

// ownerKey is the record that the owner's name leads to.
func ownerKey(ns secret.NamespaceID, what, name string) string {
	if what == "identity" {
		return nameKey(ns, name)
	}
	return "name/space/" + string(ns) + "/" + name // as the registry reserves it; it holds the Space's id
}

// ownerID is what never changes of the owner whose record that is.
func ownerID(what string, r record.Record) (string, error) {
	if what == "space" {
		return string(r.Value), nil
	}
	o, err := decode(r)
	if err != nil {
		return "", err
	}
	return o.UID, nil
}
