package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Verb is what a friendly grant gives, in words of people rather than of the wire.
type Verb string

// The verbs. Each gives what its name says and nothing more, except that VerbAdmin gives all of them and the Space's settings. VerbDeny is an
// absolute deny: no other grant or policy reaches past it.
const (
	VerbRead    Verb = "read"    // values, and what is known about them
	VerbWrite   Verb = "write"   // new versions
	VerbList    Verb = "list"    // names
	VerbDelete  Verb = "delete"  // take away and bring back
	VerbDestroy Verb = "destroy" // for good
	VerbManage  Verb = "manage"  // labels, settings and descriptions of secrets
	VerbRotate  Verb = "rotate"  // rotation and its schedule
	VerbAdmin   Verb = "admin"
	VerbDeny    Verb = "deny"
)

// Grant gives a role verbs on some paths of a Space. Its JSON is stable: equal grants have equal bytes.
type Grant struct {
	Role  string   `json:"role"`
	Verbs []Verb   `json:"verbs"`           // sorted, each once; of one vendor's words, or of ours
	Space string   `json:"space"`           // canonical name; "+" stands for one segment of it
	Paths []string `json:"paths"`           // sorted; as in policies, a "*" at the end and "+" for a segment
	Flat  bool     `json:"flat,omitempty"`  // the Space is home to kv v1
	Match Matching `json:"match,omitempty"` // how Paths are read
	Deny  bool     `json:"deny,omitempty"`  // the verbs are kept away, whatever else gives them
	As    string   `json:"as,omitempty"`    // how a vendor's words name where, to be shown again
}

// Matching says how the paths of a grant are read.
type Matching string

// The ways. A glob has "*" for any text and "?" for one byte, anywhere.
const (
	MatchPattern Matching = ""
	MatchExact   Matching = "exact"
	MatchGlob    Matching = "glob"
)

// maxPaths bounds what a grant may unfold to.
const maxPaths = 256

// giving is what one verb gives on one kind of resource below a Space.
type giving struct {
	word  string // the segment after the Space
	caps  Capability
	whole bool // on the word itself, and no path below it
}

func givings(v Verb) []giving {
	switch v {
	case VerbRead:
		return []giving{{word: "data", caps: Read}, {word: "subkeys", caps: Read}, {word: "metadata", caps: Read}}
	case VerbWrite:
		return []giving{{word: "data", caps: Create | Update | Patch}}
	case VerbList:
		return []giving{{word: "metadata", caps: List | Scan | Subscribe}}
	case VerbDelete:
		return []giving{{word: "data", caps: Delete}, {word: "delete", caps: Update}, {word: "undelete", caps: Update}}
	case VerbDestroy:
		return []giving{{word: "destroy", caps: Update}, {word: "metadata", caps: Delete}}
	case VerbManage:
		return []giving{{word: "metadata", caps: Create | Update | Patch}}
	case VerbRotate:
		return []giving{{word: "rotate", caps: Update | Delete}}
	case VerbAdmin:
		all := []giving{{word: "backup", caps: Read}, {word: "restore", caps: Update}, {word: "replicate", caps: Update | Delete}, {word: "policy", caps: Read}}
		for _, v := range []Verb{VerbRead, VerbWrite, VerbList, VerbDelete, VerbDestroy, VerbManage, VerbRotate} {
			all = append(all, givings(v)...)
		}
		return all
	case VerbDeny:
		var all []giving
		for _, g := range givings(VerbAdmin) {
			all = append(all, giving{word: g.word, caps: Every})
		}
		return all
	}
	return wordGivings(v)
}

// NewGrant checks and normalises a grant: the role's name, the verbs (commas or spaces between them are allowed), and a path in which {A,B} stands for
// several. An empty path means everything in the Space.
func NewGrant(role string, verbs []string, space, path string, flat bool) (Grant, error) {
	name, err := NormalizeName(role)
	if err != nil {
		return Grant{}, fmt.Errorf("role: %w", err)
	}
	if name.Reserved() {
		return Grant{}, fmt.Errorf("role: the name %q is reserved", name)
	}
	g := Grant{Role: name.String(), Space: strings.Trim(space, "/"), Flat: flat}
	for _, v := range strings.FieldsFunc(strings.Join(verbs, ","), func(r rune) bool { return r == ',' || r == ' ' }) {
		word, ok := ParseWord(v)
		if !ok {
			word = Verb(strings.ToLower(v))
		}
		g.Verbs = append(g.Verbs, word)
	}
	slices.Sort(g.Verbs)
	g.Verbs = slices.Compact(g.Verbs)
	if path == "" {
		path = "*"
	}
	if g.Paths, err = expandBraces(path); err != nil {
		return Grant{}, err
	}
	slices.Sort(g.Paths)
	g.Paths = slices.Compact(g.Paths)
	if _, err := g.Rules(); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// SplitGrant finds the Space that a pattern such as 'shop/prod/{A,B}' begins with, among the Spaces there are, the longest first. In the pattern a segment
// "+" agrees with any segment of a Space's name and stays as it is.
func SplitGrant(pattern string, spaces []string) (space, path string, err error) {
	parts := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	longest := 0
	for _, s := range spaces {
		names := strings.Split(strings.Trim(s, "/"), "/")
		if len(names) <= longest || len(names) > len(parts) {
			continue
		}
		if slices.EqualFunc(parts[:len(names)], names, func(p, n string) bool { return p == n || p == "+" }) {
			longest = len(names)
		}
	}
	if longest == 0 {
		return "", "", fmt.Errorf("%q begins with the name of no Space: list them with `keephold list`", clip(pattern))
	}
	return strings.Join(parts[:longest], "/"), strings.Join(parts[longest:], "/"), nil
}

// expandBraces unfolds {A,B}; braces do not nest.
func expandBraces(s string) ([]string, error) {
	if strings.Contains(s, "{{") {
		return []string{s}, nil // a template is not a choice
	}
	head, rest, found := strings.Cut(s, "{")
	if !found {
		if strings.Contains(s, "}") {
			return nil, fmt.Errorf("%q has a } without its {", clip(s))
		}
		return []string{s}, nil
	}
	inner, tail, closed := strings.Cut(rest, "}")
	if !closed || strings.Contains(inner, "{") {
		return nil, fmt.Errorf("%q has a { without its }", clip(s))
	}
	tails, err := expandBraces(tail)
	if err != nil {
		return nil, err
	}
	var out []string
	for choice := range strings.SplitSeq(inner, ",") {
		for _, t := range tails {
			out = append(out, head+strings.TrimSpace(choice)+t)
		}
	}
	if len(out) > maxPaths {
		return nil, fmt.Errorf("%q unfolds to more than %d paths", clip(s), maxPaths)
	}
	return out, nil
}

// String is the grant as one would type it.
func (g Grant) String() string {
	verbs := make([]string, len(g.Verbs))
	for i, v := range g.Verbs {
		verbs[i] = string(v)
	}
	if g.As != "" {
		return fmt.Sprintf("grant %s %s '%s'", g.Role, strings.Join(verbs, ","), g.As)
	}
	path := strings.Join(g.Paths, ",")
	if len(g.Paths) > 1 {
		path = "{" + path + "}"
	}
	return fmt.Sprintf("grant %s %s '%s/%s'", g.Role, strings.Join(verbs, ","), g.Space, path)
}

// Rules is the grant as rules on the resource names below its Space.
func (g Grant) Rules() ([]Rule, error) {
	switch {
	case g.Space == "" || strings.ContainsAny(g.Space, "*{}"):
		return nil, fmt.Errorf("grant: %q is not the name of a Space (\"+\" may stand for one segment of it)", clip(g.Space))
	case len(g.Verbs) == 0 || len(g.Paths) == 0:
		return nil, errors.New("grant: it needs at least one verb and one path")
	case len(g.Paths) > maxPaths:
		return nil, fmt.Errorf("grant: more than %d paths", maxPaths)
	case slices.Contains(g.Verbs, VerbDeny) && len(g.Verbs) > 1:
		return nil, errors.New("grant: deny stands alone")
	}
	var rules []Rule
	for _, v := range g.Verbs {
		gives := givings(v)
		if gives == nil {
			return nil, fmt.Errorf("grant: unknown verb %q: use read, write, list, delete, destroy, manage, rotate, admin or deny, "+
				"or a vendor's: secretsmanager:GetSecretValue, roles/secretmanager.viewer, azure:get", clip(string(v)))
		}
		for _, path := range g.Paths {
			if _, foreign := words[v]; foreign && v.OnSpace() && !g.everything(path) {
				return nil, fmt.Errorf("grant: %s is given on the whole of %s, not on a part of it", v, clip(g.Space))
			}
			for _, one := range gives {
				if one.whole && !g.everything(path) {
					continue // a secret holds no lists
				}
				rule, err := g.rule(v, one, path)
				if err != nil {
					return nil, err
				}
				rules = append(rules, rule)
			}
			if v == VerbAdmin && path == "*" && !g.Flat {
				rule, _ := g.rule(v, giving{word: "config", caps: Read | Update}, "") // the same Space was just parsed
				rules = append(rules, rule)
			}
		}
	}
	return rules, nil
}

// everything reports whether a path is the whole Space.
func (g Grant) everything(path string) bool { return path == "*" && g.Match != MatchExact }

func (g Grant) rule(v Verb, gives giving, path string) (Rule, error) {
	name := g.Space
	if !g.Flat {
		name += "/" + gives.word
	}
	if path != "" && !gives.whole {
		name += "/" + path
	}
	pattern, err := g.Match.parse(name)
	if err != nil {
		return Rule{}, fmt.Errorf("grant: %q: %w", clip(path), err)
	}
	r := Rule{Effect: Additive, Pattern: pattern, Capabilities: gives.caps, Origin: Origin{Policy: g.Role, Text: name}}
	if v == VerbDeny || g.Deny {
		r.Effect = AbsoluteDeny
	}
	return r, nil
}

func (m Matching) parse(name string) (Pattern, error) {
	switch m {
	case MatchExact:
		return Literal(name), checkText(name)
	case MatchGlob:
		return ParseGlob(name)
	case MatchPattern:
		return ParsePattern(name)
	}
	return Pattern{}, fmt.Errorf("unknown way to match: %q", clip(string(m)))
}

// GrantPolicy compiles a role's grants into one policy. Grants add up, as people expect: where two overlap both hold, within a role and among roles.
func GrantPolicy(role Name, grants ...Grant) (*Policy, error) {
	p := &Policy{Name: role.String()}
	for _, g := range grants {
		rules, err := g.Rules()
		if err != nil {
			return nil, err
		}
		p.Rules = append(p.Rules, rules...)
	}
	for i := range p.Rules {
		p.Rules[i].Origin.Policy = p.Name
	}
	text, err := MarshalGrants(grants)
	p.Text = string(text)
	return p, err
}

// MarshalGrants is the stable JSON of a list of grants, in the order of their texts.
func MarshalGrants(grants []Grant) ([]byte, error) {
	sorted := slices.Clone(grants)
	slices.SortFunc(sorted, func(a, b Grant) int { return strings.Compare(a.String(), b.String()) })
	return json.Marshal(sorted)
}

// ParseGrants reads what MarshalGrants wrote, strictly, and checks each grant.
func ParseGrants(data []byte) ([]Grant, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var grants []Grant
	if err := d.Decode(&grants); err != nil {
		return nil, fmt.Errorf("grants: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("grants: there is more after the list")
	}
	for _, g := range grants {
		if _, err := g.Rules(); err != nil {
			return nil, err
		}
	}
	return grants, nil
}
