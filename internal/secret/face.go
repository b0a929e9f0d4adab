package secret

import (
	"fmt"
	"strings"
)

// Face is how one dialect names a Space: the account and region that an AWS client signs for, a Google project, an Azure vault, a Vault mount.
// Names are unique per installation and dialect, and belong to exactly one (namespace, Space).
type Face struct {
	Dialect Dialect
	Name    string // "123456789012/eu-west-1", "my-project", "my-vault", "secret"
}

// ParseFace reads "aws:ACCOUNT/REGION", "gcp:PROJECT", "azure:VAULT" or "vault:MOUNT".
func ParseFace(s string) (Face, error) {
	word, name, ok := strings.Cut(s, ":")
	d, err := ParseDialect(word)
	if !ok || err != nil {
		return Face{}, fmt.Errorf("%w: %q is none of aws:ACCOUNT/REGION, gcp:PROJECT, azure:VAULT, vault:MOUNT", ErrInvalid, s)
	}
	f := Face{d, name}
	return f, f.check()
}

// FaceOf is the face that a Space's own canonical name implies: "aws/ACCOUNT/REGION" is Face{AWS, "ACCOUNT/REGION"}. An error says that no Space of
// that home may be called so; false that the home is the Vault dialect, where any name is a mount's.
func FaceOf(home Dialect, name string) (f Face, ok bool, err error) {
	if home == Vault {
		return Face{}, false, nil
	}
	rest, ok := strings.CutPrefix(name, home.String()+"/")
	if !ok {
		return Face{}, false, fmt.Errorf("%w: a Space whose home is %s is called %s", ErrInvalid, home, canonicalForm[home])
	}
	f = Face{home, rest}
	return f, true, f.check()
}

var canonicalForm = [...]string{"any mount", "aws/ACCOUNT/REGION", "gcp/PROJECT", "azure/VAULT"}

// String is the form that ParseFace reads.
func (f Face) String() string { return f.Dialect.String() + ":" + f.Name }

func (f Face) check() error {
	ok := false
	switch f.Dialect {
	case Vault:
		_, err := ParsePath(f.Name)
		return err
	case AWS:
		account, region, _ := strings.Cut(f.Name, "/")
		ok = IsAccount(account) && isRegion(region)
	case GCP: // project ids, with the domain prefix of old ones, and project numbers
		ok = f.Name != "" && len(f.Name) <= 63 && lower(f.Name, "-.:")
	case Azure:
		ok = f.Name != "" && len(f.Name) <= 63 && lower(f.Name, "-") && f.Name[0] != '-' && f.Name[len(f.Name)-1] != '-'
	}
	if !ok {
		return fmt.Errorf("%w: %q is no %s name of a Space (%s)", ErrInvalid, f.Name, f.Dialect, canonicalForm[f.Dialect])
	}
	return nil
}

// IsAccount says that s is the id of an AWS account: twelve digits.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isRegion(s string) bool {
	return s != "" && len(s) <= 32 && lower(s, "-") && s[0] != '-' && s[len(s)-1] != '-'
}

func lower(s, extra string) bool { return only(s, extra) && s == strings.ToLower(s) }

// NameOn is the name that clients of a dialect use for p; ok is false when that dialect has no name for it, so that neither a write may make it
// where the dialect is bound, nor a list of that dialect can show it.
func NameOn(d Dialect, p Path) (name string, ok bool) {
	name, err := UnescapeName(d, p)
	if err != nil {
		return "", false
	}
	back, err := EscapeName(d, name)
	return name, err == nil && back == p
}
