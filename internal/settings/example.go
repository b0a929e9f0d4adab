package settings

import (
	"fmt"
	"strings"
)

// Example writes a .env.example: every name with what to put there and how to make it, never a value.
func (s Schema) Example() string {
	var b strings.Builder
	b.WriteString("# Settings of this project. Written by keephold from keephold.toml; no value belongs here.\n" +
		"# Set one with: keephold set NAME\n")
	for i := range s {
		b.WriteByte('\n')
		s[i].example(&b)
	}
	return b.String()
}

func (s *Setting) example(b *strings.Builder) {
	for line := range strings.SplitSeq(strings.TrimSpace(s.Description), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString("# " + line + "\n")
		}
	}
	facts := []string{string(s.TypeOrString())}
	switch {
	case s.Required.Always:
		facts = append(facts, "required")
	case len(s.Required.In) > 0:
		facts = append(facts, "required in "+strings.Join(s.Required.In, ", "))
	default:
		facts = append(facts, "optional")
	}
	if s.Secret {
		facts = append(facts, "secret")
	}
	b.WriteString("# " + strings.Join(facts, ", ") + "\n")
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(b, "# %s: %s\n", what, strings.Join(strings.Fields(text), " "))
		}
	}
	line("one of", strings.Join(s.Choices, ", "))
	line("matches", s.Pattern)
	line("for example", s.Example)
	if s.Default != nil && !s.Secret {
		line("default", *s.Default)
	}
	if s.Generate != "" {
		line("make one with", fmt.Sprintf("keephold set %s --generate %s", s.Name, s.Generate))
	}
	b.WriteString(s.Name + "=\n")
}

// ExampleLine is a name of an existing .env.example.
type ExampleLine struct {
	Name  string
	Line  int
	Value bool // something stands behind the equal sign
}

// DriftKind says how a .env.example differs from the schema.
type DriftKind string

const (
	DriftMissing DriftKind = "missing" // in the schema, not in the file
	DriftUnknown DriftKind = "unknown" // in the file, not in the schema
	DriftValue   DriftKind = "value"   // the file holds a value for a secret
)

// Drift is one difference. Line is 0 for a missing name.
type Drift struct {
	Kind DriftKind
	Name string
	Line int
}

// Drift compares the names of an existing .env.example with the schema.
func (s Schema) Drift(lines []ExampleLine) []Drift {
	var out []Drift
	written, known := map[string]bool{}, s.Index()
	for _, l := range lines {
		written[l.Name] = true
	}
	for i := range s {
		if !written[s[i].Name] {
			out = append(out, Drift{DriftMissing, s[i].Name, 0})
		}
	}
	for _, l := range lines {
		set := known[l.Name]
		switch {
		case set == nil:
			out = append(out, Drift{DriftUnknown, l.Name, l.Line})
		case set.Secret && l.Value:
			out = append(out, Drift{DriftValue, l.Name, l.Line})
		}
	}
	return out
}
