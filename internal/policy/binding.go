package policy

import (
	"errors"
	"fmt"
	"slices"
)

// Everyone is the principal that every known caller is.
const Everyone = "*"

// Binding is one statement of a policy that is attached to a resource, whose words are another vendor's: these principals may, or with
// Deny may not, do this there. A principal is an id that callers are known by and that nothing else gets: an identity's uid, an
// account, Everyone.
type Binding struct {
	Principals []string `json:"principals"`
	Deny       bool     `json:"deny,omitempty"`
	Verbs      []Verb   `json:"verbs"`
}

// Place is what a policy is attached to: one secret, or a whole Space.
type Place struct {
	Space string // canonical name
	Path  string // "" is the whole Space
	Flat  bool   // the Space is home to kv v1
}

// AttachedPolicy is what the bindings at a place say of the principals, as rules like all others; nil when they say nothing. The name is what explanations
// and records call it.
func AttachedPolicy(name string, at Place, bindings []Binding, principals []string) (*Policy, error) {
	p := &Policy{Name: name}
	for _, b := range bindings {
		if !slices.ContainsFunc(b.Principals, func(s string) bool { return slices.Contains(principals, s) }) {
			continue
		}
		rules, err := b.rules(name, at)
		if err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, rules...)
	}
	if len(p.Rules) == 0 {
		return nil, nil
	}
	return p, nil
}

// CheckBindings finds what could not be compiled.
func CheckBindings(at Place, bindings []Binding) error {
	for _, b := range bindings {
		if len(b.Principals) == 0 {
			return errors.New("a binding without principals")
		}
		if _, err := b.rules("", at); err != nil {
			return err
		}
	}
	return nil
}

func (b Binding) rules(name string, at Place) ([]Rule, error) {
	g := Grant{Role: name, Verbs: b.Verbs, Space: at.Space, Paths: []string{at.Path}, Flat: at.Flat, Match: MatchExact, Deny: b.Deny}
	if at.Path == "" {
		g.Paths, g.Match = []string{"*"}, MatchPattern
	}
	for _, v := range b.Verbs {
		if _, ok := words[v]; !ok {
			return nil, fmt.Errorf("unknown verb %q", clip(string(v)))
		}
	}
	return g.Rules()
}
