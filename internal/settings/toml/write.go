package toml

import (
	"bytes"
	"fmt"

	"github.com/keephold/keephold/internal/settings"
)

// Write makes a new keephold.toml.
func Write(p *Project) ([]byte, error) {
	if err := p.Settings.Validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# What this project needs to run. Committed; never a secret in it.\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, quote(value))
		}
	}
	line("project", p.Name)
	line("id", p.ID)
	line("store", p.Store)
	line("default_env", p.DefaultEnv)
	for i := range p.Envs {
		e := &p.Envs[i]
		b.WriteString("\n" + header([]string{"env", e.Name}) + "\n")
		if e.Space != p.Name+"/"+e.Name {
			line("space", e.Space)
		}
		line("inherits", e.Inherits)
		if e.Protected {
			b.WriteString("protected = true\n")
		}
		writeList(&b, "sources", e.Sources)
	}
	for i := range p.Settings {
		b.WriteByte('\n')
		writeSetting(&b, &p.Settings[i])
	}
	if len(p.Redact) > 0 {
		b.WriteString("\n[redact]\npatterns = [\n")
		for _, r := range p.Redact {
			fmt.Fprintf(&b, "  { match = %s, replace = %s },\n", quote(r.Match), quote(r.Replace))
		}
		b.WriteString("]\n")
	}
	return b.Bytes(), nil
}

func writeList(b *bytes.Buffer, key string, list []string) {
	if len(list) > 0 {
		text, _ := literal(list)
		fmt.Fprintf(b, "%s = %s\n", key, text)
	}
}

func writeSetting(b *bytes.Buffer, s *settings.Setting) {
	b.WriteString(header([]string{"settings", s.Name}) + "\n")
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "%s = %s\n", key, quote(value))
		}
	}
	fmt.Fprintf(b, "type = %s\n", quote(string(s.TypeOrString())))
	switch {
	case s.Required.Always:
		b.WriteString("required = true\n")
	case len(s.Required.In) > 0:
		writeList(b, "required", s.Required.In)
	}
	if s.Secret {
		b.WriteString("secret = true\n")
	}
	if s.Default != nil {
		fmt.Fprintf(b, "default = %s\n", quote(*s.Default))
	}
	line("description", s.Description)
	line("example", s.Example)
	writeList(b, "choices", s.Choices)
	line("pattern", s.Pattern)
	line("generate", s.Generate)
}
