package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Facts are what the templates of one caller's policies may speak of.
type Facts struct {
	Entity *Entity // nil when the caller has no entity
	Groups []Group // the groups that the entity is in, in the namespace of the policy

	Principals []string // what policies attached to resources may call the caller; no template speaks of them
}

// Entity is the caller's identity as far as templates need it.
type Entity struct {
	ID, Name string
	Metadata map[string]string
	Aliases  map[string]Alias // by the accessor of the sign-in mount
}

// Alias is the name that one sign-in mount knows the entity by.
type Alias struct {
	ID, Name       string
	Metadata       map[string]string
	CustomMetadata map[string]string
}

// Group is a group that the entity is a member of.
type Group struct {
	ID, Name string
	Metadata map[string]string
}

// piece is a part of a template: text, or a selector such as identity.entity.id.
type piece struct {
	text     string
	selector bool
}

var errBraces = errors.New("unbalanced {{ and }} in path")

// splitTemplate takes a path apart and checks that each selector is one that [Facts.value] knows the form of.
func splitTemplate(s string) ([]piece, error) {
	var pieces []piece
	for {
		text, rest, found := strings.Cut(s, "{{")
		if strings.Contains(text, "}}") {
			return nil, errBraces
		}
		if text != "" {
			pieces = append(pieces, piece{text: text})
		}
		if !found {
			return pieces, nil
		}
		inner, after, closed := strings.Cut(rest, "}}")
		if !closed || strings.Contains(inner, "{{") {
			return nil, errBraces
		}
		selector := strings.TrimSpace(inner)
		if !knownSelector(selector) {
			return nil, fmt.Errorf("unknown template {{%s}}: use identity.entity.id, .name, .metadata.KEY, .aliases.ACCESSOR.id|name|metadata.KEY, "+
				"or identity.groups.ids|names.X.id|name|metadata.KEY", clip(selector))
		}
		pieces = append(pieces, piece{text: selector, selector: true})
		s = after
	}
}

func knownSelector(s string) bool {
	if rest, ok := strings.CutPrefix(s, "identity.entity."); ok {
		if rest, ok := strings.CutPrefix(rest, "aliases."); ok {
			accessor, field, _ := strings.Cut(rest, ".")
			return accessor != "" && knownField(field, true)
		}
		return knownField(rest, false)
	}
	if rest, ok := strings.CutPrefix(s, "identity.groups."); ok {
		by, rest, _ := strings.Cut(rest, ".")
		which, field, _ := strings.Cut(rest, ".")
		return (by == "ids" || by == "names") && which != "" && knownField(field, false)
	}
	return false
}

func knownField(s string, custom bool) bool {
	if s == "id" || s == "name" {
		return true
	}
	if custom {
		s = strings.TrimPrefix(s, "custom_")
	}
	key, ok := strings.CutPrefix(s, "metadata.")
	return ok && key != ""
}

// value is what a selector stands for; false when the facts do not hold it.
func (f Facts) value(selector string) (string, bool) {
	if rest, ok := strings.CutPrefix(selector, "identity.entity."); ok {
		if f.Entity == nil {
			return "", false
		}
		if rest, ok := strings.CutPrefix(rest, "aliases."); ok {
			accessor, name, _ := strings.Cut(rest, ".")
			a, ok := f.Entity.Aliases[accessor]
			if key, custom := strings.CutPrefix(name, "custom_metadata."); ok && custom {
				v, ok := a.CustomMetadata[key]
				return v, ok
			}
			v, found := field(name, a.ID, a.Name, a.Metadata)
			return v, ok && found
		}
		return field(rest, f.Entity.ID, f.Entity.Name, f.Entity.Metadata)
	}
	by, rest, _ := strings.Cut(strings.TrimPrefix(selector, "identity.groups."), ".")
	which, name, _ := strings.Cut(rest, ".")
	for _, g := range f.Groups {
		if by == "ids" && g.ID == which || by == "names" && g.Name == which {
			return field(name, g.ID, g.Name, g.Metadata)
		}
	}
	return "", false
}

func field(name, id, title string, metadata map[string]string) (string, bool) {
	switch name {
	case "id":
		return id, true
	case "name":
		return title, true
	}
	v, ok := metadata[strings.TrimPrefix(name, "metadata.")]
	return v, ok
}

// Render fills the templates of p with a caller's facts. A value is a literal and at most part of one segment, never pattern text: a "*" or "+" in it
// stands for itself, and one that is empty, holds a slash or a control character, or makes a segment "." or ".." leaves the rule without anything
// that it matches, like a template whose value is not known. The error is for a rule whose rendered path is too long to be a pattern.
func (p *Policy) Render(facts Facts) (*Policy, error) {
	if !p.Templated() {
		return p, nil
	}
	out := *p
	out.Rules = make([]Rule, 0, len(p.Rules))
	for _, r := range p.Rules {
		if r.Pattern.Templated() {
			if filled, ok := facts.fill(r.Pattern.text); ok {
				pattern, err := filled.parse()
				if err != nil {
					return nil, fmt.Errorf("policy %q line %d: rendered path: %w", p.Name, r.Origin.Line, err)
				}
				r.Pattern = pattern
			}
		}
		out.Rules = append(out.Rules, r)
	}
	return &out, nil
}

// rendering is a rendered path and which of its bytes came from values.
type rendering struct {
	text   strings.Builder
	filled []bool
}

func (f Facts) fill(template string) (*rendering, bool) {
	pieces, _ := splitTemplate(template) // ParsePattern has checked it; a Pattern cannot be made otherwise
	out := &rendering{}
	for _, p := range pieces {
		text := p.text
		if p.selector {
			v, ok := f.value(p.text)
			if !ok || !plainValue(v) {
				return nil, false
			}
			text = v
		}
		out.text.WriteString(text)
		for range len(text) {
			out.filled = append(out.filled, p.selector)
		}
	}
	for s := range strings.SplitSeq(out.text.String(), "/") {
		if s == "." || s == ".." {
			return nil, false
		}
	}
	return out, true
}

func plainValue(v string) bool {
	return v != "" && utf8.ValidString(v) && !strings.ContainsFunc(v, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f })
}

func (r *rendering) parse() (Pattern, error) {
	text := r.text.String()
	if len(text) > MaxPattern {
		return Pattern{}, fmt.Errorf("path of %d bytes: at most %d are allowed", len(text), MaxPattern)
	}
	return parseLiteral(text, r.filled)
}
