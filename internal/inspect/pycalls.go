package inspect

import (
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/inspect/python"
	"github.com/keephold/keephold/internal/settings"
)

// DjangoEnviron is django-environ and environs, whose objects are called alike.
const DjangoEnviron Reader = "environ.Env"

// envRead is one look into the environment.
type envRead struct {
	name, def python.Expr
	required  bool
	hard      bool // it fails by itself without a value
	probe     bool // it only asks whether the name is there
}

// environRead recognises os.getenv, os.environ[…], os.environ.get and their like; nil for anything else.
func (f *pyFile) environRead(x python.Expr) *envRead {
	switch x := x.(type) {
	case *python.Call:
		switch f.qualified(x.Func) {
		case "os.getenv", "os.environ.get", "os.environb.get", "os.getenvb", "os.environ.pop", "os.environ.setdefault":
			name := x.Argument(0, "key")
			if name == nil {
				return nil
			}
			def := x.Argument(1, "default")
			return &envRead{name: name, def: def, required: def == nil}
		}
	case *python.Subscript:
		if f.qualified(x.Value) == "os.environ" {
			return &envRead{name: x.Index, required: true, hard: true}
		}
	case *python.Operation:
		if (x.Op == "in" || x.Op == "not in") && len(x.Operands) == 2 && f.qualified(x.Operands[1]) == "os.environ" {
			return &envRead{name: x.Operands[0], probe: true}
		}
	}
	return nil
}

// hint is what the code around a look says about it.
type hint struct {
	typ     settings.Type
	def     python.Expr
	choices []string
}

// callReader walks one file.
type callReader struct {
	w     *world
	f     *pyFile
	hints map[python.Expr]hint
	skip  map[python.Expr]bool // written to, not read
}

// readCalls reports the looks into the environment, the .env files that are loaded and the clouds that are asked.
func (w *world) readCalls(f *pyFile) {
	r := &callReader{w, f, map[python.Expr]hint{}, map[python.Expr]bool{}}
	python.Walk(f.module.Body, func(n any) bool {
		switch n := n.(type) {
		case *python.Assign:
			for _, t := range n.Targets {
				r.skip[t] = true
			}
		case *python.Simple:
			if n.Keyword == "del" {
				for _, v := range n.Values {
					r.skip[v] = true
				}
			}
		case python.Expr:
			r.expr(n)
		}
		return true
	})
}

func (r *callReader) expr(x python.Expr) {
	r.surroundings(x)
	if read := r.f.environRead(x); read != nil && !r.skip[x] {
		switch name, _ := r.f.text(read.name); {
		case read.probe:
		case read.def == nil:
			read.required = r.w.needed(r.f, x, name, read.hard)
		case isNone(read.def): // the author says it himself, but for the line "if x is None: raise"
			if read.required = r.f.needs.fatal[r.f.needs.target[x]]; read.required {
				read.def = nil
			}
		}
		r.report(Environ, x, read, hint{})
		return
	}
	call, ok := x.(*python.Call)
	if !ok {
		return
	}
	full := r.f.qualified(call.Func)
	switch full {
	case "dotenv.load_dotenv", "dotenv.main.load_dotenv", "dotenv.dotenv_values", "dotenv.main.dotenv_values":
		r.dotenv(call, last(full) == "load_dotenv")
		return
	}
	if reader, method := r.configObject(call.Func); reader != "" && len(call.Args) > 0 {
		r.config(reader, method, call)
		return
	}
	if r.wrapperCall(call, full) {
		return
	}
	r.cloud(call, full)
}

// surroundings notes what is done with a look: int(…), ….split(","), … or "default", … == "true".
func (r *callReader) surroundings(x python.Expr) {
	above := r.hints[x]
	switch x := x.(type) {
	case *python.Call:
		if len(x.Args) > 0 {
			types := map[string]settings.Type{"int": settings.Int, "float": settings.Float, "json.loads": settings.JSON,
				"pathlib.Path": settings.Path, "datetime.timedelta": settings.Duration, "decimal.Decimal": settings.Float,
				"strtobool": settings.Bool, "distutils.util.strtobool": settings.Bool}
			if t, ok := types[r.f.qualified(x.Func)]; ok {
				r.note(x.Args[0], hint{typ: t})
			}
		}
		if a, ok := x.Func.(*python.Attribute); ok {
			switch a.Attr {
			case "split":
				r.note(a.Value, hint{typ: settings.List})
			case "lower", "upper", "strip", "casefold", "encode":
				r.note(a.Value, above)
			}
		}
	case *python.Operation:
		switch {
		case x.Op == "or":
			h := above
			h.def = x.Operands[len(x.Operands)-1]
			for _, o := range x.Operands {
				r.note(o, h)
			}
		case (x.Op == "==" || x.Op == "in" || x.Op == "!=") && len(x.Operands) == 2 && onlyBoolWords(r.f, x.Operands[1]):
			r.note(x.Operands[0], hint{typ: settings.Bool})
		}
	case *python.Conditional:
		r.note(x.Test, above)
	}
}

func (r *callReader) note(x python.Expr, h hint) {
	if h.typ != "" || h.def != nil {
		r.hints[x] = h
	}
}

func onlyBoolWords(f *pyFile, x python.Expr) bool {
	items := []python.Expr{x}
	if s, ok := x.(*python.Sequence); ok {
		items = s.Items
	}
	for _, item := range items {
		text, known := f.text(item)
		if _, err := settings.ParseBool(text, settings.AnyWords); !known || err != nil {
			return false
		}
	}
	return len(items) > 0
}

func (r *callReader) report(reader Reader, x python.Expr, read *envRead, h hint) {
	name, known := r.f.text(read.name)
	place := Place{r.f.name, x.Position().Line}
	if !known || name == "" {
		if !r.w.wrapped[x] {
			r.w.report.Unread = append(r.w.report.Unread, Unread{place, "the name of the variable is only known at run time"})
		}
		return
	}
	if around := r.hints[x]; around.typ != "" && h.typ == "" {
		h.typ = around.typ
	}
	if around := r.hints[x]; around.def != nil && read.def == nil {
		read.def = around.def
	}
	s := Setting{Name: name, Reader: reader, Place: place, Type: h.typ, Choices: h.choices, Required: read.required && read.def == nil}
	if s.Type == "" {
		s.Type = settings.String
	}
	if read.def != nil {
		s.Default = literalOf(r.f, read.def)
	}
	if s.Type == settings.String && s.Default != nil && read.def != nil && reader != Environ {
		s.Type = typeOfLiteral(read.def).typ
	}
	refineByName(&s)
	r.w.report.Settings = append(r.w.report.Settings, s)
	r.w.secretDefault(s)
}

// refineByName uses the name where the code says nothing more.
func refineByName(s *Setting) {
	upper := strings.ToUpper(s.Name)
	switch {
	case s.Type == settings.Int && strings.HasSuffix(upper, "PORT"):
		s.Type = settings.Port
	case s.Type == settings.String && (strings.HasSuffix(upper, "_URL") || strings.HasSuffix(upper, "_DSN") || strings.HasSuffix(upper, "_URI")):
		s.Type = settings.URL
		if s.Default != nil && s.asSetting().Check(*s.Default, settings.AnyWords) != nil {
			s.Type = settings.String
		}
	}
	s.Secret = s.Secret || s.nameIsSecret()
}

// nameIsSecret judges by the name, where the type leaves room for a secret.
func (s *Setting) nameIsSecret() bool {
	switch s.Type {
	case settings.Bool, settings.Int, settings.Float, settings.Port, settings.Enum:
		return false
	}
	return looksSecret(s.Name)
}

func (s *Setting) asSetting() *settings.Setting { return &settings.Setting{Name: s.Name, Type: s.Type} }

// configObject tells whether x is a decouple, Starlette or environ object, or a method of one.
func (r *callReader) configObject(x python.Expr) (Reader, string) {
	method := ""
	if a, ok := x.(*python.Attribute); ok {
		if full := r.f.qualified(x); full == "decouple.config" {
			return Decouple, ""
		}
		x, method = a.Value, a.Attr
	}
	n, ok := x.(*python.Name)
	if !ok {
		return "", ""
	}
	if reader, ok := r.f.configs[n.ID]; ok {
		return reader, method
	}
	if full, ok := r.f.names[n.ID]; ok { // imported from another file of the project
		for _, other := range r.w.files {
			if reader, ok := other.configs[last(full)]; ok && other.names[last(full)] == "" && strings.HasSuffix(full, "."+last(full)) {
				return reader, method
			}
		}
	}
	return "", ""
}

// config reads config("X", default=…, cast=…) and env.bool("X").
func (r *callReader) config(reader Reader, method string, call *python.Call) {
	if method != "" && reader != DjangoEnviron && method != "get" && method != "__call__" {
		return
	}
	read := &envRead{name: call.Args[0], def: call.Argument(-1, "default")}
	if (reader == DjangoEnviron || reader == Decouple) && read.def == nil {
		read.def = call.Argument(1, "default")
	}
	read.required = read.def == nil
	h := hint{}
	cast := call.Argument(-1, "cast")
	if cast == nil && reader == Decouple {
		cast = call.Argument(2, "cast")
	}
	if cast == nil && reader == Starlette {
		cast = call.Argument(1, "cast")
		if read.def == nil {
			read.def = call.Argument(2, "default")
			read.required = read.def == nil
		}
	}
	masked := false
	switch method {
	case "bool", "int", "float", "json", "list", "url", "path":
		h.typ = settings.Type(method)
	case "dict", "tuple":
		h.typ = settings.List
	case "db", "db_url", "cache", "cache_url", "email_url", "search_url", "dj_db_url":
		h.typ = settings.URL
	}
	if cast != nil {
		h, masked = r.cast(cast)
	}
	before := len(r.w.report.Settings)
	r.report(reader, call, read, h)
	for i := range r.w.report.Settings[before:] {
		s := &r.w.report.Settings[before+i]
		s.Masked, s.Secret = masked, s.Secret || masked
	}
}

func isNone(x python.Expr) bool {
	c, ok := x.(*python.Constant)
	return ok && c.Kind == python.None
}

// cast reads bool, int, Csv(), Choices([…]), Secret.
func (r *callReader) cast(x python.Expr) (h hint, masked bool) {
	call, isCall := x.(*python.Call)
	fn := x
	if isCall {
		fn = call.Func
	}
	switch name := last(r.f.qualified(fn)); name {
	case "Csv", "CommaSeparatedStrings":
		h.typ = settings.List
	case "Secret":
		return hint{typ: settings.String}, true
	case "URL":
		h.typ = settings.URL
	case "Choices":
		h.typ = settings.Enum
		if isCall {
			if list, ok := call.Argument(0, "flat").(*python.Sequence); ok {
				for _, item := range list.Items {
					if v := literalOf(r.f, item); v != nil {
						h.choices = append(h.choices, *v)
					}
				}
			}
		}
		if len(h.choices) == 0 {
			h.typ = settings.String
		}
	default:
		t := r.w.typeOf(r.f, fn, 0)
		h.typ, h.choices = t.typ, t.choices
	}
	return h, masked
}

func (r *callReader) dotenv(call *python.Call, loads bool) {
	path := ""
	if a := call.Argument(0, "dotenv_path"); a != nil {
		path, _ = r.f.text(a)
		if path == "" {
			path = "{…}"
		}
	}
	d := Dotenv{Place: Place{r.f.name, call.Line}, Loader: "python-dotenv", Path: path}
	d.Override = loads && (isTrue(call.Argument(-1, "override")) || isTrue(call.Argument(3, "")))
	r.w.report.Dotenv = append(r.w.report.Dotenv, d)
	if d.Override {
		r.w.danger(OverrideEnviron, "", d.Place, "load_dotenv(override=True) lets a file win over what keephold run sets",
			"remove override=True")
	}
}

// imported says whether the file uses a package at all.
func (f *pyFile) imported(pkg string) bool {
	for _, full := range f.names {
		if full == pkg || strings.HasPrefix(full, pkg+".") {
			return true
		}
	}
	return false
}

// cloud recognises clients of secret stores and the names they ask for.
func (r *callReader) cloud(call *python.Call, full string) {
	at := Place{r.f.name, call.Line}
	add := func(kind, name string) {
		r.w.report.Clouds = append(r.w.report.Clouds, Cloud{kind, name, at})
	}
	text := func(place int, name string) string {
		a := call.Argument(place, name)
		if a == nil {
			return ""
		}
		s, _ := r.f.text(a)
		return s
	}
	method := ""
	if a, ok := call.Func.(*python.Attribute); ok {
		method = a.Attr
	}
	switch {
	case full == "hvac.Client" || full == "hvac.AsyncClient":
		add("hvac", "")
	case slices.Contains([]string{"read_secret_version", "read_secret", "read_secret_metadata"}, method) && r.f.imported("hvac"):
		mount := text(-1, "mount_point")
		if mount == "" {
			mount = "secret"
		}
		add("hvac", mount+"/"+text(0, "path"))
	case (method == "read" || method == "read_data") && r.f.imported("hvac") && strings.Contains(text(0, "path"), "/"):
		add("hvac", text(0, "path"))
	case (method == "client" || method == "create_client") && (text(0, "service_name") == "secretsmanager"):
		add("aws", "")
	case method == "get_secret_value" && (call.Argument(-1, "SecretId") != nil):
		add("aws", text(-1, "SecretId"))
	case method == "SecretManagerServiceClient" || last(full) == "SecretManagerServiceClient":
		add("gcp", "")
	case method == "access_secret_version":
		add("gcp", r.requestName(call))
	case last(full) == "SecretClient" && r.f.imported("azure"):
		add("azure", "")
	case method == "get_secret" && r.f.imported("azure"):
		add("azure", text(0, "name"))
	}
}

// requestName reads name="projects/…" or request={"name": "projects/…"}.
func (r *callReader) requestName(call *python.Call) string {
	name := call.Argument(-1, "name")
	if d, ok := call.Argument(0, "request").(*python.Dict); ok {
		for i, key := range d.Keys {
			if key == nil {
				continue
			}
			if k, _ := r.f.text(key); k == "name" {
				name = d.Values[i]
			}
		}
	}
	if name == nil {
		return ""
	}
	s, _ := r.f.text(name)
	return s
}
