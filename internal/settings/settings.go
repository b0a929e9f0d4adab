// Package settings is the typed schema of a project's settings: the [settings.NAME] tables of keephold.toml.
//
// A [Schema] says for every name what kind of text a program expects there, in which environments it must be set and
// whether it is a secret. [Schema.Check] judges values as the Python libraries that read them would; [Schema.Example]
// writes the .env.example that tells people what to put, never a value; [Generate] makes new values.
//
// The package is pure. What it says about a value never holds the value.
package settings

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// Type is what a program expects to read from a setting.
type Type string

const (
	String   Type = "string"
	Int      Type = "int"
	Float    Type = "float"
	Bool     Type = "bool"
	URL      Type = "url"
	Email    Type = "email"
	Port     Type = "port"
	IP       Type = "ip"
	Duration Type = "duration"
	Path     Type = "path"
	JSON     Type = "json"
	List     Type = "list"
	Enum     Type = "enum"
	PEM      Type = "pem"
)

// Types lists every type in the order of the documentation.
func Types() []Type {
	return []Type{String, Int, Float, Bool, URL, Email, Port, IP, Duration, Path, JSON, List, Enum, PEM}
}

// Required says in which environments a setting must have a value: in none, in all, or in those named.
type Required struct {
	Always bool
	In     []string
}

// Holds says whether the setting must have a value in env.
func (r Required) Holds(env string) bool { return r.Always || slices.Contains(r.In, env) }

// IsZero says whether nothing is required.
func (r Required) IsZero() bool { return !r.Always && len(r.In) == 0 }

// Setting is one name that the program reads.
type Setting struct {
	Name        string
	Type        Type // empty is String
	Required    Required
	Secret      bool
	Default     *string // nil: none; never of a secret
	Description string
	Example     string
	Choices     []string // of Enum
	Pattern     string   // a regular expression that the whole value matches
	Generate    string   // how to make a value, see Generate
}

// Schema is the settings of a project, in the order in which they are shown.
type Schema []Setting

// Lookup finds a setting by name; nil if the schema does not know it.
func (s Schema) Lookup(name string) *Setting {
	for i := range s {
		if s[i].Name == name {
			return &s[i]
		}
	}
	return nil
}

// Index is for looking many names up: the settings by name.
func (s Schema) Index() map[string]*Setting {
	out := make(map[string]*Setting, len(s))
	for i := range s {
		out[s[i].Name] = &s[i]
	}
	return out
}

// Validate checks the schema itself, not values.
func (s Schema) Validate() error {
	seen := map[string]bool{}
	for i := range s {
		if seen[s[i].Name] {
			return fmt.Errorf("setting %s: there twice: %w", s[i].Name, secret.ErrInvalid)
		}
		seen[s[i].Name] = true
		if err := s[i].Validate(); err != nil {
			return fmt.Errorf("setting %s: %w", s[i].Name, err)
		}
	}
	return nil
}

// Validate checks one entry of the schema.
func (s *Setting) Validate() error {
	switch {
	case s.Name == "" || strings.ContainsAny(s.Name, "=\x00\n\r"):
		return fmt.Errorf("no name that an environment can carry: %w", secret.ErrInvalid)
	case s.Type != "" && !slices.Contains(Types(), s.Type):
		return fmt.Errorf("unknown type %q, one of %s: %w", s.Type, joined(Types()), secret.ErrInvalid)
	case s.Type == Enum && len(s.Choices) == 0:
		return fmt.Errorf("an enum needs choices: %w", secret.ErrInvalid)
	case s.Secret && s.Default != nil && *s.Default != "":
		return fmt.Errorf("a secret may have no default, since the file is committed: %w", secret.ErrInvalid)
	}
	if s.Pattern != "" {
		if _, err := regexp.Compile(s.Pattern); err != nil {
			return fmt.Errorf("pattern: %w: %w", err, secret.ErrInvalid)
		}
	}
	if s.Generate != "" {
		if _, err := parseGenerator(s.Generate); err != nil {
			return err
		}
	}
	if s.Default != nil && *s.Default != "" {
		if err := s.Check(*s.Default, AnyWords); err != nil {
			return fmt.Errorf("default: %w", err)
		}
	}
	return nil
}

func joined(types []Type) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = string(t)
	}
	return strings.Join(out, ", ")
}

// TypeOrString is the type, String if none is stated.
func (s *Setting) TypeOrString() Type {
	if s.Type == "" {
		return String
	}
	return s.Type
}

// Problem is something about a setting in an environment. It holds no value.
type Problem struct {
	Name    string
	Kind    ProblemKind
	Message string
}

// ProblemKind says what is wrong with a setting.
type ProblemKind string

const (
	Missing ProblemKind = "missing" // required and not set
	Invalid ProblemKind = "invalid" // set to what its type does not allow
	Unknown ProblemKind = "unknown" // set, and not in the schema
)

// Check judges the values of an environment. A setting without a value takes its default.
func (s Schema) Check(env string, values map[string]string, words Words) []Problem {
	var out []Problem
	for i := range s {
		set := &s[i]
		v, ok := values[set.Name]
		if !ok && set.Default != nil && *set.Default != "" {
			continue
		}
		switch {
		case !ok && set.Required.Holds(env):
			out = append(out, Problem{set.Name, Missing, fmt.Sprintf("required %s, not set in %s", set.TypeOrString(), env)})
		case !ok:
		case v == "" && set.Required.Holds(env):
			out = append(out, Problem{set.Name, Missing, fmt.Sprintf("required %s, empty in %s", set.TypeOrString(), env)})
		case v == "":
		default:
			if err := set.Check(v, words); err != nil {
				out = append(out, Problem{set.Name, Invalid, err.Error()})
			}
		}
	}
	unknown, known := make([]string, 0), s.Index()
	for name := range values {
		if known[name] == nil {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		out = append(out, Problem{name, Unknown, "not in keephold.toml"})
	}
	return out
}

func isJSON(v string, first byte) bool {
	v = strings.TrimSpace(v)
	return json.Valid([]byte(v)) && (first == 0 || v != "" && v[0] == first)
}
