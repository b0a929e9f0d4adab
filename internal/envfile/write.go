package envfile

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/secret"
)

// Writing says how entries are written.
type Writing struct {
	Format   Format
	Dialects []dotenv.Dialect // of .env files: all must read the values back; empty: python-dotenv
	Name     string           // of a Kubernetes Secret; empty: settings
}

func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
}

// Write gives the text of a file with the entries in the order of their names. A value that the format cannot hold is
// an error that names it.
func Write(entries []Entry, o Writing) ([]byte, error) {
	entries = slices.Clone(entries)
	sortEntries(entries)
	for _, e := range entries {
		if strings.Contains(e.Value, "\x00") {
			return nil, refuse(e, "it holds a NUL")
		}
		if !utf8.ValidString(e.Value) && o.Format != Shell && o.Format != Kubernetes {
			return nil, refuse(e, "it is not text")
		}
	}
	switch o.Format {
	case Dotenv:
		return writeDotenv(entries, o.Dialects)
	case Docker:
		return writeDotenv(entries, []dotenv.Dialect{dotenv.Docker})
	case JSON:
		return writeJSON(entries)
	case YAML:
		return yaml.Marshal(mappingNode(entries, nil))
	case TOML:
		return lines(entries, func(e Entry) (string, error) { return tomlKey(e.Name) + " = " + basicString(e.Value), nil })
	case Shell:
		return lines(entries, shellLine)
	case PowerShell:
		return lines(entries, powerShellLine)
	case TFVars:
		return lines(entries, tfvarsLine)
	case GitHub:
		return lines(entries, githubLine)
	case Kubernetes:
		return writeSecret(entries, o.Name)
	}
	return nil, fmt.Errorf("the format %q cannot be written: %w", o.Format, secret.ErrUnsupported)
}

func refuse(e Entry, why string) error {
	return fmt.Errorf("%s cannot be written: %s: %w", e.Name, why, secret.ErrInvalid)
}

func lines(entries []Entry, line func(Entry) (string, error)) ([]byte, error) {
	var b bytes.Buffer
	for _, e := range entries {
		text, err := line(e)
		if err != nil {
			return nil, err
		}
		b.WriteString(text + "\n")
	}
	return b.Bytes(), nil
}

func writeDotenv(entries []Entry, dialects []dotenv.Dialect) ([]byte, error) {
	if len(dialects) == 0 {
		dialects = []dotenv.Dialect{dotenv.PythonDotenv}
	}
	vars := make([]dotenv.Variable, len(entries))
	for i, e := range entries {
		vars[i] = dotenv.Variable{Name: e.Name, Value: e.Value}
	}
	text, err := dotenv.Write(vars, dialects...)
	return []byte(text), err
}

func writeJSON(entries []Entry) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{")
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		var pair bytes.Buffer
		enc := json.NewEncoder(&pair)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(e.Name); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(pair.String(), "\n")
		pair.Reset()
		if err := enc.Encode(e.Value); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n  %s: %s", name, strings.TrimSuffix(pair.String(), "\n"))
	}
	if len(entries) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// mappingNode writes every value as a string, whatever it looks like.
func mappingNode(entries []Entry, value func(string) string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range entries {
		v := e.Value
		if value != nil {
			v = value(v)
		}
		key, val := &yaml.Node{}, &yaml.Node{}
		key.SetString(e.Name)
		val.SetString(v)
		if strings.ContainsFunc(v, unicode.IsControl) { // as a block, one that begins with a tab would not be read back
			val.Style = yaml.DoubleQuotedStyle
		}
		n.Content = append(n.Content, key, val)
	}
	return n
}

// basicString writes a string between double quotes, as TOML and HCL have it; more lists further escapes by pairs.
func basicString(s string, more ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	if len(more) > 1 {
		return strings.NewReplacer(more...).Replace(b.String())
	}
	return b.String()
}

func isPlain(name, extra string) bool {
	for i, c := range name {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(extra, c)
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func tomlKey(name string) string {
	if isPlain(name, "-0123456789") {
		return name
	}
	return basicString(name)
}

func shellLine(e Entry) (string, error) {
	if !isPlain(e.Name, "") {
		return "", refuse(e, "a shell has no such name")
	}
	return "export " + e.Name + "='" + strings.ReplaceAll(e.Value, "'", `'\''`) + "'", nil
}

// powerShellLine writes a literal string; PowerShell takes the typographic quotes for quotes too.
func powerShellLine(e Entry) (string, error) {
	if strings.ContainsAny(e.Name, "{}`") {
		return "", refuse(e, "PowerShell has no such name")
	}
	quotes := strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛")
	return "${env:" + e.Name + "} = '" + quotes.Replace(e.Value) + "'", nil
}

func tfvarsLine(e Entry) (string, error) {
	if !isPlain(e.Name, "-") {
		return "", refuse(e, "Terraform has no such name")
	}
	return e.Name + " = " + basicString(e.Value, "${", "$${", "%{", "%%{"), nil
}

// githubLine writes the heredoc form, with an end that nobody can guess and so smuggle into a value.
func githubLine(e Entry) (string, error) {
	if strings.ContainsAny(e.Name, "<\n\r=") {
		return "", refuse(e, "GitHub has no such name")
	}
	end := "end_" + rand.Text()
	return e.Name + "<<" + end + "\n" + e.Value + "\n" + end, nil
}

func writeSecret(entries []Entry, name string) ([]byte, error) {
	if name == "" {
		name = "settings"
	}
	for _, e := range entries {
		if strings.Trim(e.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return nil, refuse(e, "Kubernetes has no such key")
		}
	}
	scalar := func(s string) *yaml.Node {
		n := &yaml.Node{}
		n.SetString(s)
		return n
	}
	metadata := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar("name"), scalar(name)}}
	data := mappingNode(entries, func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) })
	return yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
		scalar("apiVersion"), scalar("v1"), scalar("kind"), scalar("Secret"), scalar("metadata"), metadata,
		scalar("type"), scalar("Opaque"), scalar("data"), data,
	}})
}
