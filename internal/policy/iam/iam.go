// Package iam reads the policy documents of AWS IAM that stand on a secret, as far as they can be enforced here, and refuses the rest
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
package iam

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/wire"
)

// MaxText bounds a document, as the vendor does.
const MaxText = 20480

// maxDepth bounds its nesting: a document, its statements, a principal, a list.
const maxDepth = 8

// Statement is one statement of a document that can be enforced. Principals are as they were written: ARNs of users and roles, "account:ID", or "*".
type Statement struct {
	Deny       bool
	Principals []string
	Verbs      []policy.Verb
}

// Public reports whether the statement lets everybody in.
func (s Statement) Public() bool { return !s.Deny && slices.Contains(s.Principals, policy.Everyone) }

// UnenforceableError is a document that is understood and cannot be enforced. Nothing of it may be stored.
type UnenforceableError struct{ Why string }

func (e *UnenforceableError) Error() string { return e.Why }

func cannot(format string, args ...any) error {
	return &UnenforceableError{fmt.Sprintf(format, args...)}
}

// ErrSyntax says that a text is no policy document at all.
var ErrSyntax = errors.New("This policy contains invalid Json") //nolint:staticcheck // the vendor's words, which its clients show

// Parse reads a document that stands on the secret with that ARN ("": on whichever its resources name), in that account.
func Parse(text, arn, account string) ([]Statement, error) {
	doc, err := wire.Object([]byte(text), maxDepth)
	if err != nil || len(text) > MaxText {
		return nil, ErrSyntax
	}
	for name, raw := range doc {
		switch name {
		case "Version":
			if v := string(raw); v != `"2012-10-17"` && v != `"2008-10-17"` {
				return nil, cannot("The policy must contain a valid version string")
			}
		case "Id":
			if _, err := one(raw); err != nil {
				return nil, ErrSyntax
			}
		case "Statement":
		default:
			return nil, cannot("Unsupported element: %s", clip(name))
		}
	}
	list, err := objects(doc["Statement"])
	if err != nil {
		return nil, err
	}
	var out []Statement
	sids := map[string]bool{}
	for i, st := range list {
		if sid, ok := st["Sid"]; ok {
			s, err := one(sid)
			if err != nil || sids[s] {
				return nil, cannot("Statement IDs (SID) in a single policy must be unique texts.")
			}
			sids[s] = s != ""
		}
		s, err := parseStatement(st, arn, account)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		out = append(out, s)
	}
	return out, check(out)
}

// objects reads a statement, or a list of them.
func objects(raw json.RawMessage) ([]map[string]json.RawMessage, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	if len(list) == 0 {
		return nil, cannot("Missing required field Statement")
	}
	out := make([]map[string]json.RawMessage, len(list))
	for i, item := range list {
		var err error
		if out[i], err = wire.Object(item, maxDepth); err != nil {
			return nil, ErrSyntax
		}
	}
	return out, nil
}

func parseStatement(st map[string]json.RawMessage, arn, account string) (s Statement, err error) {
	for _, needed := range []string{"Effect", "Principal", "Action", "Resource"} {
		if _, ok := st[needed]; !ok && st["Not"+needed] == nil {
			return s, cannot("Missing required field %s", needed)
		}
	}
	for name, raw := range st {
		switch name {
		case "Sid":
		case "Effect":
			effect, err := one(raw)
			if err != nil || effect != "Allow" && effect != "Deny" {
				return s, cannot("Invalid effect")
			}
			s.Deny = effect == "Deny"
		case "Principal":
			if s.Principals, err = principals(raw, account); err != nil {
				return s, err
			}
		case "Action":
			if s.Verbs, err = actions(raw); err != nil {
				return s, err
			}
		case "Resource":
			if err := resource(raw, arn); err != nil {
				return s, err
			}
		case "NotPrincipal", "NotAction", "NotResource", "Condition":
			return s, cannot("%s cannot be enforced here", name)
		default:
			return s, cannot("Unsupported element: %s", clip(name))
		}
	}
	return s, nil
}

// principals reads "*" or {"AWS": …}. An account that is allowed leaves it to its identities' own policies, which decide anyway.
func principals(raw json.RawMessage, account string) ([]string, error) {
	if s, err := one(raw); err == nil {
		if s != policy.Everyone {
			return nil, cannot("Invalid principal in policy")
		}
		return []string{s}, nil
	}
	kinds, err := wire.Object(raw, maxDepth)
	if err != nil {
		return nil, ErrSyntax
	}
	for kind := range kinds {
		if kind != "AWS" {
			return nil, cannot("Principals of kind %s cannot be enforced here", clip(kind))
		}
	}
	list, err := texts(kinds["AWS"])
	if err != nil {
		return nil, err
	}
	for i, p := range list {
		if list[i], err = principal(p, account); err != nil {
			return nil, err
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func principal(p, account string) (string, error) {
	if p == policy.Everyone {
		return p, nil
	}
	if p == account {
		return "account:" + account, nil
	}
	rest, ok := strings.CutPrefix(p, "arn:aws:iam::"+account+":")
	kind, name, named := strings.Cut(rest, "/")
	switch {
	case ok && rest == "root":
		return "account:" + account, nil
	case ok && named && (kind == "user" || kind == "role") && name != "" && !strings.ContainsAny(name, "*?"):
		return p, nil
	case strings.HasPrefix(p, "arn:aws:sts::"):
		return "", cannot("The sessions of a role cannot be told apart here; name the role")
	}
	return "", cannot("Invalid principal in policy: %s: only users and roles of account %s can be named here", clip(p), account)
}

// actions reads names and patterns of names. A pattern means those that can be done to a secret.
func actions(raw json.RawMessage) ([]policy.Verb, error) {
	list, err := texts(raw)
	if err != nil {
		return nil, err
	}
	var out []policy.Verb
	for _, a := range list {
		if !strings.ContainsAny(a, "*?") {
			v, ok := policy.ParseWord(a)
			if !ok || !v.OnSecret() || !strings.HasPrefix(string(v), service) {
				return nil, cannot("The action %s is none that can be done to a secret", clip(a))
			}
			out = append(out, v)
			continue
		}
		before := len(out)
		for _, v := range policy.Words(service) {
			if v.OnSecret() && Like(strings.ToLower(a), strings.ToLower(string(v))) {
				out = append(out, v)
			}
		}
		if len(out) == before {
			return nil, cannot("The action %s matches none that can be done to a secret", clip(a))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

const service = "secretsmanager:"

// resource takes only patterns that mean the secret which the document stands on.
func resource(raw json.RawMessage, arn string) error {
	list, err := texts(raw)
	if err != nil {
		return err
	}
	for _, r := range list {
		if arn != "" && !Like(r, arn) {
			return cannot("The resource %s is not the secret that the policy is attached to", clip(r))
		}
	}
	return nil
}

// check refuses documents that would do more than they say.
func check(all []Statement) error {
	type key struct {
		deny bool
		who  string
	}
	says := map[key][]policy.Verb{}
	for _, s := range all {
		for _, p := range s.Principals {
			k := key{s.Deny, p}
			says[k] = append(says[k], s.Verbs...)
		}
	}
	for k, verbs := range says {
		more := policy.Also(verbs, k.deny)
		if len(more) == 0 {
			continue
		}
		names := make([]string, len(more))
		for i, v := range more {
			names[i] = string(v)
		}
		does := "allows"
		if k.deny {
			does = "denies"
		}
		return cannot("This policy also %s %s, which cannot be told apart here; name them too", does, strings.Join(names, ", "))
	}
	return nil
}

// Like matches a pattern of IAM's, in which "*" is any text and "?" one character.
func Like(pattern, s string) bool {
	p, err := policy.ParseGlob(pattern)
	return err == nil && p.Matches(s)
}

func one(raw json.RawMessage) (string, error) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", ErrSyntax
	}
	return *s, nil
}

// texts reads a text, or a list of some.
func texts(raw json.RawMessage) ([]string, error) {
	if s, err := one(raw); err == nil {
		return []string{s}, nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || slices.Contains(list, nil) {
		return nil, ErrSyntax
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = *s
	}
	return out, nil
}

func clip(s string) string { return s[:min(len(s), 256)] }
