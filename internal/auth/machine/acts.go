package machine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Credential is what an identity proves itself with, shown once.
type Credential struct {
	Identity Identity
	Key      Key          // the new one
	Secret   secret.Value // a shared secret, a token, or a private key in PKCS #8 PEM
}

func need(verb string, name string, c policy.Capability) record.Need {
	return record.Need{Action: "identity." + verb, Resource: "keephold/identities/" + name, Capability: c, Sudo: c != policy.Read && c != policy.List}
}

// Create makes an identity. Who makes one could give away what they do not have themselves, so it needs sudo.
type Create struct {
	Name     string
	Kind     Kind
	Home     string // account, project or tenant; "" is the first of the kind's dialect there is, which the front knows
	Policies []string
	Owner    string
	TTL      time.Duration // 0: no end
	Session  time.Duration
}

// Need of the act.
func (a Create) Need() record.Need { return need("create", a.Name, policy.Create) }

// Plan stores the identity and what leads to it.
func (a Create) Plan(ctx context.Context, c auth.Caller, v record.View) (Credential, []record.Change, error) {
	now := v.Now().UTC()
	id := Identity{
		Name: a.Name, Kind: a.Kind, UID: auth.NewID(), Namespace: c.From().Namespace, Home: a.Home, Owner: a.Owner, Created: now, Session: a.Session,
	}
	if a.TTL > 0 {
		id.Expires = now.Add(a.TTL)
	}
	var err error
	if id.Policies, err = a.check(); err != nil {
		return Credential{}, nil, err
	}
	r, err := record.Get1(ctx, v, nameKey(id.Namespace, id.Name))
	if err != nil {
		return Credential{}, nil, err
	}
	if r.Found() {
		return Credential{}, nil, auth.Tell(secret.ErrExists, "there is an identity %q already", a.Name)
	}
	changes, err := id.join(ctx, v)
	if err != nil {
		return Credential{}, nil, err
	}
	id.Public = id.public()
	out, err := id.grow(now)
	if err != nil {
		return Credential{}, nil, err
	}
	for _, p := range id.publics() {
		link, err := record.Get1(ctx, v, publicKey(p))
		if err != nil {
			return Credential{}, nil, err
		}
		if link.Found() {
			return Credential{}, nil, auth.Tell(secret.ErrExists, "%s is another identity already", p)
		}
		changes = append(changes, link.Put([]byte(r.Key)))
	}
	out.Identity = id
	return out, append(changes, r.Put(record.Encode(&id))), nil
}

func (a Create) check() ([]string, error) {
	if err := auth.CheckName("name", a.Name); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(Kinds(), a.Kind):
		return nil, auth.Tell(secret.ErrInvalid, "unknown kind of identity %q: use aws-key, aws-role, gcp-sa, azure-system or azure-user", a.Kind)
	case a.TTL < 0 || a.Session < 0:
		return nil, auth.Tell(secret.ErrInvalid, "a lifetime cannot be negative")
	case a.Kind.Dialect() == secret.AWS && !secret.IsAccount(a.Home):
		return nil, auth.Tell(secret.ErrInvalid, "an AWS identity belongs to an account: twelve digits, not %q", a.Home)
	case a.Home == "":
		return nil, auth.Tell(secret.ErrInvalid, "an identity belongs to a project or a tenant; none was given")
	case a.Kind == AzureSystem && a.Owner == "":
		return nil, auth.Tell(secret.ErrInvalid, "a system-assigned identity needs an owner that it ends with: identity:NAME or space:NAME")
	}
	if _, err := secret.ParsePath(a.Home); err != nil {
		return nil, auth.Tell(secret.ErrInvalid, "%q is no account, project or tenant", a.Home)
	}
	policies, err := auth.CanonicalPolicies(a.Policies, false)
	if err != nil {
		return nil, err
	}
	if slices.Contains(policies, policy.NameRoot) {
		return nil, auth.Tell(secret.ErrInvalid, "a machine identity cannot be root")
	}
	return policies, nil
}

// Rotate gives an identity a fresh credential. The former ones stand for Grace more, so that clients can change over.
type Rotate struct {
	Name  string
	Grace time.Duration // 0: the former credentials end now
}

// Need of the act.
func (a Rotate) Need() record.Need { return need("rotate", a.Name, policy.Update) }

// maxKeys bounds how many credentials one identity has at a time.
const maxKeys = 4

// Plan stores the new key.
func (a Rotate) Plan(ctx context.Context, c auth.Caller, v record.View) (Credential, []record.Change, error) {
	id, r, err := read(ctx, v, c, a.Name)
	if err != nil {
		return Credential{}, nil, err
	}
	if a.Grace < 0 {
		return Credential{}, nil, auth.Tell(secret.ErrInvalid, "a lifetime cannot be negative")
	}
	now := v.Now().UTC()
	before := id.publics()
	end := now.Add(a.Grace)
	for i := range id.Keys {
		if k := &id.Keys[i]; k.Expires.IsZero() || end.Before(k.Expires) {
			k.Expires = end
		}
	}
	id.Keys = slices.DeleteFunc(id.Keys, func(k Key) bool { return !k.stands(now) })
	if len(id.Keys) >= maxKeys {
		id.Keys = id.Keys[len(id.Keys)-maxKeys+1:]
	}
	out, err := id.grow(now)
	if err != nil {
		return Credential{}, nil, err
	}
	out.Identity = *id
	changes := []record.Change{r.Put(record.Encode(id))}
	after := id.publics()
	for _, p := range after {
		if !slices.Contains(before, p) {
			absent := record.Rev(0)
			changes = append(changes, record.Change{Key: publicKey(p), Value: []byte(r.Key), Expect: &absent})
		}
	}
	for _, p := range before {
		if !slices.Contains(after, p) {
			changes = append(changes, record.Change{Key: publicKey(p), Delete: true})
		}
	}
	return out, changes, nil
}

// Delete removes an identity. What was signed by it is refused from then on, and so is what it was given for a while.
type Delete struct{ Name string }

// Need of the act.
func (a Delete) Need() record.Need { return need("delete", a.Name, policy.Delete) }

// Plan removes the records.
func (a Delete) Plan(ctx context.Context, c auth.Caller, v record.View) (auth.None, []record.Change, error) {
	id, r, err := read(ctx, v, c, a.Name)
	if err != nil {
		return auth.None{}, nil, err
	}
	changes := []record.Change{r.Remove(), {Key: "reg/policy/" + string(id.Namespace) + "/" + GrantsOf(id.UID), Delete: true}} // as the registry, which stands beside this room, keeps it
	for _, p := range id.publics() {
		changes = append(changes, record.Change{Key: publicKey(p), Delete: true})
	}
	return auth.None{}, changes, nil
}

// Read answers an identity, without what proves it.
type Read struct{ Name string }

// Need of the act.
func (a Read) Need() record.Need { return need("read", a.Name, policy.Read) }

// Plan reads the identity.
func (a Read) Plan(ctx context.Context, c auth.Caller, v record.View) (Identity, []record.Change, error) {
	id, _, err := read(ctx, v, c, a.Name)
	if err != nil {
		return Identity{}, nil, err
	}
	return id.bare(), nil, nil
}

// List answers the identities of the Caller's namespace by name, without what proves them.
type List struct {
	After string
	Limit int // 0 is 1000
}

// Need of the act.
func (a List) Need() record.Need { return need("list", "", policy.List) }

// Plan reads them.
func (a List) Plan(ctx context.Context, c auth.Caller, v record.View) ([]Identity, []record.Change, error) {
	ns := c.From().Namespace
	names, err := auth.Names(ctx, v, nameKey(ns, ""), a.After, cmp.Or(a.Limit, 1000))
	if err != nil {
		return nil, nil, err
	}
	keys := make([]string, len(names))
	for i, n := range names {
		keys[i] = nameKey(ns, n)
	}
	if len(keys) == 0 {
		return nil, nil, nil
	}
	records, err := v.Get(ctx, keys...)
	if err != nil {
		return nil, nil, err
	}
	var out []Identity
	for _, r := range records {
		if !r.Found() {
			continue
		}
		id, err := decode(r)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, id.bare())
	}
	return out, nil, nil
}

// bare is the identity without the secrets of its keys.
func (id *Identity) bare() Identity {
	b := *id
	b.Keys = slices.Clone(id.Keys)
	for i := range b.Keys {
		b.Keys[i].Shared, b.Keys[i].Digest = nil, nil
	}
	return b
}

func read(ctx context.Context, v record.View, c auth.Caller, name string) (*Identity, record.Record, error) {
	if err := auth.CheckName("name", name); err != nil {
		return nil, record.Record{}, err
	}
	r, err := record.Get1(ctx, v, nameKey(c.From().Namespace, name))
	if err != nil {
		return nil, r, err
	}
	if !r.Found() {
		return nil, r, auth.Tell(secret.ErrNotFound, "there is no identity %q", name)
	}
	id, err := decode(r)
	return id, r, err
}
