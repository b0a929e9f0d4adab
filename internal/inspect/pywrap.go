package inspect

import (
	"strings"

	"github.com/keephold/keephold/internal/inspect/python"
	"github.com/keephold/keephold/internal/settings"
)

// wrapper is a look into the environment inside a function, for the variable that a parameter names:
//
//	def env(name, default=None): return os.getenv("SHOP_" + name, default)
type wrapper struct {
	before, after string // what stands round the parameter
	name, def     int    // parameters: the name, and what comes in place of a missing value (-1: none)
	spared        bool   // the parameter of the default has itself a default
	called        bool   // the parameter of the default is called, so that without one there is an error
	required      bool   // without a parameter for a default: the function fails without a value
	typ           settings.Type
}

// function is a function whose parameters may name variables.
type function struct {
	f      *pyFile
	def    *python.Function
	params map[string]int
}

// findWrappers finds the functions that look for what they are told to, and those that call such a function in turn.
func (w *world) findWrappers() {
	var all []function
	for _, f := range w.files {
		python.Walk(f.module.Body, func(n any) bool {
			if fn, ok := n.(*python.Function); ok {
				if params := parameters(fn); len(params) > 0 {
					all = append(all, function{f, fn, params})
				}
			}
			return true
		})
	}
	for _, fn := range all {
		w.directWrapper(fn)
	}
	for range 3 { // a wrapper of a wrapper of a wrapper is enough
		if len(w.wrappers) == 0 {
			return
		}
		before := len(w.wrapped)
		for _, fn := range all {
			w.outerWrapper(fn)
		}
		if len(w.wrapped) == before {
			return
		}
	}
}

func parameters(fn *python.Function) map[string]int {
	params := map[string]int{}
	for _, p := range fn.Params {
		if p.Name != "self" && p.Name != "cls" && p.Name != "" {
			params[p.Name] = len(params)
		}
	}
	return params
}

// directWrapper notes the looks of a function for what its parameter names.
func (w *world) directWrapper(fn function) {
	python.Walk(fn.def.Body, func(n any) bool {
		x, ok := n.(python.Expr)
		if !ok {
			return true
		}
		read := fn.f.environRead(x)
		if read == nil || read.probe {
			return true
		}
		wr, ok := fn.around(read.name)
		if !ok {
			return true
		}
		wr.required = read.def == nil && w.needed(fn.f, x, "", read.hard)
		w.note(fn, x, wr)
		return true
	})
}

// outerWrapper notes the calls of other wrappers for what the parameter of a function names.
func (w *world) outerWrapper(fn function) {
	python.Walk(fn.def.Body, func(n any) bool {
		call, ok := n.(*python.Call)
		if !ok || w.wrapped[call] {
			return true
		}
		for _, inner := range w.wrappers[w.wrapperName(fn.f, call)] {
			name := call.Argument(inner.name, "")
			if name == nil {
				continue
			}
			wr, ok := fn.around(name)
			if !ok {
				continue
			}
			wr.before, wr.after = inner.before+wr.before, wr.after+inner.after
			wr.required = inner.missing(call)
			if wr.typ == "" {
				wr.typ = inner.typ
			}
			w.note(fn, call, wr)
		}
		return true
	})
}

// note keeps a wrapper; the look in its body is not reported.
func (w *world) note(fn function, x python.Expr, wr wrapper) {
	w.wrapped[x] = true
	for p, i := range fn.params {
		switch p {
		case "default", "fallback", "default_value", "default_factory":
			wr.def = i
			wr.called = calls(fn.def.Body, p)
		}
	}
	if wr.def >= 0 {
		for _, p := range fn.def.Params {
			if fn.params[p.Name] == wr.def && p.Default != nil {
				wr.spared = true
			}
		}
	}
	if wr.typ == "" && fn.def.Returns != nil {
		switch t := w.typeOf(fn.f, fn.def.Returns, 0).typ; t {
		case settings.Bool, settings.Int, settings.Float, settings.List:
			wr.typ = t
		}
	}
	for _, have := range w.wrappers[fn.def.Name] {
		if have.before == wr.before && have.after == wr.after {
			return
		}
	}
	w.wrappers[fn.def.Name] = append(w.wrappers[fn.def.Name], wr)
}

func calls(body []python.Stmt, name string) (found bool) {
	python.Walk(body, func(n any) bool {
		if call, ok := n.(*python.Call); ok {
			if id, ok := call.Func.(*python.Name); ok && id.ID == name {
				found = true
			}
		}
		return !found
	})
	return found
}

// around reads the name of a look: the parameter alone, or with text round it.
func (fn function) around(name python.Expr) (wrapper, bool) {
	if n, ok := name.(*python.Name); ok {
		i, is := fn.params[n.ID]
		return wrapper{name: i, def: -1}, is
	}
	text, known := fn.f.text(name)
	if known || strings.Count(text, "{") != 1 {
		return wrapper{}, false
	}
	before, rest, _ := strings.Cut(text, "{")
	param, after, ok := strings.Cut(rest, "}")
	i, is := fn.params[param]
	return wrapper{before: before, after: after, name: i, def: -1}, ok && is
}

// missing says whether a call fails without a value.
func (wr *wrapper) missing(call *python.Call) bool {
	if wr.def < 0 {
		return wr.required
	}
	return wr.defaultOf(call) == nil && (!wr.spared || wr.called)
}

func (wr *wrapper) defaultOf(call *python.Call) python.Expr {
	if wr.def < 0 {
		return nil
	}
	for _, name := range []string{"default", "fallback", "default_value", "default_factory"} {
		if x := call.Argument(-1, name); x != nil {
			return x
		}
	}
	return call.Argument(wr.def, "")
}

// wrapperName is the name under which the function of a call may be known as a wrapper; empty for what is surely none.
func (w *world) wrapperName(f *pyFile, call *python.Call) string {
	full := f.qualified(call.Func)
	if full == "" || strings.HasPrefix(full, "os.") {
		return ""
	}
	return last(full)
}

// wrapperCall reports a call of such a function.
func (r *callReader) wrapperCall(call *python.Call, full string) (found bool) {
	if full == "" || strings.HasPrefix(full, "os.") || r.w.wrapped[call] {
		return false
	}
	for _, wr := range r.w.wrappers[last(full)] {
		arg := call.Argument(wr.name, "")
		if arg == nil {
			continue
		}
		name, known := r.f.text(arg)
		if !known || name == "" {
			continue
		}
		found = true
		read := &envRead{
			name: &python.Constant{Pos: arg.Position(), Kind: python.Str, Text: wr.before + name + wr.after},
			def:  wr.defaultOf(call), required: wr.missing(call),
		}
		if wr.called {
			read.def = nil // what it makes is only known at run time
		}
		read.required = read.required && r.w.needed(r.f, call, name, true)
		h := hint{}
		if wr.before == "" && wr.after == "" {
			h.typ = wr.typ
		}
		r.report(Environ, call, read, h)
	}
	return found
}
