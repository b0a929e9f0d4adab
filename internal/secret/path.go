package secret

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits that hold on every engine and in every dialect.
const (
	MaxValue = 512 << 10 // bytes of one value
	MaxPath  = 1 << 10   // bytes of one path
	MaxDepth = 64        // segments of one path
)

// Path names a secret inside its Space: segments joined by '/', none of them empty, "." or "..". It comes only
// from ParsePath and EscapeName, so whoever holds one need not check it again. The zero Path is the Space's root.
type Path struct{ s string }

// ParsePath checks s and returns it as a Path. Nothing is normalised: a path that is not already canonical is
// refused, because two spellings of one secret are how a deny is slipped past.
func ParsePath(s string) (Path, error) {
	if err := checkPath(s); err != nil {
		return Path{}, err
	}
	return Path{s}, nil
}

// ParsePrefix is ParsePath for a folder: the empty string is the root, and one trailing '/' is accepted.
func ParsePrefix(s string) (Path, error) {
	if s == "" || s == "/" {
		return Path{}, nil
	}
	return ParsePath(strings.TrimSuffix(s, "/"))
}

func checkPath(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: empty path", ErrInvalid)
	case len(s) > MaxPath:
		return fmt.Errorf("%w: path of %d bytes is longer than %d", ErrInvalid, len(s), MaxPath)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: path is not valid UTF-8", ErrInvalid)
	}
	for i, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("%w: control character at byte %d of the path", ErrInvalid, i)
		}
	}
	depth := 0
	for rest, more := s, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		switch segment {
		case "":
			return fmt.Errorf("%w: empty segment (leading, trailing or double '/') in path %q", ErrInvalid, s)
		case ".", "..":
			return fmt.Errorf("%w: segment %q in path %q", ErrInvalid, segment, s)
		}
		if depth++; depth > MaxDepth {
			return fmt.Errorf("%w: path has more than %d segments", ErrInvalid, MaxDepth)
		}
	}
	return nil
}

func (p Path) String() string { return p.s }

// IsRoot says that p is the Space itself.
func (p Path) IsRoot() bool { return p.s == "" }

// Join appends one checked path below p.
func (p Path) Join(q Path) (Path, error) {
	switch {
	case p.IsRoot():
		return q, nil
	case q.IsRoot():
		return p, nil
	}
	return ParsePath(p.s + "/" + q.s)
}

// Has says whether q is p itself or lies below it.
func (p Path) Has(q Path) bool {
	return p.IsRoot() || q.s == p.s || strings.HasPrefix(q.s, p.s) && q.s[len(p.s)] == '/'
}
