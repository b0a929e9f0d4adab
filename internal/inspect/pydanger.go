package inspect

import (
	"strings"

	"github.com/keephold/keephold/internal/inspect/python"
)

func (w *world) danger(code DangerCode, name string, at Place, message, fix string) {
	w.report.Dangers = append(w.report.Dangers, Danger{code, name, at, message, fix})
}

// dangerReader looks for careless code in one file.
type dangerReader struct {
	w *world
	f *pyFile
	// holds maps names of the current function, and below them of the module, to the secret they hold.
	holds   map[string]string
	objects map[string]*pyClass // names that hold a settings object
}

func (w *world) readDangers(f *pyFile) {
	d := &dangerReader{w: w, f: f, holds: map[string]string{}, objects: map[string]*pyClass{}}
	for local, full := range f.names {
		if c := w.instances[last(full)]; c != nil {
			d.objects[local] = c
		}
	}
	for _, s := range f.module.Body {
		d.bind(s, true)
	}
	d.body(f.module.Body, false)
}

// bind notes what an assignment puts into a name. Of the module it is kept for the life of the process.
func (d *dangerReader) bind(s python.Stmt, module bool) {
	a, ok := s.(*python.Assign)
	if !ok || a.Value == nil {
		return
	}
	name, ok := a.Targets[0].(*python.Name)
	if !ok {
		return
	}
	at := Place{d.f.name, a.Line}
	if c := d.objectOf(a.Value); c != nil {
		d.objects[name.ID] = c
		if module && d.classHasSecret(c) {
			d.w.danger(CachedForLife, "", at, name.ID+" keeps its secrets for the life of the process and will not see a rotation",
				"make it in a function that is called when it is needed, or restart on change: keephold run --watch")
		}
		return
	}
	if secret := d.secretIn(a.Value); secret != "" {
		d.holds[name.ID] = secret
		if module {
			d.w.danger(CachedForLife, secret, at, name.ID+" keeps the secret for the life of the process and will not see a rotation",
				"read it in the function that needs it, or restart on change: keephold run --watch")
		}
	}
}

func (d *dangerReader) classHasSecret(c *pyClass) bool {
	conf := d.w.config(c, 0)
	for _, p := range d.w.fields(c, 0) {
		info := d.w.fieldInfo(p, conf)
		if info.kind.masked || len(info.names) > 0 && looksSecret(info.names[0]) {
			return true
		}
	}
	return false
}

// objectOf gives the class of the settings object that an expression is.
func (d *dangerReader) objectOf(x python.Expr) *pyClass {
	switch x := x.(type) {
	case *python.Name:
		return d.objects[x.ID]
	case *python.Call:
		full := d.f.qualified(x.Func)
		if c := d.w.settingsClass(last(full)); c != nil {
			return c
		}
		if len(x.Args) == 0 {
			return d.w.makers[last(full)]
		}
	}
	return nil
}

// secretIn names the secret whose value an expression is or holds; "*" for a whole settings object or environment.
func (d *dangerReader) secretIn(x python.Expr) string {
	found := ""
	python.WalkExpr(x, func(n any) bool {
		e, ok := n.(python.Expr)
		if !ok || found != "" {
			return false
		}
		if s, isSecret, known := d.secretOf(e); known {
			if isSecret {
				found = s
			}
			return false
		}
		switch e := e.(type) {
		case *python.Operation: // a comparison tells whether, not what
			return e.Op == "+" || e.Op == "%" || e.Op == "or" || e.Op == "and"
		case *python.Call:
			switch last(d.f.qualified(e.Func)) {
			case "bool", "len", "isinstance", "hash", "type", "id", "sha256", "md5", "compare_digest", "any", "all":
				return false
			}
		case *python.Lambda:
			return false
		}
		return true
	})
	return found
}

// secretOf judges one expression; known is false if it says nothing and its parts are to be looked at.
func (d *dangerReader) secretOf(x python.Expr) (name string, isSecret, known bool) {
	if read := d.f.environRead(x); read != nil {
		text, ok := d.f.text(read.name)
		return text, ok && !read.probe && looksSecret(text), true
	}
	switch x := x.(type) {
	case *python.Name:
		if s, ok := d.holds[x.ID]; ok {
			return s, true, true
		}
		if c := d.objects[x.ID]; c != nil {
			return "", d.showsSecret(c), true
		}
	case *python.Attribute:
		if d.f.qualified(x) == "os.environ" {
			return "", true, true
		}
		if c := d.objectOf(x.Value); c != nil {
			return d.fieldOf(c, x.Attr)
		}
	case *python.Call:
		if reader, _ := (&callReader{w: d.w, f: d.f}).configObject(x.Func); reader != "" && len(x.Args) > 0 {
			text, ok := d.f.text(x.Args[0])
			return text, ok && looksSecret(text), true
		}
		a, ok := x.Func.(*python.Attribute)
		if !ok {
			break
		}
		switch a.Attr {
		case "get_secret_value":
			name, _, known := d.secretOf(a.Value)
			return name, known, known
		case "model_dump", "dict", "json", "model_dump_json":
			if c := d.objectOf(a.Value); c != nil {
				return "", d.showsSecret(c), true
			}
		}
	}
	return "", false, false
}

// showsSecret says whether printing the whole object shows a secret: SecretStr does not.
func (d *dangerReader) showsSecret(c *pyClass) bool {
	conf := d.w.config(c, 0)
	for _, p := range d.w.fields(c, 0) {
		info := d.w.fieldInfo(p, conf)
		if !info.kind.masked && len(info.names) > 0 && looksSecret(info.names[0]) {
			return true
		}
	}
	return false
}

// fieldOf looks a field of a settings object up. A SecretStr is only a secret after get_secret_value().
func (d *dangerReader) fieldOf(c *pyClass, attr string) (name string, isSecret, known bool) {
	conf := d.w.config(c, 0)
	for _, p := range d.w.fields(c, 0) {
		if p.name != attr {
			continue
		}
		info := d.w.fieldInfo(p, conf)
		if len(info.names) == 0 {
			return "", false, true
		}
		return info.names[0], !info.kind.masked && looksSecret(info.names[0]), true
	}
	return "", false, false
}

func (d *dangerReader) body(stmts []python.Stmt, route bool) {
	for _, s := range stmts {
		d.statement(s, route)
	}
}

func (d *dangerReader) statement(s python.Stmt, route bool) {
	switch s := s.(type) {
	case *python.Function:
		d.function(s)
		return
	case *python.Class:
		d.body(s.Body, false)
		return
	case *python.Assign:
		d.literal(s)
	case *python.Simple:
		if s.Keyword == "return" && route && len(s.Values) > 0 {
			if name := d.secretIn(s.Values[0]); name != "" || d.wholeIn(s.Values[0]) {
				d.w.danger(ReturnedByRoute, name, Place{d.f.name, s.Line}, "a route returns "+orObject(name)+" to whoever asks",
					"return only what the caller needs")
			}
		}
	case *python.Compound:
		for _, b := range s.Bodies {
			d.body(b, route)
		}
	}
	d.expressions(s)
}

func orObject(name string) string {
	if name == "" {
		return "an object that holds secrets"
	}
	return name
}

// wholeIn says whether an expression is or holds a whole object with secrets in it.
func (d *dangerReader) wholeIn(x python.Expr) bool {
	found := false
	python.WalkExpr(x, func(n any) bool {
		if e, ok := n.(python.Expr); ok {
			if name, isSecret, known := d.secretOf(e); known {
				found = found || name == "" && isSecret
				return false
			}
		}
		return !found
	})
	return found
}

// function reads a body with its own names.
func (d *dangerReader) function(fn *python.Function) {
	holds, objects := d.holds, d.objects
	inner := &dangerReader{w: d.w, f: d.f, holds: map[string]string{}, objects: map[string]*pyClass{}}
	for k, v := range holds {
		inner.holds[k] = v
	}
	for k, v := range objects {
		inner.objects[k] = v
	}
	for _, p := range fn.Params {
		delete(inner.holds, p.Name)
		delete(inner.objects, p.Name)
		ann := p.Annotation
		if s, ok := ann.(*python.Subscript); ok && last(d.f.qualified(s.Value)) == "Annotated" {
			if parts, ok := s.Index.(*python.Sequence); ok && len(parts.Items) > 0 {
				ann = parts.Items[0]
			}
		}
		if c := d.w.settingsClass(last(d.f.qualified(ann))); c != nil {
			inner.objects[p.Name] = c
		}
	}
	python.Walk(fn.Body, func(n any) bool {
		if a, ok := n.(*python.Assign); ok {
			inner.bind(a, false)
		}
		_, nested := n.(*python.Function)
		return !nested
	})
	route, cached := false, false
	for _, dec := range fn.Decorators {
		route = route || isRoute(dec)
		if call, ok := dec.(*python.Call); ok {
			dec = call.Func
		}
		switch last(d.f.qualified(dec)) {
		case "lru_cache", "cache", "cached_property", "cached", "memoize":
			cached = true
		}
	}
	if cached {
		inner.cached(fn)
	}
	inner.body(fn.Body, route)
}

// isRoute recognises @app.get("/…"), @router.post(…), @app.route(…).
func isRoute(dec python.Expr) bool {
	call, ok := dec.(*python.Call)
	if !ok {
		return false
	}
	a, ok := call.Func.(*python.Attribute)
	if !ok {
		return false
	}
	switch a.Attr {
	case "get", "post", "put", "patch", "delete", "head", "options", "route", "api_route", "websocket":
		return true
	}
	return false
}

// cached reports a function whose result is kept and holds a secret.
func (d *dangerReader) cached(fn *python.Function) {
	what := ""
	python.Walk(fn.Body, func(n any) bool {
		x, ok := n.(python.Expr)
		if !ok {
			return what == ""
		}
		if c := d.objectOf(x); c != nil && d.classHasSecret(c) {
			what = c.def.Name
		}
		if call, ok := x.(*python.Call); ok {
			if a, ok := call.Func.(*python.Attribute); ok {
				switch a.Attr {
				case "get_secret_value", "access_secret_version", "read_secret_version", "get_secret":
					what = "a secret"
				}
			}
		}
		if name, isSecret, known := d.secretOf(x); known && isSecret && name != "" {
			what = name
		}
		return what == ""
	})
	if what != "" {
		d.w.danger(CachedForLife, "", Place{d.f.name, fn.Line}, fn.Name+" keeps "+what+" for the life of the process and will not see a rotation",
			"clear the cache when the secret changes, or restart on change: keephold run --watch")
	}
}

// literal reports os.environ["X"] = "text".
func (d *dangerReader) literal(a *python.Assign) {
	for _, t := range a.Targets {
		sub, ok := t.(*python.Subscript)
		if !ok || d.f.qualified(sub.Value) != "os.environ" {
			continue
		}
		d.literalFor(sub.Index, a.Value, a.Line)
	}
}

func (d *dangerReader) literalFor(key, value python.Expr, line int) {
	name, _ := d.f.text(key)
	text, known := d.f.text(value)
	if known && text != "" {
		d.w.danger(LiteralInEnviron, name, Place{d.f.name, line}, "the code writes a literal over "+name,
			"remove the line, and: keephold set "+name)
	}
}

// expressions looks for print, logging and os.environ.update below a statement, but not in the blocks of a compound one.
func (d *dangerReader) expressions(s python.Stmt) {
	python.Walk([]python.Stmt{s}, func(n any) bool {
		if isStatement(n) && n != any(s) {
			return false
		}
		if call, ok := n.(*python.Call); ok {
			d.call(call)
		}
		return true
	})
}

func isStatement(n any) bool {
	switch n.(type) {
	case *python.Class, *python.Function, *python.Assign, *python.Simple, *python.Import, *python.Compound:
		return true
	}
	return false
}

func (d *dangerReader) call(call *python.Call) {
	full := d.f.qualified(call.Func)
	if full == "os.environ.update" && len(call.Args) > 0 {
		if dict, ok := call.Args[0].(*python.Dict); ok {
			for i, key := range dict.Keys {
				if key != nil {
					d.literalFor(key, dict.Values[i], call.Line)
				}
			}
		}
	}
	if full == "os.putenv" && len(call.Args) == 2 {
		d.literalFor(call.Args[0], call.Args[1], call.Line)
	}
	if !isLogging(full) {
		return
	}
	args := append([]python.Expr{}, call.Args...)
	for _, k := range call.Keywords {
		args = append(args, k.Value)
	}
	for _, a := range args {
		if name := d.secretIn(a); name != "" || d.wholeIn(a) {
			d.w.danger(Logged, name, Place{d.f.name, call.Line}, orObject(name)+" is printed or logged", "log the name, never the value")
			return
		}
	}
}

func isLogging(full string) bool {
	switch full {
	case "print", "pprint.pprint", "pprint", "sys.stdout.write", "sys.stderr.write", "click.echo", "typer.echo", "warnings.warn":
		return true
	}
	method := last(full)
	base := strings.ToLower(strings.TrimSuffix(full, "."+method))
	switch method {
	case "debug", "info", "warning", "warn", "error", "critical", "exception", "log", "msg", "bind":
		return strings.HasSuffix(base, "log") || strings.Contains(base, "logger") || strings.Contains(base, "logging") || strings.Contains(base, "loguru")
	}
	return false
}
