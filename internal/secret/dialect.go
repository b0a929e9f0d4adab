package secret

import (
	"fmt"
	"strings"
)

// Dialect is a wire language of the house. The home dialect of a Space is fixed when the Space is made; it decides
// how names become Paths and which version is the latest on that Space's own face.
type Dialect uint8

const (
	Vault Dialect = iota // HashiCorp Vault and OpenBao, and the native API
	AWS                  // AWS Secrets Manager
	GCP                  // Google Cloud Secret Manager
	Azure                // Azure Key Vault
)

var dialectNames = [...]string{"vault", "aws", "gcp", "azure"}

func (d Dialect) String() string {
	if int(d) < len(dialectNames) {
		return dialectNames[d]
	}
	return fmt.Sprintf("dialect(%d)", uint8(d))
}

// ParseDialect reads the name that String prints.
func ParseDialect(s string) (Dialect, error) {
	for i, name := range dialectNames {
		if s == name {
			return Dialect(i), nil
		}
	}
	return 0, fmt.Errorf("%w: unknown dialect %q (one of %s)", ErrInvalid, s, strings.Join(dialectNames[:], ", "))
}

// escape marks a segment that the Path grammar has no room for. It is outside the name alphabets of the three
// clouds, so an escaped name cannot be mistaken for a written one.
const escape = "~"

// EscapeName turns a secret's name, as a client of dialect d wrote it, into its Path. It is reversible by
// UnescapeName for every name that the vendor accepts:
//
//	vault  the name is the Path
//	aws    letters, digits and /_+=.@!- ; an empty segment becomes "~", "." becomes "~." and ".." becomes "~.."
//	       (a name may begin or end with '/' or hold '//'; CreateSecret, AWS Secrets Manager API Reference)
//	gcp    letters, digits, '_' and '-', at most 255
//	azure  letters, digits and '-', at most 127, folded to lower case; the spelling is kept in the Head
func EscapeName(d Dialect, name string) (Path, error) {
	switch d {
	case Vault:
		return ParsePath(name)
	case AWS:
		if name == "" || len(name) > 512 || !only(name, "/_+=.@!-") {
			return Path{}, fmt.Errorf("%w: secret name must be 1 to 512 letters, digits or /_+=.@!-", ErrInvalid)
		}
		return escapeSegments(name)
	case GCP:
		if name == "" || len(name) > 255 || !only(name, "_-") {
			return Path{}, fmt.Errorf("%w: secret id must be 1 to 255 letters, digits, '_' or '-'", ErrInvalid)
		}
		return Path{name}, nil
	case Azure:
		if name == "" || len(name) > 127 || !only(name, "-") {
			return Path{}, fmt.Errorf("%w: secret name must be 1 to 127 letters, digits or '-'", ErrInvalid)
		}
		return Path{strings.ToLower(name)}, nil
	}
	return Path{}, fmt.Errorf("%w: %s", ErrInvalid, d)
}

// UnescapeName is the inverse of EscapeName (for Azure, of its folded form).
func UnescapeName(d Dialect, p Path) (string, error) {
	if d != AWS {
		return p.s, nil
	}
	segments := strings.Split(p.s, "/")
	for i, s := range segments {
		switch s {
		case escape, escape + ".", escape + "..":
			segments[i] = s[len(escape):]
		default:
			if strings.Contains(s, escape) {
				return "", fmt.Errorf("%w: %q is no escaped %s name", ErrInvalid, p.s, d)
			}
		}
	}
	return strings.Join(segments, "/"), nil
}

func escapeSegments(name string) (Path, error) {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if s == "" || s == "." || s == ".." {
			segments[i] = escape + s
		}
	}
	return ParsePath(strings.Join(segments, "/"))
}

// Alphanumeric says that s is ASCII letters and digits only.
func Alphanumeric(s string) bool { return only(s, "") }

func only(s, extra string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(extra, c) >= 0) {
			return false
		}
	}
	return true
}
