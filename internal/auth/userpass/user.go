package userpass

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

func resource(m auth.Mount, user, field string) string {
	path := "users/" + user
	if field != "" {
		path += "/" + field
	}
	return m.Resource(path)
}

// NewPassword is a password, or the bcrypt hash of one that was made elsewhere; not both.
type NewPassword struct {
	Password auth.Proof
	Hash     auth.Proof
}

func (p NewPassword) given() bool { return !p.Password.IsZero() || !p.Hash.IsZero() }

func (p NewPassword) hash(ctx context.Context, h *Hasher) (string, error) {
	switch {
	case !p.Password.IsZero() && !p.Hash.IsZero():
		return "", invalid("only one of password or password_hash may be provided")
	case !p.given():
		return "", invalid("must provide either password or password_hash")
	case !p.Hash.IsZero():
		return string(p.Hash.Bytes()), checkBcrypt(string(p.Hash.Bytes()))
	case len(p.Password.Bytes()) > maxPassword:
		return "", invalid("password is longer than maximum of %d bytes", maxPassword)
	}
	return h.Hash(ctx, p.Password.Bytes())
}

// WriteUser makes a user, who then needs a password, or changes one.
type WriteUser struct {
	Mount    auth.Mount
	Name     string
	Password NewPassword
	Hasher   *Hasher
	Change   func(*auth.TokenTerms) error // nil: leave the terms
}

var _ auth.Upsert = WriteUser{}

// Need of the act.
func (a WriteUser) Need() record.Need {
	return record.Need{Action: "userpass.user.update", Resource: resource(a.Mount, a.Name, ""), Capability: policy.Update}
}

// Exists says whether the user is there already.
func (a WriteUser) Exists(ctx context.Context, _ auth.Caller, v record.View) (bool, error) {
	r, err := record.Get1(ctx, v, userKey(a.Mount, canonical(a.Name)))
	return r.Found(), err
}

// Plan stores the user.
func (a WriteUser) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.None, []record.Change, error) {
	if err := auth.CheckName("username", a.Name); err != nil {
		return auth.None{}, nil, err
	}
	u := User{}
	r, err := record.LoadIf(ctx, v, userKey(a.Mount, canonical(a.Name)), &u)
	if err != nil {
		return auth.None{}, nil, err
	}
	u.Name = canonical(a.Name)
	if a.Change != nil {
		if err := a.Change(&u.Token); err != nil {
			return auth.None{}, nil, err
		}
	}
	if err := u.Token.Check(); err != nil {
		return auth.None{}, nil, err
	}
	if a.Password.given() || !r.Found() {
		if u.Hash, err = a.Password.hash(ctx, a.Hasher); err != nil {
			return auth.None{}, nil, err
		}
	}
	return auth.None{}, []record.Change{r.Put(record.Encode(&u))}, nil
}

// SetPassword changes a user's password and forgets failed sign-ins.
type SetPassword struct {
	Mount    auth.Mount
	Name     string
	Password NewPassword
	Hasher   *Hasher
}

// Need of the act.
func (a SetPassword) Need() record.Need {
	return record.Need{Action: "userpass.user.password", Resource: resource(a.Mount, a.Name, "password"), Capability: policy.Update}
}

// Plan stores the new hash.
func (a SetPassword) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.None, []record.Change, error) {
	u, r, err := load(ctx, v, a.Mount, a.Name)
	if err != nil {
		return auth.None{}, nil, err
	}
	if u.Hash, err = a.Password.hash(ctx, a.Hasher); err != nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{r.Put(record.Encode(u)), {Key: failuresKey(a.Mount, u.Name), Delete: true}}, nil
}

// SetPolicies changes the policies of a user's future tokens.
type SetPolicies struct {
	Mount    auth.Mount
	Name     string
	Policies []string
}

// Need of the act.
func (a SetPolicies) Need() record.Need {
	return record.Need{Action: "userpass.user.policies", Resource: resource(a.Mount, a.Name, "policies"), Capability: policy.Update}
}

// Plan stores the policies.
func (a SetPolicies) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.None, []record.Change, error) {
	u, r, err := load(ctx, v, a.Mount, a.Name)
	if err != nil {
		return auth.None{}, nil, err
	}
	u.Token.Policies = a.Policies
	if err := u.Token.Check(); err != nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{r.Put(record.Encode(u))}, nil
}

// ReadUser answers the terms of a user's tokens.
type ReadUser struct {
	Mount auth.Mount
	Name  string
}

// Need of the act.
func (a ReadUser) Need() record.Need {
	return record.Need{Action: "userpass.user.read", Resource: resource(a.Mount, a.Name, ""), Capability: policy.Read}
}

// Plan reads the user; the hash stays behind.
func (a ReadUser) Plan(ctx context.Context, _ auth.Caller, v record.View) (auth.TokenTerms, []record.Change, error) {
	u, _, err := load(ctx, v, a.Mount, a.Name)
	if err != nil {
		return auth.TokenTerms{}, nil, err
	}
	return u.Token, nil, nil
}

// DeleteUser removes a user. Tokens already given live on until they end; they are not renewed.
type DeleteUser struct {
	Mount auth.Mount
	Name  string
}

// Need of the act.
func (a DeleteUser) Need() record.Need {
	return record.Need{Action: "userpass.user.delete", Resource: resource(a.Mount, a.Name, ""), Capability: policy.Delete}
}

// Plan removes the user, if there is one.
func (a DeleteUser) Plan(_ context.Context, _ auth.Caller, _ record.View) (auth.None, []record.Change, error) {
	if err := auth.CheckName("username", a.Name); err != nil {
		return auth.None{}, nil, err
	}
	name := canonical(a.Name)
	return auth.None{}, []record.Change{{Key: userKey(a.Mount, name), Delete: true}, {Key: failuresKey(a.Mount, name), Delete: true}}, nil
}

// ListUsers answers the names of the users.
type ListUsers struct {
	Mount auth.Mount
	After string
	Limit int
}

// Need of the act.
func (a ListUsers) Need() record.Need {
	return record.Need{Action: "userpass.user.list", Resource: a.Mount.Resource("users/"), Capability: policy.List}
}

// Plan lists the names.
func (a ListUsers) Plan(ctx context.Context, _ auth.Caller, v record.View) ([]string, []record.Change, error) {
	names, err := auth.Names(ctx, v, userKey(a.Mount, ""), a.After, a.Limit)
	return names, nil, err
}

// Unlock forgets the failed sign-ins of a user: sys/locked-users/ACCESSOR/unlock/NAME.
type Unlock struct {
	Mount auth.Mount
	Name  string
}

// Need of the act.
func (a Unlock) Need() record.Need {
	return record.Need{Action: "userpass.unlock", Resource: "sys/locked-users/" + a.Mount.Accessor + "/unlock/" + a.Name, Capability: policy.Update}
}

// Plan removes the record of failures, if there is one.
func (a Unlock) Plan(_ context.Context, _ auth.Caller, _ record.View) (auth.None, []record.Change, error) {
	if err := auth.CheckName("username", a.Name); err != nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{{Key: failuresKey(a.Mount, canonical(a.Name)), Delete: true}}, nil
}
