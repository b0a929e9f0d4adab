package provider

import (
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

func canonical(raw []byte) ([]byte, error) { return wire.Canonical(raw) }

// Address names a store elsewhere and a part of it:
//
//	aws://ACCOUNT/REGION/prefix    gcp://PROJECT/prefix    azure://VAULT/prefix    vault://HOST/MOUNT/path
//
// An Azure vault is its short name, or its whole host where it is not in the public cloud. A Vault's mount may have several
// segments; only the server knows how many, so Prefix holds the mount until the store is open.
type Address struct {
	Dialect secret.Dialect
	Store   string // "ACCOUNT/REGION", "PROJECT", "VAULT" or "HOST"; once it is open, a Vault's is "HOST/MOUNT"
	Prefix  string
}

// IsAddress says that s is meant as one.
func IsAddress(s string) bool { return strings.Contains(s, "://") }

// ParseAddress reads an address.
func ParseAddress(s string) (Address, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	d, err := secret.ParseDialect(scheme)
	if err != nil {
		return Address{}, fmt.Errorf("%w: %q is none of aws://ACCOUNT/REGION/…, gcp://PROJECT/…, azure://VAULT/…, vault://HOST/MOUNT/…", secret.ErrInvalid, s)
	}
	a := Address{Dialect: d}
	a.Store, a.Prefix, _ = strings.Cut(rest, "/")
	switch {
	case strings.ContainsAny(s, "?#@ \t\r\n") && d != secret.AWS || strings.ContainsAny(a.Store, "@?#"):
		return Address{}, fmt.Errorf("%w: the address of a store holds no credentials and no parameters", secret.ErrInvalid) // and what it holds is not repeated
	case d == secret.AWS:
		var region string
		region, a.Prefix, _ = strings.Cut(a.Prefix, "/")
		a.Store += "/" + region
		_, err = secret.ParseFace("aws:" + a.Store)
	case d == secret.GCP:
		_, err = secret.ParseFace("gcp:" + a.Store)
	case d == secret.Azure && !strings.Contains(a.Store, "."):
		_, err = secret.ParseFace("azure:" + a.Store)
	case d == secret.Vault && (a.Store == "" || a.Prefix == ""):
		err = fmt.Errorf("%w: %q is not vault://HOST/MOUNT or vault://HOST/MOUNT/path", secret.ErrInvalid, s)
	}
	if err != nil {
		return Address{}, fmt.Errorf("%q: %w", s, err)
	}
	return a, nil
}

func (a Address) String() string { return a.Dialect.String() + "://" + a.Store + "/" + a.Prefix }

// slashes says whether names there have folders.
func (a Address) slashes() bool { return a.Dialect == secret.AWS || a.Dialect == secret.Vault }

// Folder is a with a prefix that ends where a name's first part ends: in stores whose names have folders, with '/'.
func (a Address) Folder() Address {
	if a.slashes() && a.Prefix != "" && !strings.HasSuffix(a.Prefix, "/") {
		a.Prefix += "/"
	}
	return a
}

// Many says that a stands for all secrets whose names begin so, and not for the one of that name.
func (a Address) Many() bool {
	return a.Prefix == "" || strings.ContainsAny(a.Prefix[len(a.Prefix)-1:], "/-_.")
}

// Space is what a Space is called that stands for this store: one in which its secrets keep their names, and for AWS their
// ARNs and versions.
func (a Address) Space() string {
	switch a.Dialect {
	case secret.Vault:
		_, mount, _ := strings.Cut(a.Store, "/")
		return mount
	case secret.Azure:
		vault, _, _ := strings.Cut(a.Store, ".")
		return "azure/" + vault
	}
	return a.Dialect.String() + "/" + a.Store
}

// Path is where a secret of that name lies below a folder of a Space. The prefix of the address is taken away unless whole is
// set.
func (a Address) Path(name string, folder secret.Path, whole bool) (secret.Path, error) {
	rest := name
	if !whole {
		rest = strings.TrimPrefix(name, a.Prefix)
	}
	p, err := secret.EscapeName(a.Dialect, rest)
	if err != nil {
		return p, err
	}
	return folder.Join(p)
}

// Name is Path's inverse. A path that this store has no name for is ErrInvalid; no other name is made up for it.
func (a Address) Name(path, folder secret.Path, whole bool) (string, error) {
	rest := path
	if !folder.IsRoot() {
		below, ok := strings.CutPrefix(path.String(), folder.String()+"/")
		if !ok {
			return "", fmt.Errorf("%w: %s is not below %s", secret.ErrInvalid, path, folder)
		}
		var err error
		if rest, err = secret.ParsePath(below); err != nil {
			return "", err
		}
	}
	name, ok := secret.NameOn(a.Dialect, rest)
	if ok && !whole {
		name = a.Prefix + name
		_, err := secret.EscapeName(a.Dialect, name)
		ok = err == nil
	}
	if !ok {
		return "", fmt.Errorf("%w: %s has no name for it (%s)", secret.ErrInvalid, a.Dialect, alphabets[a.Dialect])
	}
	return name, nil
}

var alphabets = [...]string{
	"a path of Vault's", "letters, digits and /_+=.@!-, at most 512", "letters, digits, '_' and '-', at most 255", "lower-case letters, digits and '-', at most 127",
}
