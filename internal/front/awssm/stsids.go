package awssm

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// uniqueID is the vendor's form of an id that follows from an identity's: four letters that say of what, and sixteen more.
func uniqueID(prefix, uid string) string {
	sum := sha256.Sum256([]byte(prefix + "\x00" + uid))
	return prefix + base32.StdEncoding.EncodeToString(sum[:10])
}

// roleOf takes "arn:aws:iam::ACCOUNT:role/NAME" apart.
func roleOf(arn string) (account, name string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:iam::")
	if !ok || len(arn) > 2048 {
		return "", "", false
	}
	account, name, ok = strings.Cut(rest, ":role/")
	return account, name, ok && secret.IsAccount(account) && auth.CheckName("role", name) == nil
}

// sessionName says whether s may name a role's session: 2 to 64 of \w+=,.@-
func sessionName(s string) bool {
	if len(s) < 2 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(alphanumerics+"_+=,.@-", s[i]) < 0 {
			return false
		}
	}
	return true
}

// accountOf answers to which account an access key belongs; one that nobody knows belongs to none.
type accountOf struct{ space, key string }

func (a accountOf) Need() record.Need {
	return need("sts.access-key", a.space+"/sts/access-key", policy.Read)
}

func (a accountOf) Plan(ctx context.Context, c auth.Caller, v record.View) (string, []record.Change, error) {
	id, _, err := machine.Find(ctx, v, a.key)
	switch {
	case errors.Is(err, secret.ErrDenied), err == nil && id.Namespace != c.From().Namespace:
		return "", nil, validation("Invalid access key id.")
	case err != nil:
		return "", nil, err
	}
	return id.Home, nil, nil
}
