package inspect

import (
	"strings"

	"github.com/keephold/keephold/internal/inspect/python"
)

// world is all Python files of a project together. Classes, instances and functions are found by their last name: good
// enough to follow an import without running one.
type world struct {
	report  *Report
	files   []*pyFile
	classes map[string]*pyClass
	// instances are module-level names that hold a settings object; makers are functions that return one.
	instances map[string]*pyClass
	makers    map[string]*pyClass
	wrappers  map[string][]wrapper // functions that read the variable that a parameter names
	wrapped   map[python.Expr]bool // their looks: the callers are reported instead
	asked     asked
	makings   map[string][]making // of a class: the calls that make an object of it
}

// pyFile is one parsed file with what its names stand for.
type pyFile struct {
	name    string
	module  *python.Module
	names   map[string]string      // local name to what it was imported as: "getenv" to "os.getenv"
	consts  map[string]python.Expr // module-level names that are assigned once
	configs map[string]Reader      // names that hold a decouple or Starlette config object
	needs   *needs
}

// pyClass is a class definition and where it stands.
type pyClass struct {
	file *pyFile
	def  *python.Class
}

func newWorld(r *Report) *world {
	return &world{report: r, classes: map[string]*pyClass{}, instances: map[string]*pyClass{}, makers: map[string]*pyClass{},
		wrappers: map[string][]wrapper{}, wrapped: map[python.Expr]bool{}, asked: asked{},
		makings: map[string][]making{}}
}

func (w *world) parse(s Source) {
	f := &pyFile{name: s.Name, module: python.Parse(string(s.Text)), names: map[string]string{}, consts: map[string]python.Expr{},
		configs: map[string]Reader{}}
	for _, pos := range f.module.Errors {
		w.report.Unread = append(w.report.Unread, Unread{Place{s.Name, pos.Line}, "this statement does not parse"})
	}
	assigned := map[string]int{}
	python.Walk(f.module.Body, func(n any) bool {
		switch n := n.(type) {
		case *python.Import:
			f.imports(n)
		case *python.Class:
			w.classes[n.Name] = &pyClass{f, n}
		case *python.Assign:
			for _, t := range n.Targets {
				if name, ok := t.(*python.Name); ok {
					assigned[name.ID]++
				}
			}
		}
		return true
	})
	for _, s := range f.module.Body {
		if a, ok := s.(*python.Assign); ok && a.Value != nil {
			for _, t := range a.Targets {
				if name, ok := t.(*python.Name); ok && assigned[name.ID] == 1 {
					f.consts[name.ID] = a.Value
				}
			}
		}
	}
	w.files = append(w.files, f)
}

func (f *pyFile) imports(n *python.Import) {
	for _, a := range n.Names {
		switch {
		case n.From:
			local := a.As
			if local == "" {
				local = a.Name
			}
			f.names[local] = n.Module + "." + a.Name
		case a.As != "":
			f.names[a.As] = a.Name
		default:
			first, _, _ := strings.Cut(a.Name, ".")
			f.names[first] = first
		}
	}
}

// qualified gives the full name of an expression such as os.environ.get; empty if it is none.
func (f *pyFile) qualified(x python.Expr) string { return f.qualifiedDeep(x, 0) }

func (f *pyFile) qualifiedDeep(x python.Expr, depth int) string {
	switch x := x.(type) {
	case *python.Name:
		if full, ok := f.names[x.ID]; ok {
			return full
		}
		if alias, ok := f.consts[x.ID]; ok && depth < 5 { // environ = os.environ
			if full := f.qualifiedDeep(alias, depth+1); strings.HasPrefix(full, "os.") {
				return full
			}
		}
		return x.ID
	case *python.Attribute:
		if base := f.qualifiedDeep(x.Value, depth); base != "" {
			return base + "." + x.Attr
		}
	}
	return ""
}

// text gives the value of a string expression; parts known only at run time are in braces and make known false.
func (f *pyFile) text(x python.Expr) (s string, known bool) { return f.textDeep(x, 0) }

func (f *pyFile) textDeep(x python.Expr, depth int) (s string, known bool) {
	if depth > 10 {
		return "", false
	}
	switch x := x.(type) {
	case *python.Constant:
		return x.Text, x.Kind == python.Str
	case *python.Name:
		if v, ok := f.consts[x.ID]; ok {
			if s, known := f.textDeep(v, depth+1); known {
				return s, true
			}
		}
		return "{" + x.ID + "}", false
	case *python.FString:
		s := x.Text
		known = true
		for _, part := range x.Parts {
			v, ok := f.textDeep(part, depth+1)
			known = known && ok
			if n, is := part.(*python.Name); is && ok {
				s = strings.ReplaceAll(s, "{"+n.ID+"}", v)
			}
		}
		return s, known
	case *python.Operation:
		if x.Op != "+" || len(x.Operands) != 2 {
			return "", false
		}
		a, okA := f.textDeep(x.Operands[0], depth+1)
		b, okB := f.textDeep(x.Operands[1], depth+1)
		return a + b, okA && okB
	case *python.Attribute:
		return "{" + f.qualified(x) + "}", false
	}
	return "", false
}

// read looks at everything, once all files are parsed.
func (w *world) read() {
	for _, f := range w.files {
		w.findObjects(f)
	}
	for _, f := range w.files {
		f.needs = w.findNeeds(f)
		w.findMakings(f)
	}
	w.findWrappers()
	for _, f := range w.files {
		w.readClasses(f)
		w.readCalls(f)
		w.readDangers(f)
	}
}

// findObjects finds what holds a settings object and what makes one, and the config objects of decouple and Starlette.
func (w *world) findObjects(f *pyFile) {
	for name, value := range f.consts {
		call, ok := value.(*python.Call)
		if !ok {
			continue
		}
		full := f.qualified(call.Func)
		switch full {
		case "decouple.Config", "decouple.AutoConfig":
			f.configs[name] = Decouple
		case "starlette.config.Config":
			f.configs[name] = Starlette
		case "environ.Env", "environ.FileAwareEnv", "environs.Env":
			f.configs[name] = DjangoEnviron
		}
		if c := w.settingsClass(last(full)); c != nil {
			w.instances[name] = c
		}
	}
	for local, full := range f.names {
		if full == "decouple.config" {
			f.configs[local] = Decouple
		}
	}
	python.Walk(f.module.Body, func(n any) bool {
		if fn, ok := n.(*python.Function); ok {
			if c := w.settingsClass(last(f.qualified(fn.Returns))); c != nil {
				w.makers[fn.Name] = c
			}
			for _, s := range fn.Body {
				if r, ok := s.(*python.Simple); ok && r.Keyword == "return" && len(r.Values) == 1 {
					if call, ok := r.Values[0].(*python.Call); ok {
						if c := w.settingsClass(last(f.qualified(call.Func))); c != nil {
							w.makers[fn.Name] = c
						}
					}
				}
			}
		}
		return true
	})
	for name, value := range f.consts {
		if call, ok := value.(*python.Call); ok {
			if c := w.makers[last(f.qualified(call.Func))]; c != nil {
				w.instances[name] = c
			}
		}
	}
}

func last(full string) string { return full[strings.LastIndexByte(full, '.')+1:] }

// settingsClass finds a class by name if it derives from BaseSettings.
func (w *world) settingsClass(name string) *pyClass {
	c := w.classes[name]
	if c == nil || !w.derives(c, "BaseSettings", 0) {
		return nil
	}
	return c
}

// derives says whether a class has an ancestor of the name.
func (w *world) derives(c *pyClass, ancestor string, depth int) bool {
	if depth > 20 {
		return false
	}
	for _, base := range c.def.Bases {
		if s, ok := base.(*python.Subscript); ok {
			base = s.Value
		}
		name := last(c.file.qualified(base))
		if name == ancestor {
			return true
		}
		if parent := w.classes[name]; parent != nil && parent != c && w.derives(parent, ancestor, depth+1) {
			return true
		}
	}
	return false
}
