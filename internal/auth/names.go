package auth

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

const (
	rootPolicy    = policy.NameRoot
	defaultPolicy = policy.NameDefault
)

// CanonicalPolicies makes the one form in which a token's policies are kept: each name canonical, sorted, once; root
// alone where it is among them. The policy of wrapping tokens is never given out.
func CanonicalPolicies(names []string, addDefault bool) ([]string, error) {
	out := make([]string, 0, len(names)+1)
	for _, s := range names {
		if strings.TrimSpace(s) == "" {
			continue // the vendor's clients send "" for none
		}
		n, err := policy.NormalizeName(s)
		switch {
		case err != nil:
			return nil, invalid("%v", err)
		case n.IsRoot():
			return []string{rootPolicy}, nil
		case n.Reserved():
			return nil, invalid("cannot assign policy %q", n.String())
		}
		out = append(out, n.String())
	}
	if addDefault {
		out = append(out, defaultPolicy)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// displayName is the vendor's form of a name that is shown and logged: what is not a letter, digit, '.', '_' or '-'
// becomes '-'.
func displayName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !isBase62(c) && c != '.' && c != '_' && c != '-' {
			b[i] = '-'
		}
	}
	return strings.TrimSuffix(string(b), "-")
}

// CheckName accepts the names that roles and users may have: letters, digits, '_', '-' and '.', beginning and ending
// with a letter, digit or '_', at most 255.
func CheckName(what, s string) error {
	edge := func(c byte) bool { return isBase62(c) || c == '_' }
	if s == "" {
		return invalid("missing %s", what)
	}
	ok := len(s) <= 255 && edge(s[0]) && edge(s[len(s)-1])
	for i := 0; ok && i < len(s); i++ {
		ok = edge(s[i]) || s[i] == '-' || s[i] == '.'
	}
	if !ok {
		return invalid("%s must be 1 to 255 letters, digits, '_', '-' or '.', and begin and end with a letter, digit or '_'", what)
	}
	return nil
}

// ParseCIDRs reads address ranges as the vendor does: a bare address stands for itself.
func ParseCIDRs(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			a = a.Unmap()
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, invalid("invalid CIDR block %q", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Allows says whether a lies in one of the ranges; no ranges allow every address, also none at all (a local call).
func Allows(ranges []netip.Prefix, a netip.Addr) bool {
	if len(ranges) == 0 {
		return true
	}
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Narrows says whether every range of inner lies inside one of outer; an empty outer holds everything.
func Narrows(inner, outer []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	for _, p := range inner {
		if !slices.ContainsFunc(outer, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) }) {
			return false
		}
	}
	return true
}

// Pairs sorts a map of metadata into the form that records keep.
func Pairs(m map[string]string) []secret.Pair {
	out := make([]secret.Pair, 0, len(m))
	for k, v := range m {
		out = append(out, secret.Pair{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b secret.Pair) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func pairMap(ps []secret.Pair) map[string]string {
	m := make(map[string]string, len(ps))
	for _, p := range ps {
		m[p.Key] = p.Value
	}
	return m
}
