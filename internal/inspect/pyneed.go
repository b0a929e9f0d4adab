package inspect

import (
	"slices"

	"github.com/keephold/keephold/internal/inspect/python"
)

// needs is what the code round the looks of one file says about doing without a value. os.environ["X"] fails without
// one; os.getenv("X") does not, and what then becomes of None has to be read from the code:
//
//   - a look inside a try that goes on, or behind a question for the same name, is not needed;
//   - a value that the code asks about (if X, X or …, X is None) is not needed, unless the answer ends the program;
//   - a value that is used at once in a way that None does not bear (int(…), ….encode()) is needed;
//   - in a file that also says os.environ["Y"], os.getenv("X") is the author's word for what may be missing;
//   - what is left is needed: check would rather ask once too often.
type needs struct {
	tested  map[python.Expr]bool     // looks that are themselves the question
	used    map[python.Expr]bool     // looks whose value is used where None fails
	spared  map[python.Expr]bool     // everything inside a try that goes on after an error
	guarded map[python.Expr][]string // looks behind a question for these names
	target  map[python.Expr]string   // the name that a look is assigned to
	fatal   map[string]bool          // names without which the program ends
	strict  bool                     // the file says os.environ["X"] of what it needs
}

// asked is shared by all files: names that the code asks about before it uses them, wherever.
type asked map[string]bool

func (w *world) findNeeds(f *pyFile) *needs {
	n := &needs{map[python.Expr]bool{}, map[python.Expr]bool{}, map[python.Expr]bool{}, map[python.Expr][]string{}, map[python.Expr]string{}, map[string]bool{}, false}
	written := map[python.Expr]bool{}
	python.Walk(f.module.Body, func(x any) bool {
		switch x := x.(type) {
		case *python.Compound:
			n.compound(w, f, x)
		case *python.Assign:
			for _, t := range x.Targets {
				written[t] = true
			}
			if len(x.Targets) == 1 && x.Value != nil {
				n.assign(lastName(x.Targets[0]), x.Value)
			}
		case *python.Named:
			n.assign(x.Target, x.Value)
		case *python.Simple:
			if x.Keyword == "assert" && len(x.Values) > 0 {
				n.fatal[lastName(x.Values[0])] = true
			}
		case *python.Subscript:
			n.used[x.Value] = true
			if !written[x] && !n.spared[x] && f.qualified(x.Value) == "os.environ" {
				n.strict = true
			}
		case *python.Conditional:
			n.question(w, x.Test)
		case *python.Operation:
			n.operation(w, x)
		case *python.Call:
			n.call(w, f, x)
		}
		return true
	})
	return n
}

func (n *needs) operation(w *world, x *python.Operation) {
	switch x.Op {
	case "or", "and":
		for _, o := range x.Operands[:len(x.Operands)-1] {
			n.question(w, o)
		}
	case "not", "is", "is not", "==", "!=", "in", "not in":
		n.question(w, x)
	case "+", "%", "<", ">", "<=", ">=":
		for _, o := range x.Operands {
			n.used[o] = true
		}
	}
}

func (n *needs) call(w *world, f *pyFile, x *python.Call) {
	if a, ok := x.Func.(*python.Attribute); ok {
		n.used[a.Value] = true
	}
	switch name := f.qualified(x.Func); {
	case name == "int" || name == "float" || name == "len" || name == "json.loads":
		if len(x.Args) == 1 {
			n.used[x.Args[0]] = true
		}
	case name == "bool" && len(x.Args) == 1:
		n.question(w, x.Args[0])
	case name == "getattr" && len(x.Args) == 3:
		if s, ok := f.text(x.Args[1]); ok {
			w.asked[s] = true
		}
	}
}

func (n *needs) assign(name string, value python.Expr) {
	n.target[value] = name
	if call, ok := value.(*python.Call); ok && len(call.Args) == 1 { // X = int(os.getenv("X"))
		n.target[call.Args[0]] = name
	}
}

// question notes what an expression asks about.
func (n *needs) question(w *world, x python.Expr) {
	switch x := x.(type) {
	case *python.Name, *python.Attribute:
		w.asked[lastName(x)] = true
	case *python.Call, *python.Subscript:
		n.tested[x] = true
	case *python.Named:
		w.asked[x.Target] = true
		n.tested[x.Value] = true
	case *python.Operation:
		switch x.Op {
		case "or", "and", "not", "is", "is not", "==", "!=", "in", "not in":
			for _, o := range x.Operands {
				n.question(w, o)
			}
		}
	}
}

// compound reads a try that goes on, and an if.
func (n *needs) compound(w *world, f *pyFile, c *python.Compound) {
	switch c.Keyword {
	case "try":
		if c.Handlers == 0 || slices.ContainsFunc(c.Bodies[1:1+c.Handlers], endsProgram) {
			return
		}
		python.Walk(c.Bodies[0], func(x any) bool {
			if x, ok := x.(python.Expr); ok {
				n.spared[x] = true
			}
			return true
		})
	case "if", "while":
		for i, head := range c.Heads {
			n.question(w, head)
			if i < len(c.Bodies) && endsProgram(c.Bodies[i]) {
				for _, name := range missingOnes(head) {
					n.fatal[name] = true
				}
			}
		}
		names := f.namesAsked(c.Heads)
		if len(names) == 0 {
			return
		}
		for _, body := range c.Bodies {
			python.Walk(body, func(x any) bool {
				if x, ok := x.(python.Expr); ok && f.environRead(x) != nil {
					n.guarded[x] = append(n.guarded[x], names...)
				} else if call, ok := x.(*python.Call); ok {
					n.guarded[call] = append(n.guarded[call], names...)
				}
				return true
			})
		}
	}
}

// namesAsked lists the variables that an if looks at itself: if "X" in os.environ, if os.getenv("X").
func (f *pyFile) namesAsked(heads []python.Expr) (names []string) {
	for _, head := range heads {
		python.WalkExpr(head, func(x any) bool {
			if x, ok := x.(python.Expr); ok {
				if read := f.environRead(x); read != nil {
					if s, known := f.text(read.name); known {
						names = append(names, s)
					}
				}
			}
			return true
		})
	}
	return names
}

// endsProgram says whether a block ends in raise or in a call of exit.
func endsProgram(body []python.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	s, ok := body[len(body)-1].(*python.Simple)
	if !ok {
		return false
	}
	if s.Keyword == "raise" {
		return true
	}
	if s.Keyword == "" && len(s.Values) == 1 {
		if call, ok := s.Values[0].(*python.Call); ok {
			return slices.Contains([]string{"exit", "_exit", "quit", "abort"}, lastName(call.Func))
		}
	}
	return false
}

// missingOnes lists X of "not X", "X is None" and of several of them joined by or.
func missingOnes(x python.Expr) (names []string) {
	o, ok := x.(*python.Operation)
	if !ok {
		return nil
	}
	switch o.Op {
	case "not":
		names = append(names, lastName(o.Operands[0]))
	case "is", "==":
		if c, ok := o.Operands[len(o.Operands)-1].(*python.Constant); ok && c.Kind == python.None {
			names = append(names, lastName(o.Operands[0]))
		}
	case "or":
		for _, x := range o.Operands {
			names = append(names, missingOnes(x)...)
		}
	}
	return names
}

func lastName(x python.Expr) string {
	switch x := x.(type) {
	case *python.Name:
		return x.ID
	case *python.Attribute:
		return x.Attr
	}
	return ""
}

// needed says whether the code fails without what x looks up. hard is a look that fails by itself.
func (w *world) needed(f *pyFile, x python.Expr, name string, hard bool) bool {
	n := f.needs
	target := n.target[x]
	switch {
	case n.spared[x] || slices.Contains(n.guarded[x], name):
		return false
	case hard || n.used[x] || target != "" && n.fatal[target]:
		return true
	case n.tested[x] || target != "" && w.asked[target] || n.strict:
		return false
	}
	return true
}
