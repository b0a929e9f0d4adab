package inspect

import (
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/inspect/python"
	"github.com/keephold/keephold/internal/settings"
)

// classConfig is what model_config, class Config or class keywords say.
type classConfig struct {
	prefix, delimiter, secrets string
	target                     string // what the prefix goes before: variable (also when empty), alias, all
	envFiles                   []string
	caseSensitive, byName      bool
	env                        map[string][]string // pydantic 1: class Config: fields = {"key": {"env": "NAME"}}
}

// pyField is an annotated name of a class.
type pyField struct {
	file  *pyFile
	class string
	name  string
	line  int
	ann   python.Expr // nil for a bare assignment, which pydantic 1 allows
	value python.Expr
}

// readClasses reports the settings classes of a file and their fields.
func (w *world) readClasses(f *pyFile) {
	python.Walk(f.module.Body, func(n any) bool {
		def, ok := n.(*python.Class)
		if !ok {
			return true
		}
		c := &pyClass{f, def}
		if !w.derives(c, "BaseSettings", 0) {
			return true
		}
		conf := w.config(c, 0)
		class := Class{Name: def.Name, Place: Place{f.name, def.Line}, Prefix: conf.prefix, EnvFiles: conf.envFiles, Secrets: conf.secrets}
		for _, e := range conf.envFiles {
			w.report.Dotenv = append(w.report.Dotenv, Dotenv{Place: class.Place, Loader: string(Pydantic), Path: e})
		}
		for _, field := range w.fields(c, 0) {
			before := len(w.report.Settings)
			w.field(field, conf, def.Name, "", 0, !w.given(def.Name, field.name))
			for _, s := range w.report.Settings[before:] {
				if s.Masked {
					class.Hidden++
				}
			}
			class.Fields++
		}
		w.report.Classes = append(w.report.Classes, class)
		return true
	})
}

// config merges the configuration of a class into that of its bases.
func (w *world) config(c *pyClass, depth int) classConfig {
	var conf classConfig
	if depth > 20 {
		return conf
	}
	for _, base := range slices.Backward(c.def.Bases) {
		if parent := w.classes[last(c.file.qualified(base))]; parent != nil && parent.def != c.def {
			conf = w.config(parent, depth+1)
		}
	}
	for _, k := range c.def.Keywords {
		conf.set(c.file, k.Name, k.Value)
	}
	for _, s := range c.def.Body {
		switch s := s.(type) {
		case *python.Assign:
			name, ok := s.Targets[0].(*python.Name)
			if !ok || name.ID != "model_config" {
				continue
			}
			switch v := s.Value.(type) {
			case *python.Call:
				for _, k := range v.Keywords {
					conf.set(c.file, k.Name, k.Value)
				}
			case *python.Dict:
				for i, key := range v.Keys {
					if text, ok := c.file.text(key); ok {
						conf.set(c.file, text, v.Values[i])
					}
				}
			}
		case *python.Class:
			if s.Name != "Config" {
				continue
			}
			for _, inner := range s.Body {
				if a, ok := inner.(*python.Assign); ok {
					if name, ok := a.Targets[0].(*python.Name); ok {
						conf.set(c.file, name.ID, a.Value)
					}
				}
			}
		}
	}
	return conf
}

func (conf *classConfig) set(f *pyFile, key string, value python.Expr) {
	text, _ := f.text(value)
	truth := isTrue(value)
	switch key {
	case "env_prefix":
		conf.prefix = text
	case "env_prefix_target":
		conf.target = text
	case "fields":
		conf.fieldNames(f, value)
	case "env_nested_delimiter":
		conf.delimiter = text
	case "secrets_dir":
		conf.secrets = text
	case "case_sensitive":
		conf.caseSensitive = truth
	case "populate_by_name", "validate_by_name", "allow_population_by_field_name":
		conf.byName = truth
	case "env_file":
		conf.envFiles = nil
		if list, ok := value.(*python.Sequence); ok {
			for _, item := range list.Items {
				if s, _ := f.text(item); s != "" {
					conf.envFiles = append(conf.envFiles, s)
				}
			}
		} else if text != "" {
			conf.envFiles = []string{text}
		}
	}
}

// fieldNames reads {"key": {"env": "NAME"}}.
func (conf *classConfig) fieldNames(f *pyFile, value python.Expr) {
	fields, ok := value.(*python.Dict)
	if !ok {
		return
	}
	conf.env = map[string][]string{}
	for i, key := range fields.Keys {
		field, _ := f.text(key)
		inner, ok := fields.Values[i].(*python.Dict)
		if !ok {
			continue
		}
		for j, k := range inner.Keys {
			if word, _ := f.text(k); word == "env" {
				conf.env[field] = aliasNames(f, inner.Values[j])
			}
		}
	}
}

func isTrue(x python.Expr) bool {
	c, ok := x.(*python.Constant)
	return ok && c.Kind == python.Bool && c.Text == "True"
}

// fields lists the fields of a class and of its bases; a name that a subclass gives again has its meaning.
func (w *world) fields(c *pyClass, depth int) []pyField {
	var out []pyField
	if depth > 20 {
		return nil
	}
	add := func(f pyField) {
		for i := range out {
			if out[i].name == f.name {
				out[i] = f
				return
			}
		}
		out = append(out, f)
	}
	for _, base := range c.def.Bases {
		if parent := w.classes[last(c.file.qualified(base))]; parent != nil && parent.def != c.def {
			for _, f := range w.fields(parent, depth+1) {
				add(f)
			}
		}
	}
	for _, s := range c.def.Body {
		a, ok := s.(*python.Assign)
		if !ok || a.Op != "=" {
			continue
		}
		name, ok := a.Targets[0].(*python.Name)
		if !ok || strings.HasPrefix(name.ID, "_") || name.ID == "model_config" {
			continue
		}
		if a.Annotation == nil && !c.oldPydantic() || isClassVar(c.file, a.Annotation) {
			continue
		}
		add(pyField{c.file, c.def.Name, name.ID, a.Line, a.Annotation, a.Value})
	}
	return out
}

// oldPydantic says whether the class takes BaseSettings from pydantic 1, where a field needs no annotation.
func (c *pyClass) oldPydantic() bool {
	full := c.file.names["BaseSettings"]
	return full == "pydantic.BaseSettings" || full == "pydantic.v1.BaseSettings"
}

func isClassVar(f *pyFile, ann python.Expr) bool {
	if s, ok := ann.(*python.Subscript); ok {
		ann = s.Value
	}
	name := last(f.qualified(ann))
	return name == "ClassVar" || name == "PrivateAttr"
}

// fieldInfo is what Field(…) and the annotation say together.
type fieldInfo struct {
	kind     pyType
	names    []string
	alias    bool
	value    *string
	optional bool // there is a default, of whatever form
}

// field reports what a field reads. For a nested model with a delimiter these are the fields of the model.
func (w *world) field(p pyField, conf classConfig, path, above string, depth int, required bool) {
	info := w.fieldInfo(p, conf)
	if len(info.names) == 0 || depth > 10 {
		return
	}
	for i := range info.names {
		if above != "" {
			info.names[i] = above + info.names[i]
		}
	}
	required = required && !info.optional
	if len(info.kind.models) > 0 && conf.delimiter != "" && depth < 8 {
		inner := conf
		inner.prefix, inner.env = "", nil
		for _, name := range info.kind.models {
			for _, f := range w.fields(w.classes[name], 0) {
				w.field(f, inner, path+"."+p.name, info.names[0]+conf.delimiter, depth+1, required && len(info.kind.models) == 1)
			}
		}
		return
	}
	s := Setting{
		Name: info.names[0], Aliases: info.names[1:], Reader: Pydantic, Place: Place{p.file.name, p.line}, Field: path + "." + p.name,
		Type: info.kind.typ, Required: required, Masked: info.kind.masked, Choices: info.kind.choices, Default: info.value,
	}
	if s.Type == settings.Int && strings.HasSuffix(strings.ToUpper(s.Name), "PORT") {
		s.Type = settings.Port
	}
	s.Secret = s.Masked || info.kind.secret || s.nameIsSecret()
	w.report.Settings = append(w.report.Settings, s)
	w.secretDefault(s)
}

// secretDefault reports a literal that stands in for a secret. Placeholders that are plainly none are left alone.
func (w *world) secretDefault(s Setting) {
	if !s.Secret || s.Default == nil || len(*s.Default) < 6 || s.Type == settings.URL && !strings.Contains(*s.Default, "@") {
		return
	}
	w.danger(DefaultSecret, s.Name, s.Place, "a literal in the code stands in for a secret when it is not set",
		"remove the default, and: keephold set "+s.Name)
}

func (w *world) fieldInfo(p pyField, conf classConfig) fieldInfo {
	info := fieldInfo{kind: w.typeOf(p.file, p.ann, 0)}
	ann := p.ann
	if s, ok := ann.(*python.Subscript); ok && last(p.file.qualified(s.Value)) == "Annotated" {
		if parts, ok := s.Index.(*python.Sequence); ok {
			for _, part := range parts.Items[min(1, len(parts.Items)):] {
				w.fieldCall(p.file, part, &info)
			}
		}
	}
	if p.value != nil {
		if call, ok := p.value.(*python.Call); ok && last(p.file.qualified(call.Func)) == "Field" {
			w.fieldCall(p.file, call, &info)
		} else {
			info.optional = true
			info.value = literalOf(p.file, p.value)
			if p.ann == nil {
				info.kind = typeOfLiteral(p.value)
			}
			if c, ok := p.value.(*python.Constant); ok && c.Kind == python.Ellipsis {
				info.optional = false
			}
		}
	} else if info.kind.optional && p.isOld(w) {
		info.optional = true
	}
	if names := conf.env[p.name]; len(names) > 0 && !info.alias {
		info.names, info.alias = names, true
	}
	own := p.name
	if conf.target != "alias" {
		own = conf.prefix + own
	}
	if !conf.caseSensitive {
		own = strings.ToUpper(own)
	}
	if info.alias && (conf.target == "alias" || conf.target == "all") {
		for i := range info.names {
			info.names[i] = conf.prefix + info.names[i]
		}
	}
	if !info.alias {
		info.names = []string{own}
	} else {
		if conf.byName {
			info.names = append(info.names, own)
		}
		for i, n := range info.names {
			if !conf.caseSensitive && n == strings.ToLower(n) {
				info.names[i] = strings.ToUpper(n)
			}
		}
	}
	return info
}

func (p pyField) isOld(w *world) bool {
	c := w.classes[p.class]
	return c != nil && c.oldPydantic()
}

// fieldCall reads Field(default, alias=…, validation_alias=…, env=…).
func (w *world) fieldCall(f *pyFile, x python.Expr, info *fieldInfo) {
	call, ok := x.(*python.Call)
	if !ok || last(f.qualified(call.Func)) != "Field" {
		return
	}
	if d := call.Argument(0, "default"); d != nil {
		if c, ok := d.(*python.Constant); !ok || c.Kind != python.Ellipsis {
			info.optional = true
			info.value = literalOf(f, d)
		}
	}
	if call.Argument(-1, "default_factory") != nil {
		info.optional = true
	}
	for _, key := range []string{"validation_alias", "alias", "env"} {
		if a := call.Argument(-1, key); a != nil {
			if names := aliasNames(f, a); len(names) > 0 {
				info.names, info.alias = names, true
				return
			}
		}
	}
}

// aliasNames reads "A", AliasChoices("A", "B"), AliasPath("A", 0) and, of pydantic 1, ["A", "B"].
func aliasNames(f *pyFile, x python.Expr) []string {
	var items []python.Expr
	switch x := x.(type) {
	case *python.Call:
		if last(f.qualified(x.Func)) == "AliasPath" && len(x.Args) > 0 {
			items = x.Args[:1]
		} else {
			items = x.Args
		}
	case *python.Sequence:
		items = x.Items
	default:
		items = []python.Expr{x}
	}
	var out []string
	for _, item := range items {
		if _, ok := item.(*python.Call); ok {
			out = append(out, aliasNames(f, item)...)
			continue
		}
		if s, ok := f.text(item); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

// literalOf gives the text that the environment would hold for a literal default; nil for None and for what is no
// literal.
func literalOf(f *pyFile, x python.Expr) *string {
	if c, ok := x.(*python.Constant); ok {
		switch c.Kind {
		case python.Int, python.Float, python.Bool:
			return &c.Text
		case python.Str:
			return &c.Text
		}
		return nil
	}
	if s, ok := f.text(x); ok {
		return &s
	}
	return nil
}

func typeOfLiteral(x python.Expr) pyType {
	switch c := x.(type) {
	case *python.Constant:
		switch c.Kind {
		case python.Int:
			return pyType{typ: settings.Int}
		case python.Float:
			return pyType{typ: settings.Float}
		case python.Bool:
			return pyType{typ: settings.Bool}
		}
	case *python.Sequence:
		return pyType{typ: settings.List}
	case *python.Dict:
		return pyType{typ: settings.JSON}
	}
	return pyType{typ: settings.String}
}
