package policy

import (
	"errors"
	"fmt"
	"strings"
)

// Name is a policy's name in its one canonical form. It comes only from [NormalizeName].
type Name struct{ text string }

// The reserved names.
const (
	NameRoot     = "root"              // never stored, changed or removed; carried by root tokens
	NameDefault  = "default"           // may be changed, not removed
	NameWrapping = "response-wrapping" // carried by wrapping tokens; never given out
)

const maxName = 128

// NormalizeName makes the one canonical form of a policy's name: surrounding space dropped, lower case. Whether a name is reserved is asked of the
// result only, so that " Root" cannot pass as something else. What could be mistaken for another name, or for a path, is refused: only ASCII is
// taken, because some other letters turn into ASCII ones in lower case.
func NormalizeName(s string) (Name, error) {
	s = strings.Trim(s, " \t\r\n")
	switch {
	case s == "":
		return Name{}, errors.New("policy name is empty")
	case len(s) > maxName:
		return Name{}, fmt.Errorf("policy name of %d bytes: at most %d are allowed", len(s), maxName)
	case s == "." || s == "..":
		return Name{}, fmt.Errorf("policy name %q is a path", s)
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-@:+", c) >= 0:
		default:
			return Name{}, fmt.Errorf("policy name %q: use letters a to z, digits and . _ - @ : + only", clip(s))
		}
	}
	return Name{string(b)}, nil
}

// String is the canonical text.
func (n Name) String() string { return n.text }

// IsRoot reports whether the name is the root policy's.
func (n Name) IsRoot() bool { return n.text == NameRoot }

// Reserved reports whether users may not write or remove a policy of this name, nor hand it out: root and response-wrapping. The default policy may be
// written, but not removed.
func (n Name) Reserved() bool { return n.text == NameRoot || n.text == NameWrapping }
