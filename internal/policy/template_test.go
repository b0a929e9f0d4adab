package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func facts() policy.Facts {
	return policy.Facts{
		Entity: &policy.Entity{
			ID: "e-1", Name: "ada", Metadata: map[string]string{"team": "shop", "a.b": "dotted", "none": ""},
			Aliases: map[string]policy.Alias{"auth_up_1": {ID: "al-1", Name: "ada@x", Metadata: map[string]string{"ns": "prod"}, CustomMetadata: map[string]string{"k": "custom"}}},
		},
		Groups: []policy.Group{{ID: "g-1", Name: "ops", Metadata: map[string]string{"floor": "2"}}, {ID: "g-2", Name: "dev"}},
	}
}

func TestRender(t *testing.T) {
	tests := []struct {
		path, matches string // "" when the rule has to match nothing
	}{
		{"secret/data/{{identity.entity.id}}/*", "secret/data/e-1/x"},
		{"secret/data/{{ identity.entity.name }}", "secret/data/ada"},
		{"{{identity.entity.metadata.team}}/{{identity.entity.name}}-x", "shop/ada-x"},
		{"secret/{{identity.entity.metadata.a.b}}", "secret/dotted"},
		{"secret/+/{{identity.entity.name}}/*", "secret/any/ada/y"},
		{"secret/{{identity.entity.aliases.auth_up_1.id}}", "secret/al-1"},
		{"secret/{{identity.entity.aliases.auth_up_1.name}}", "secret/ada@x"},
		{"secret/{{identity.entity.aliases.auth_up_1.metadata.ns}}", "secret/prod"},
		{"secret/{{identity.entity.aliases.auth_up_1.custom_metadata.k}}", "secret/custom"},
		{"secret/{{identity.groups.ids.g-1.name}}", "secret/ops"},
		{"secret/{{identity.groups.names.ops.id}}", "secret/g-1"},
		{"secret/{{identity.groups.names.ops.metadata.floor}}", "secret/2"},
		{"secret/plain", "secret/plain"},
		{"secret/{{identity.entity.metadata.absent}}", ""},
		{"secret/{{identity.entity.metadata.none}}/*", ""},
		{"secret/{{identity.entity.aliases.other.name}}", ""},
		{"secret/{{identity.entity.aliases.auth_up_1.custom_metadata.absent}}", ""},
		{"secret/{{identity.groups.names.absent.id}}", ""},
		{"secret/{{identity.groups.names.dev.metadata.floor}}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			p := &policy.Policy{Name: "p", Rules: []policy.Rule{rule(t, tt.path, policy.Read)}}
			if got := p.Rules[0].Pattern.Matches(tt.matches); got != (tt.path == "secret/plain") {
				t.Error("a template matched before it was rendered")
			}
			out, err := p.Render(facts())
			if err != nil {
				t.Fatal(err)
			}
			s := policy.Compile(time.Time{}, out)
			if tt.matches == "" {
				if len(s.Patterns()) > 0 {
					t.Errorf("got %v, want nothing that matches", s.Patterns())
				}
				return
			}
			if !s.Decide(policy.Request{Resource: tt.matches, Capability: policy.Read}).Allowed {
				t.Errorf("%s is not matched by %v", tt.matches, s.Patterns())
			}
			if p.Templated() != (tt.path != "secret/plain") {
				t.Error("rendering changed the policy itself")
			}
		})
	}
}

func TestRenderWithoutIdentity(t *testing.T) {
	p := &policy.Policy{Rules: []policy.Rule{rule(t, "a/{{identity.entity.id}}", policy.Read), rule(t, "b/{{identity.groups.names.x.id}}", policy.Read), rule(t, "c", policy.Read)}}
	out, err := p.Render(policy.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	if got := policy.Compile(time.Time{}, out).Patterns(); len(got) != 1 || got[0] != "c" {
		t.Errorf("got %v", got)
	}
}

func TestRenderRefusesOverlongPaths(t *testing.T) {
	f := facts()
	f.Entity.Name = strings.Repeat("x", policy.MaxPattern)
	p := &policy.Policy{Rules: []policy.Rule{rule(t, "a/{{identity.entity.name}}", policy.Read)}}
	if _, err := p.Render(f); err == nil {
		t.Error("a path over the limit was taken")
	}
}

func TestParseTemplateErrors(t *testing.T) {
	for _, path := range []string{
		"a/{{", "a/}}", "a/{{identity.entity.id", "a/{{identity.entity.id}}}}", "a/{{ {{identity.entity.id}} }}", "a/{{}}", "a/{{time.now}}", "a/{{identity.entity}}",
		"a/{{identity.entity.nick}}", "a/{{identity.entity.metadata.}}", "a/{{identity.entity.custom_metadata.x}}", "a/{{identity.entity.aliases.x}}", "a/{{identity.entity.aliases..id}}",
		"a/{{identity.groups.ids.x}}", "a/{{identity.groups.all.x.id}}", "a/{{identity.groups.ids..id}}", "a/+*{{identity.entity.id}}",
	} {
		if _, err := policy.ParsePattern(path); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
}

// TestAdvisoryTemplateValueIsLiteral: a caller who can choose a name or metadata must not be able to write pattern text, or reach another's names.
func TestAdvisoryTemplateValueIsLiteral(t *testing.T) {
	tests := []struct {
		template, value string
		matches         []string
		misses          []string
	}{
		{"secret/{{identity.entity.name}}", "*", []string{"secret/*"}, []string{"secret/x", "secret/"}},
		{"secret/{{identity.entity.name}}", "+", []string{"secret/+"}, []string{"secret/x"}},
		{"secret/{{identity.entity.name}}/key", "+", []string{"secret/+/key"}, []string{"secret/x/key"}},
		{"secret/{{identity.entity.name}}/*", "+", []string{"secret/+/key"}, []string{"secret/x/key"}},
		{"secret/{{identity.entity.name}}", "a*", []string{"secret/a*"}, []string{"secret/ab", "secret/a"}},
		{"secret/+/{{identity.entity.name}}", "+", []string{"secret/x/+"}, []string{"secret/x/y"}},
		{"secret/{{identity.entity.name}}*", "+", []string{"secret/+", "secret/+x"}, []string{"secret/x"}},
		{"secret/{{identity.entity.name}}", "{{identity.entity.id}}", []string{"secret/{{identity.entity.id}}"}, []string{"secret/e-1"}},
		{"secret/{{identity.entity.name}}/*", "a/b", nil, []string{"secret/a/b/x", "secret/a/b"}},
		{"secret/{{identity.entity.name}}/*", "/", nil, []string{"secret///x"}},
		{"secret/{{identity.entity.name}}/*", "..", nil, []string{"secret/../x", "x"}},
		{"secret/.{{identity.entity.name}}/*", ".", nil, []string{"secret/../x"}},
		{"secret/{{identity.entity.name}}/*", "", nil, []string{"secret//x", "secret/x"}},
		{"secret/{{identity.entity.name}}*", "", nil, []string{"secret/x", "secret/"}},
		{"secret/{{identity.entity.name}}/*", "a\x00", nil, []string{"secret/a\x00/x"}},
		{"secret/{{identity.entity.name}}/*", "a\xff", nil, []string{"secret/a\xff/x"}},
	}
	for _, tt := range tests {
		t.Run(tt.template+" "+tt.value, func(t *testing.T) {
			f := facts()
			f.Entity.Name = tt.value
			p := &policy.Policy{Rules: []policy.Rule{rule(t, tt.template, policy.Read)}}
			out, err := p.Render(f)
			if err != nil {
				t.Fatal(err)
			}
			s := policy.Compile(time.Time{}, out)
			for _, name := range tt.matches {
				if !s.Decide(policy.Request{Resource: name, Capability: policy.Read}).Allowed {
					t.Errorf("%s is not matched", name)
				}
			}
			for _, name := range tt.misses {
				if s.Decide(policy.Request{Resource: name, Capability: policy.Read}).Allowed {
					t.Errorf("%s is matched", name)
				}
			}
		})
	}
}
