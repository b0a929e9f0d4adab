package envfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/keephold/keephold/internal/dotenv"
)

// documents parses every document of a YAML file.
func documents(src []byte) ([]*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(src))
	var out []*yaml.Node
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(doc.Content) == 1 {
			out = append(out, doc.Content[0])
		}
	}
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.AliasNode && i < deepest; i++ {
		n = n.Alias
	}
	return n
}

// child gives the value of a key of a mapping; nil if there is none.
func child(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		n = member(n, key, 0)
	}
	return resolve(n)
}

// member looks in the mapping itself before it looks in what is merged into it, of which only a few levels count.
func member(n *yaml.Node, key string, depth int) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > 3 {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "<<" {
			if found := member(n.Content[i+1], key, depth+1); found != nil {
				return found
			}
		}
	}
	return nil
}

func text(n *yaml.Node) string {
	if n = resolve(n); n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

func detectYAML(src []byte) Format {
	docs, err := documents(src)
	if err != nil {
		return YAML
	}
	for _, d := range docs {
		if child(d, "apiVersion") != nil && child(d, "kind") != nil {
			return Kubernetes
		}
		if s := child(d, "services"); s != nil && s.Kind == yaml.MappingNode {
			return Compose
		}
	}
	return YAML
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`line (\d+)`)
})

func (r *reader) yaml(src []byte) error {
	docs, err := documents(src)
	if err != nil { // the text of the parser may quote the input
		line := 1
		if m := yamlLine().FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return r.fail(line, "not YAML").hint("indent with spaces, and put a value that holds : or # between quotes")
	}
	switch r.options.Format {
	case Compose:
		for _, d := range docs {
			if err := r.compose(d); err != nil {
				return err
			}
		}
		return nil
	case Kubernetes:
		return r.kubernetes(docs)
	}
	for _, d := range docs {
		if d.Kind != yaml.MappingNode {
			return r.fail(d.Line, "a YAML mapping of names and values is wanted").hint("write NAME: value")
		}
		if err := r.mapping("", d, 0); err != nil {
			return err
		}
	}
	return nil
}

// mapping flattens a mapping as table does.
func (r *reader) mapping(prefix string, n *yaml.Node, depth int) error {
	if r.visited++; depth > deepest || r.visited > most {
		return r.fail(n.Line, "mappings nest more than %d deep, or there are more than %d", deepest, most)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], resolve(n.Content[i+1])
		name := prefix + key.Value
		switch {
		case key.Value == "<<" && v != nil && v.Kind == yaml.MappingNode:
			if err := r.mapping(prefix, v, depth+1); err != nil {
				return err
			}
		case v == nil || v.Kind == yaml.ScalarNode && v.Tag == "!!null":
			r.omit(name, key.Line, "null")
		case v.Kind == yaml.MappingNode:
			if err := r.mapping(name+nested, v, depth+1); err != nil {
				return err
			}
		default:
			value := v.Value
			if v.Kind == yaml.SequenceNode {
				var list []any
				if err := v.Decode(&list); err != nil {
					return r.fail(v.Line, "%s: this list cannot be read", name)
				}
				var err error
				if value, err = scalar(list); err != nil {
					return r.fail(v.Line, "%s: %v", name, err)
				}
			}
			if err := r.add(Entry{Name: name, Value: value, Line: key.Line}); err != nil {
				return err
			}
		}
	}
	return nil
}

// compose reads environment and env_file of every service (the Compose Specification, services). What stands in
// environment wins over env_file, and a later file over an earlier one.
func (r *reader) compose(doc *yaml.Node) error {
	services := child(doc, "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return r.fail(doc.Line, "no services in this Compose file").hint("if it is another YAML file: --format yaml")
	}
	found := false
	for i := 0; i+1 < len(services.Content); i += 2 {
		name := services.Content[i].Value
		if r.options.Service != "" && r.options.Service != name {
			continue
		}
		found = true
		if err := r.service(name, services.Content[i+1]); err != nil {
			return err
		}
	}
	if !found && r.options.Service != "" {
		return r.fail(services.Line, "no service %s in this Compose file", r.options.Service)
	}
	return nil
}

func (r *reader) service(name string, n *yaml.Node) error {
	one := &reader{file: r.file, src: r.src, options: r.options, result: &Result{}}
	if err := one.envFiles(name, child(n, "env_file")); err != nil {
		return err
	}
	if err := one.environment(name, child(n, "environment")); err != nil {
		return err
	}
	r.result.Omitted = append(r.result.Omitted, one.result.Omitted...)
	for _, e := range one.result.Entries {
		if err := r.add(e); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) envFiles(service string, n *yaml.Node) error {
	if n == nil {
		return nil
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		item = resolve(item)
		name, required, dialect := text(item), true, dotenv.Compose
		if item.Kind == yaml.MappingNode {
			name = text(child(item, "path"))
			required = text(child(item, "required")) != "false"
			if text(child(item, "format")) == "raw" {
				dialect = dotenv.Docker
			}
		}
		if r.options.Open == nil {
			r.omit(name, item.Line, "env_file is read by itself: keephold import "+name)
			continue
		}
		src, err := r.options.Open(name)
		if err != nil {
			if !required {
				continue
			}
			return r.fail(item.Line, "env_file %s cannot be read", name).hint("it is looked for beside the Compose file")
		}
		entries, err := r.dotenvEntries(name, src, dialect)
		if err != nil {
			return err
		}
		for _, e := range entries {
			e.From = service
			if err := r.add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// environment reads the mapping form and the list form.
func (r *reader) environment(service string, n *yaml.Node) error {
	if r.visited++; n == nil || r.visited > most {
		return nil
	}
	set := func(name string, v *string, line int) error {
		if v == nil {
			if value, ok := r.lookup(name); ok {
				return r.add(Entry{name, value, line, service})
			}
			r.omit(name, line, "taken from the environment of docker compose, where it is not set")
			return nil
		}
		value, err := dotenv.Interpolate(*v, r.options.Env)
		if err != nil {
			return r.fail(line, "%s: %v", name, err).hint("set it in the environment of this command, or write a default: ${NAME:-…}; $$ stands for a dollar sign")
		}
		return r.add(Entry{name, value, line, service})
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := n.Content[i], resolve(n.Content[i+1])
			if key.Value == "<<" && v != n {
				if err := r.environment(service, v); err != nil {
					return err
				}
				continue
			}
			value := &v.Value
			if v.Tag == "!!null" {
				value = nil
			}
			if v.Kind != yaml.ScalarNode {
				return r.fail(key.Line, "%s is no text", key.Value)
			}
			if err := set(key.Value, value, key.Line); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			name, v, has := strings.Cut(text(item), "=")
			value := &v
			if !has {
				value = nil
			}
			if err := set(name, value, item.Line); err != nil {
				return err
			}
		}
	default:
		return r.fail(n.Line, "environment is a mapping or a list")
	}
	return nil
}

func (r *reader) lookup(name string) (string, bool) {
	if r.options.Env == nil {
		return "", false
	}
	return r.options.Env(name)
}

// bundle is a Secret or ConfigMap of the file.
type bundle map[string]Entry

// kubernetes reads Secrets, ConfigMaps and the env of containers. References to what is in the file are resolved.
func (r *reader) kubernetes(docs []*yaml.Node) error {
	var all []*yaml.Node
	for _, d := range docs {
		if items := child(d, "items"); text(child(d, "kind")) == "List" && items != nil {
			all = append(all, items.Content...)
			continue
		}
		all = append(all, d)
	}
	bundles := map[string]bundle{}
	workloads := 0
	for _, d := range all {
		kind, name := text(child(d, "kind")), text(child(d, "metadata", "name"))
		switch kind {
		case "Secret", "ConfigMap":
			b, err := r.bundle(d, kind)
			if err != nil {
				return err
			}
			bundles[kind+"/"+name] = b
		default:
			if podSpec(d) != nil {
				workloads++
			}
		}
	}
	if len(bundles) == 0 && workloads == 0 {
		return r.fail(1, "no Secret, ConfigMap or workload in this manifest").hint("if it is another YAML file: --format yaml")
	}
	for _, d := range all {
		kind, name := text(child(d, "kind")), text(child(d, "metadata", "name"))
		if workloads == 0 { // only Secrets and ConfigMaps: they are what is meant
			for _, e := range sorted(bundles[kind+"/"+name]) {
				e.From = kind + "/" + name
				if err := r.add(e); err != nil {
					return err
				}
			}
			continue
		}
		if spec := podSpec(d); spec != nil {
			if err := r.containers(spec, bundles); err != nil {
				return err
			}
		}
	}
	return nil
}

func podSpec(d *yaml.Node) *yaml.Node {
	switch text(child(d, "kind")) {
	case "Pod":
		return child(d, "spec")
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job":
		return child(d, "spec", "template", "spec")
	case "CronJob":
		return child(d, "spec", "jobTemplate", "spec", "template", "spec")
	}
	return nil
}

func sorted(b bundle) []Entry {
	var out []Entry
	for _, e := range b {
		out = append(out, e)
	}
	sortEntries(out)
	return out
}

func (r *reader) bundle(d *yaml.Node, kind string) (bundle, error) {
	b := bundle{}
	for _, field := range []string{"data", "stringData"} {
		n := child(d, field)
		if n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
			continue
		}
		if n.Kind != yaml.MappingNode {
			return nil, r.fail(n.Line, "%s of a %s is a mapping of names and values", field, kind).hint("write %s: and below it, indented, NAME: value", field)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := n.Content[i], resolve(n.Content[i+1])
			value := v.Value
			if kind == "Secret" && field == "data" {
				raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
				if err != nil {
					return nil, r.fail(key.Line, "%s is not base64; text belongs under stringData", key.Value).hint("move it to stringData, or encode it: printf %%s VALUE | base64")
				}
				if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
					r.omit(key.Value, key.Line, "binary, which no environment can carry")
					continue
				}
				value = string(raw)
			}
			b[key.Value] = Entry{Name: key.Value, Value: value, Line: key.Line}
		}
	}
	return b, nil
}

func (r *reader) containers(spec *yaml.Node, bundles map[string]bundle) error {
	for _, field := range []string{"initContainers", "containers"} {
		list := child(spec, field)
		if list == nil {
			continue
		}
		for _, c := range list.Content {
			name := text(child(c, "name"))
			if r.options.Service != "" && r.options.Service != name {
				continue
			}
			if err := r.container(name, resolve(c), bundles); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) container(name string, c *yaml.Node, bundles map[string]bundle) error {
	if from := child(c, "envFrom"); from != nil {
		for _, f := range from.Content {
			kind, ref := "Secret", child(f, "secretRef")
			if ref == nil {
				kind, ref = "ConfigMap", child(f, "configMapRef")
			}
			b, ok := bundles[kind+"/"+text(child(ref, "name"))]
			if !ok {
				r.omit(kind+"/"+text(child(ref, "name")), f.Line, "not in this file")
				continue
			}
			for _, e := range sorted(b) {
				e.Name, e.From = text(child(f, "prefix"))+e.Name, name
				if err := r.add(e); err != nil {
					return err
				}
			}
		}
	}
	env := child(c, "env")
	if env == nil {
		return nil
	}
	for _, e := range env.Content {
		entry := Entry{Name: text(child(e, "name")), Value: text(child(e, "value")), Line: e.Line, From: name}
		if from := child(e, "valueFrom"); from != nil {
			kind, ref := "Secret", child(from, "secretKeyRef")
			if ref == nil {
				kind, ref = "ConfigMap", child(from, "configMapKeyRef")
			}
			source, ok := bundles[kind+"/"+text(child(ref, "name"))][text(child(ref, "key"))]
			if !ok {
				r.omit(entry.Name, e.Line, "its value is not in this file")
				continue
			}
			entry.Value = source.Value
		}
		if err := r.add(entry); err != nil {
			return err
		}
	}
	return nil
}
