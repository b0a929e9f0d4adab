package approle

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// NewSecretID makes a secret-id for a role, or registers a custom one.
type NewSecretID struct {
	Mount      auth.Mount
	Role       string
	Custom     auth.Proof // the secret-id itself; with IsCustom
	IsCustom   bool       // role/ROLE/custom-secret-id
	Meta       []secret.Pair
	CIDRs      []string
	TokenCIDRs []string
	Uses       *int           // nil: the role's
	TTL        *time.Duration // nil: the role's
}

// Made is a secret-id that was just made. Its text is nowhere else.
type Made struct {
	SecretID secret.Value
	Accessor string
	TTL      time.Duration
	Uses     int
}

// Need of the act.
func (a NewSecretID) Need() record.Need {
	if a.IsCustom {
		return record.Need{Action: "approle.secret-id.custom", Resource: resource(a.Mount, a.Role, "custom-secret-id"), Capability: policy.Update}
	}
	return record.Need{Action: "approle.secret-id.create", Resource: resource(a.Mount, a.Role, "secret-id"), Capability: policy.Update}
}

// Plan stores the secret-id and its accessor, provided that the role still stands.
func (a NewSecretID) Plan(ctx context.Context, c auth.Caller, v record.View) (Made, []record.Change, error) {
	role, r, err := load(ctx, v, a.Mount, a.Role)
	if err != nil {
		return Made{}, nil, err
	}
	text, err := a.text(c)
	if err != nil {
		return Made{}, nil, err
	}
	id, err := a.settings(role)
	if err != nil {
		return Made{}, nil, err
	}
	index := secretIDIndex(v, a.Mount, role.UID, text)
	there, err := record.Get1(ctx, v, secretIDKey(a.Mount, role.UID, index))
	if err != nil {
		return Made{}, nil, err
	}
	if there.Found() {
		return Made{}, nil, invalid("failed to store secret_id: SecretID is already registered")
	}
	now := v.Now().UTC()
	ttl := id.TTL
	if most := a.most(c); ttl < 0 || ttl > most {
		ttl = most
	}
	id.Accessor, id.Role, id.Created, id.Updated = auth.NewID(), role.UID, now, now
	if ttl > 0 {
		id.Expires = now.Add(ttl)
	}
	return Made{SecretID: secret.NewValue(text), Accessor: id.Accessor, TTL: ttl, Uses: id.Uses}, []record.Change{
		r.Unchanged(),
		there.Put(record.Encode(id)),
		{Key: accessorKey(a.Mount, role.UID, id.Accessor), Value: []byte(index)},
	}, nil
}

func (a NewSecretID) most(c auth.Caller) time.Duration {
	if a.Mount.Limits.Max > 0 {
		return a.Mount.Limits.Max
	}
	return c.Limits().Max
}

func (a NewSecretID) text(c auth.Caller) ([]byte, error) {
	if !a.IsCustom {
		return []byte(auth.NewID()), nil
	}
	text := trim(a.Custom.Bytes())
	switch {
	case len(text) == 0:
		return nil, invalid("missing secret_id")
	case len(text) > maxID:
		return nil, invalid("secret_id is longer than maximum of %d bytes", maxID)
	case weak(string(text)) && !c.AllowsWeakIDs():
		return nil, invalid("secret_id can be guessed: it must have at least 128 bits, for instance 32 hexadecimal digits")
	}
	return text, nil
}

// settings checks what is asked for against the role.
func (a NewSecretID) settings(role *Role) (*SecretID, error) {
	if !role.BindSecretID {
		return nil, invalid("bind_secret_id is not set on the role")
	}
	id := &SecretID{Uses: role.SecretIDUses, TTL: role.SecretIDTTL, Meta: a.Meta}
	var err error
	if id.CIDRs, err = auth.ParseCIDRs(a.CIDRs); err != nil {
		return nil, err
	}
	if id.TokenCIDRs, err = auth.ParseCIDRs(a.TokenCIDRs); err != nil {
		return nil, err
	}
	switch {
	case !auth.Narrows(id.CIDRs, role.SecretIDCIDRs):
		return nil, errNotSubset(role, id.CIDRs)
	case !auth.Narrows(id.TokenCIDRs, role.Token.CIDRs):
		return nil, errNotSubset(&Role{SecretIDCIDRs: role.Token.CIDRs}, id.TokenCIDRs)
	}
	if a.Uses != nil {
		id.Uses = *a.Uses
		switch {
		case id.Uses < 0:
			return nil, invalid("num_uses cannot be negative")
		case role.SecretIDUses > 0 && (id.Uses == 0 || id.Uses > role.SecretIDUses):
			return nil, invalid("num_uses cannot be higher than the role's secret_id_num_uses")
		}
	}
	if a.TTL != nil {
		id.TTL = *a.TTL
		if role.SecretIDTTL > 0 && (id.TTL == 0 || id.TTL > role.SecretIDTTL) {
			return nil, invalid("ttl cannot be longer than the role's secret_id_ttl")
		}
	}
	return id, nil
}

// FindSecretID names a secret-id of a role by its text or by its accessor.
type FindSecretID struct {
	Mount    auth.Mount
	Role     string
	SecretID auth.Proof
	Accessor string // with ByAccessor
	// ByAccessor says which of the two is meant.
	ByAccessor bool
}

func (f FindSecretID) need(verb string) record.Need {
	what := "secret-id"
	if f.ByAccessor {
		what = "secret-id-accessor"
	}
	return record.Need{Action: "approle." + what + "." + verb, Resource: resource(f.Mount, f.Role, what+"/"+verb), Capability: policy.Update}
}

// find answers the secret-id of this role and no other; nil when there is none.
func (f FindSecretID) find(ctx context.Context, v record.View) (*SecretID, record.Record, error) {
	role, _, err := load(ctx, v, f.Mount, f.Role)
	if err != nil {
		return nil, record.Record{}, err
	}
	var index string
	switch {
	case f.ByAccessor && f.Accessor == "":
		return nil, record.Record{}, invalid("missing secret_id_accessor")
	case f.ByAccessor:
		r, err := record.Get1(ctx, v, accessorKey(f.Mount, role.UID, f.Accessor))
		if err != nil {
			return nil, r, err
		}
		if !r.Found() {
			return nil, r, auth.Tell(secret.ErrNotFound, "failed to find accessor entry for secret_id_accessor: %q", f.Accessor)
		}
		index = string(r.Value)
	case f.SecretID.IsZero():
		return nil, record.Record{}, invalid("missing secret_id")
	default:
		index = secretIDIndex(v, f.Mount, role.UID, trim(f.SecretID.Bytes()))
	}
	r, err := record.Get1(ctx, v, secretIDKey(f.Mount, role.UID, index))
	if err != nil || !r.Found() {
		return nil, r, err
	}
	id := &SecretID{}
	if err := decode(r, id); err != nil {
		return nil, r, err
	}
	return id, r, nil
}

// LookupSecretID answers what is known of a secret-id; nil when there is none (any more).
type LookupSecretID struct{ FindSecretID }

// Need of the act.
func (a LookupSecretID) Need() record.Need { return a.need("lookup") }

// Plan reads the secret-id.
func (a LookupSecretID) Plan(ctx context.Context, _ auth.Caller, v record.View) (*SecretID, []record.Change, error) {
	id, _, err := a.find(ctx, v)
	if err != nil || id == nil || id.expired(v.Now()) {
		return nil, nil, err
	}
	return id, nil, nil
}

// DestroySecretID removes a secret-id.
type DestroySecretID struct{ FindSecretID }

// Need of the act.
func (a DestroySecretID) Need() record.Need { return a.need("destroy") }

// Plan removes the secret-id and its accessor.
func (a DestroySecretID) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.None, []record.Change, error) {
	id, r, err := a.find(ctx, v)
	if err != nil || id == nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{r.Remove(), {Key: accessorKey(a.Mount, id.Role, id.Accessor), Delete: true}}, nil
}

// ListSecretIDs answers the accessors of a role's secret-ids.
type ListSecretIDs struct {
	Mount auth.Mount
	Role  string
	After string
	Limit int
}

// Need of the act.
func (a ListSecretIDs) Need() record.Need {
	return record.Need{Action: "approle.secret-id.list", Resource: resource(a.Mount, a.Role, "secret-id/"), Capability: policy.List}
}

// Plan lists the accessors.
func (a ListSecretIDs) Plan(ctx context.Context, _ auth.Caller, v record.View) ([]string, []record.Change, error) {
	role, _, err := load(ctx, v, a.Mount, a.Role)
	if err != nil {
		return nil, nil, err
	}
	names, err := auth.Names(ctx, v, accessorKey(a.Mount, role.UID, ""), a.After, a.Limit)
	return names, nil, err
}

// tidyPage is how many secret-ids one Tidy looks at: few enough that its Changes are one commit on every engine.
const tidyPage = 50

// Tidy removes what expired and what deleted roles left behind, one page at a time: custody calls it again, with the
// cursor that it answered, until that is empty.
type Tidy struct {
	Mount  auth.Mount
	Cursor string
}

// Need of the act.
func (a Tidy) Need() record.Need {
	return record.Need{Action: "approle.tidy", Resource: a.Mount.Resource("tidy/secret-id"), Capability: policy.Update}
}

// Plan removes one page and answers where to go on.
func (a Tidy) Plan(ctx context.Context, _ auth.Caller, v record.View) (string, []record.Change, error) {
	prefix := record.Key("aps", a.Mount.Namespace, a.Mount.Accessor, "")
	keys, err := v.List(ctx, record.Query{Prefix: prefix, After: a.Cursor, Limit: tidyPage})
	if err != nil {
		return "", nil, err
	}
	if len(keys) == 0 {
		return a.last(ctx, v)
	}
	gone := make([]string, len(keys))
	for i, k := range keys {
		gone[i] = goneKey(a.Mount, roleOf(k[len(prefix):]))
	}
	rs, err := v.Get(ctx, append(keys, gone...)...)
	if err != nil {
		return "", nil, err
	}
	var changes []record.Change
	for i, r := range rs[:len(keys)] {
		var id SecretID
		if !r.Found() || decode(r, &id) != nil {
			continue // a damaged record is for verify to name, not for tidy to hide
		}
		if id.expired(v.Now()) || rs[len(keys)+i].Found() {
			changes = append(changes, r.Remove(), record.Change{Key: accessorKey(a.Mount, id.Role, id.Accessor), Delete: true})
		}
	}
	return keys[len(keys)-1], changes, nil
}

// last removes the marks of deleted roles: all their secret-ids are gone by now.
func (a Tidy) last(ctx context.Context, v record.View) (string, []record.Change, error) {
	marks, err := v.List(ctx, record.Query{Prefix: goneKey(a.Mount, ""), Limit: tidyPage})
	if err != nil {
		return "", nil, err
	}
	var changes []record.Change
	for _, k := range marks {
		left, err := v.List(ctx, record.Query{Prefix: secretIDKey(a.Mount, record.Last(k), ""), Limit: 1})
		if err != nil {
			return "", nil, err
		}
		if len(left) == 0 {
			changes = append(changes, record.Change{Key: k, Delete: true})
		}
	}
	return "", changes, nil
}

// roleOf is the role's UID in "UID/INDEX".
func roleOf(rest string) string {
	for i := range len(rest) {
		if rest[i] == '/' {
			return rest[:i]
		}
	}
	return rest
}
