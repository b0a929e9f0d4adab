package inspect

import (
	"strings"

	"github.com/keephold/keephold/internal/inspect/python"
	"github.com/keephold/keephold/internal/settings"
)

// pyType is what an annotation says about the text that a variable must hold.
type pyType struct {
	typ      settings.Type
	masked   bool // SecretStr
	secret   bool // by its kind: the address of a store, with the password in it
	optional bool // None is allowed
	choices  []string
	models   []string // classes of the project; several in a union
}

// typeOf reads an annotation; one that is a string is parsed.
func (w *world) typeOf(f *pyFile, ann python.Expr, depth int) pyType {
	if depth > 10 {
		return pyType{typ: settings.String}
	}
	switch x := ann.(type) {
	case *python.Constant:
		if x.Kind == python.Str {
			if m := python.Parse(x.Text); len(m.Body) == 1 {
				if s, ok := m.Body[0].(*python.Simple); ok && len(s.Values) == 1 {
					return w.typeOf(f, s.Values[0], depth+1)
				}
			}
		}
	case *python.Operation:
		if x.Op == "|" {
			return w.union(f, x.Operands, depth)
		}
	case *python.Subscript:
		return w.generic(f, x, depth)
	case *python.Call: // conint(ge=1), constr(…)
		return w.named(f, last(f.qualified(x.Func)), depth)
	case *python.Name, *python.Attribute:
		return w.named(f, last(f.qualified(x)), depth)
	}
	return pyType{typ: settings.String}
}

func (w *world) union(f *pyFile, members []python.Expr, depth int) pyType {
	var out pyType
	found := false
	for _, m := range members {
		if c, ok := m.(*python.Constant); ok && c.Kind == python.None {
			out.optional = true
			continue
		}
		t := w.typeOf(f, m, depth+1)
		optional := out.optional || t.optional
		if len(out.models) > 0 && len(t.models) > 0 { // Union[Cat, Dog]
			out.models = append(out.models, t.models...)
		}
		if !found || out.typ == settings.String { // str | int: the stricter one says more, but str takes all
			masked := out.masked
			if !found {
				out = t
			}
			out.masked = masked || t.masked
		}
		out.optional = optional
		found = true
	}
	if out.typ == "" {
		out.typ = settings.String
	}
	return out
}

func (w *world) generic(f *pyFile, x *python.Subscript, depth int) pyType {
	var args []python.Expr
	if s, ok := x.Index.(*python.Sequence); ok && s.Kind == "(" {
		args = s.Items
	} else {
		args = []python.Expr{x.Index}
	}
	switch name := last(f.qualified(x.Value)); name {
	case "Optional":
		t := w.union(f, args, depth)
		t.optional = true
		return t
	case "Union":
		return w.union(f, args, depth)
	case "Annotated", "Final", "Required", "Secret":
		if len(args) > 0 {
			t := w.typeOf(f, args[0], depth+1)
			t.masked = t.masked || name == "Secret"
			return t
		}
	case "Literal":
		var choices []string
		for _, a := range args {
			if v := literalOf(f, a); v != nil {
				choices = append(choices, *v)
			}
		}
		return pyType{typ: settings.Enum, choices: choices}
	case "Json", "dict", "Dict", "Mapping", "MutableMapping", "defaultdict":
		return pyType{typ: settings.JSON}
	default:
		return w.named(f, name, depth)
	}
	return pyType{typ: settings.String}
}

// named maps the name of a type to ours.
func (w *world) named(f *pyFile, name string, depth int) pyType {
	if strings.HasSuffix(name, "Dsn") {
		return pyType{typ: settings.URL, secret: true}
	}
	if strings.HasSuffix(name, "Url") {
		return pyType{typ: settings.URL}
	}
	switch name {
	case "int", "PositiveInt", "NonNegativeInt", "NegativeInt", "NonPositiveInt", "StrictInt", "conint", "ByteSize":
		return pyType{typ: settings.Int}
	case "float", "Decimal", "PositiveFloat", "NonNegativeFloat", "StrictFloat", "confloat", "condecimal", "FiniteFloat":
		return pyType{typ: settings.Float}
	case "bool", "StrictBool":
		return pyType{typ: settings.Bool}
	case "SecretStr", "SecretBytes":
		return pyType{typ: settings.String, masked: true}
	case "EmailStr", "NameEmail":
		return pyType{typ: settings.Email}
	case "IPvAnyAddress", "IPv4Address", "IPv6Address":
		return pyType{typ: settings.IP}
	case "timedelta":
		return pyType{typ: settings.Duration}
	case "Path", "FilePath", "DirectoryPath", "NewPath", "PosixPath", "PurePath":
		return pyType{typ: settings.Path}
	case "list", "List", "set", "Set", "tuple", "Tuple", "Sequence", "frozenset", "FrozenSet", "Iterable", "Collection", "conlist":
		return pyType{typ: settings.List}
	case "dict", "Dict", "Json", "Mapping", "Any":
		if name == "Any" {
			return pyType{typ: settings.String, optional: true}
		}
		return pyType{typ: settings.JSON}
	}
	if alias, ok := f.consts[name]; ok && depth < 10 { // Name = Annotated[…]
		if _, isCall := alias.(*python.Call); !isCall {
			return w.typeOf(f, alias, depth+1)
		}
	}
	c := w.classes[name]
	switch {
	case c == nil:
		return pyType{typ: settings.String}
	case w.derives(c, "Enum", 0) || w.derives(c, "StrEnum", 0) || w.derives(c, "IntEnum", 0):
		return pyType{typ: settings.Enum, choices: enumValues(c)}
	case w.derives(c, "BaseModel", 0) || w.derives(c, "BaseSettings", 0) || isDataclass(c):
		return pyType{typ: settings.JSON, models: []string{name}}
	}
	return pyType{typ: settings.String}
}

func isDataclass(c *pyClass) bool {
	for _, d := range c.def.Decorators {
		if call, ok := d.(*python.Call); ok {
			d = call.Func
		}
		if last(c.file.qualified(d)) == "dataclass" {
			return true
		}
	}
	return false
}

func enumValues(c *pyClass) []string {
	var out []string
	for _, s := range c.def.Body {
		a, ok := s.(*python.Assign)
		if !ok || a.Annotation != nil {
			continue
		}
		if v := literalOf(c.file, a.Value); v != nil {
			out = append(out, *v)
		} else if call, ok := a.Value.(*python.Call); ok && last(c.file.qualified(call.Func)) == "auto" {
			if n, ok := a.Targets[0].(*python.Name); ok {
				out = append(out, strings.ToLower(n.ID))
			}
		}
	}
	return out
}
