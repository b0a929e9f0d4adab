package userpass

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Login is a sign-in by name and password.
type Login struct {
	Mount    auth.Mount
	User     string
	Password auth.Proof
	Hasher   *Hasher
	Lockout  Lockout
}

var _ auth.Method = Login{}

// ErrLocked is wrapped, beside secret.ErrSignIn, by the refusal of a user who is locked out. The text is that of every
// refusal; only the audit record may tell the difference.
var ErrLocked = fmt.Errorf("%w: locked out", secret.ErrSignIn)

const refusalText = "invalid username or password"

var (
	errSignIn = auth.Tell(secret.ErrSignIn, refusalText)
	errLocked = auth.Tell(ErrLocked, refusalText)
)

// SignIn checks the password. Known or unknown, right or wrong, locked out or not: it reads two records and derives one
// key; a refusal changes one record.
func (l Login) SignIn(ctx context.Context, v record.View, _ auth.From) (auth.SignIn, []record.Change, error) {
	password := l.Password.Bytes()
	switch {
	case len(password) == 0:
		return auth.SignIn{}, nil, invalid("missing password")
	case len(password) > maxPassword:
		return auth.SignIn{}, nil, invalid("password is longer than maximum of %d bytes", maxPassword)
	}
	name := canonical(l.User)
	if auth.CheckName("username", l.User) != nil {
		name = "-" // no user is called so
	}
	rs, err := v.Get(ctx, userKey(l.Mount, name), failuresKey(l.Mount, name))
	if err != nil {
		return auth.SignIn{}, nil, err
	}
	user, failed := User{Hash: l.Hasher.decoy}, failures{}
	if err := decode(rs[0], &user); err != nil {
		return auth.SignIn{}, nil, err
	}
	if err := decode(rs[1], &failed); err != nil {
		return auth.SignIn{}, nil, err
	}
	ok, err := l.Hasher.Matches(ctx, user.Hash, password)
	if err != nil {
		return auth.SignIn{}, nil, err
	}
	now, lockout := v.Now(), l.Lockout.filled()
	switch {
	case !rs[0].Found():
		return auth.SignIn{}, []record.Change{{Key: strangerKey(v, l.Mount, l.User), Value: record.Encode(failures{1, now.UTC()})}}, errSignIn
	case lockout.locked(failed, now):
		return auth.SignIn{}, []record.Change{rs[1].Put(record.Encode(failed))}, errLocked
	case !ok:
		return auth.SignIn{}, []record.Change{rs[1].Put(record.Encode(lockout.after(failed, now)))}, errSignIn
	}
	changes, err := l.welcome(ctx, rs, user)
	meta := []secret.Pair{{Key: "username", Value: name}}
	return auth.SignIn{
		Mount: l.Mount, Method: Method, Path: "login/" + name, Role: name, Display: name, Meta: meta,
		Alias: auth.AliasName{Name: name}, Token: user.Token,
	}, changes, err
}

// welcome forgets the failures, and hashes anew what was hashed elsewhere: from then on the user's sign-in takes as long
// as everybody's.
func (l Login) welcome(ctx context.Context, rs []record.Record, user User) ([]record.Change, error) {
	var changes []record.Change
	if rs[1].Found() {
		changes = append(changes, rs[1].Remove())
	}
	if isBcrypt(user.Hash) {
		hash, err := l.Hasher.Hash(ctx, l.Password.Bytes())
		if err != nil {
			return nil, err
		}
		user.Hash = hash
		changes = append(changes, rs[0].Put(record.Encode(&user)))
	}
	return changes, nil
}
