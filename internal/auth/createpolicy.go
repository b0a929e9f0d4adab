package auth

import (
	"slices"
	"strings"
)

// policies decides which policies the new token has, by the vendor's rules: a role with lists of its own decides alone;
// else a token's policies are a subset of its parent's, unless sudo.
func (m *making) policies() ([]string, error) {
	names, addDefault, err := m.resolve()
	if err != nil {
		return nil, err
	}
	out, err := CanonicalPolicies(names, addDefault)
	if err != nil {
		return nil, err
	}
	if m.NoDefaultPolicy {
		out = slices.DeleteFunc(out, func(s string) bool { return s == defaultPolicy })
	}
	return out, nil
}

func (m *making) resolve() (names []string, addDefault bool, err error) {
	wanted := slices.DeleteFunc(slices.Clone(m.Policies), func(s string) bool { return strings.TrimSpace(s) == "" })
	p := m.parent()
	switch {
	case m.role != nil && m.role.decides():
		names, err := m.byRole(wanted)
		return names, false, err
	case p != nil && p.Namespace != m.ns:
		return wanted, !m.NoDefaultPolicy, nil
	case len(wanted) == 0:
		return m.parentPolicies(), false, nil
	case !m.sudo:
		wanted, err := CanonicalPolicies(wanted, false)
		if err != nil {
			return nil, false, err
		}
		for _, s := range wanted {
			if !slices.Contains(m.parentPolicies(), s) {
				return nil, false, invalid("child policies must be subset of parent")
			}
		}
		return wanted, !m.NoDefaultPolicy && slices.Contains(m.parentPolicies(), defaultPolicy), nil
	}
	return wanted, !m.NoDefaultPolicy, nil
}

// byRole goes by the role's lists of allowed and disallowed policies.
func (m *making) byRole(wanted []string) ([]string, error) {
	r := m.role
	add := !m.NoDefaultPolicy && !r.NoDefaultPolicy && !slices.Contains(r.Disallowed, defaultPolicy) && !globsHave(r.DisallowedGlob, defaultPolicy)
	var final []string
	var err error
	if len(wanted) > 0 {
		if final, err = CanonicalPolicies(wanted, add); err != nil {
			return nil, err
		}
	}
	switch {
	case len(r.Allowed) > 0 || len(r.AllowedGlob) > 0:
		allowed, err := CanonicalPolicies(r.Allowed, add)
		if err != nil {
			return nil, err
		}
		if len(final) == 0 {
			final = allowed
		}
		for _, s := range final {
			if !slices.Contains(allowed, s) && !globsHave(r.AllowedGlob, s) {
				return nil, invalid("token policies (%q) must be subset of the role's allowed policies (%q) or glob policies (%q)", final, allowed, r.AllowedGlob)
			}
		}
	case len(final) == 0:
		if final, err = CanonicalPolicies(m.parentPolicies(), add); err != nil {
			return nil, err
		}
	}
	for _, s := range final {
		if slices.Contains(r.Disallowed, s) || globsHave(r.DisallowedGlob, s) {
			return nil, invalid("token policy %q is disallowed by this role", s)
		}
	}
	return final, nil
}

func globsHave(globs []string, s string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return globMatch(g, s) })
}

// globMatch matches the vendor's globs: '*' stands for any text, anywhere.
func globMatch(glob, s string) bool {
	first, rest, more := strings.Cut(glob, "*")
	if !more {
		return glob == s
	}
	s, ok := strings.CutPrefix(s, first)
	for ok && more {
		var part string
		part, rest, more = strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		var i int
		if i = strings.Index(s, part); i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return ok
}
