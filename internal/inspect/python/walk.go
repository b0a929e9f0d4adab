package python

// Walk visits every statement and expression, parents first. visit gets a Stmt, an Expr or a Keyword's value; where it
// returns false, the children are left out.
func Walk(body []Stmt, visit func(n any) bool) {
	w := walker{visit}
	w.statements(body)
}

// WalkExpr visits an expression and everything in it.
func WalkExpr(x Expr, visit func(n any) bool) {
	w := walker{visit}
	w.expr(x)
}

type walker struct{ visit func(n any) bool }

func (w walker) statements(body []Stmt) {
	for _, s := range body {
		w.statement(s)
	}
}

func (w walker) statement(s Stmt) {
	if !w.visit(s) {
		return
	}
	switch s := s.(type) {
	case *Class:
		w.exprs(s.Decorators)
		w.exprs(s.Bases)
		w.keywords(s.Keywords)
		w.statements(s.Body)
	case *Function:
		w.exprs(s.Decorators)
		for _, p := range s.Params {
			w.expr(p.Annotation)
			w.expr(p.Default)
		}
		w.expr(s.Returns)
		w.statements(s.Body)
	case *Assign:
		w.exprs(s.Targets)
		w.expr(s.Annotation)
		w.expr(s.Value)
	case *Simple:
		w.exprs(s.Values)
	case *Compound:
		w.exprs(s.Heads)
		w.exprs(s.Targets)
		for _, b := range s.Bodies {
			w.statements(b)
		}
	}
}

func (w walker) exprs(xs []Expr) {
	for _, x := range xs {
		w.expr(x)
	}
}

func (w walker) keywords(ks []Keyword) {
	for _, k := range ks {
		w.expr(k.Value)
	}
}

func (w walker) expr(x Expr) {
	if x == nil || !w.visit(x) {
		return
	}
	switch x := x.(type) {
	case *Attribute:
		w.expr(x.Value)
	case *Call:
		w.expr(x.Func)
		w.exprs(x.Args)
		w.keywords(x.Keywords)
	case *Subscript:
		w.expr(x.Value)
		w.expr(x.Index)
	case *FString:
		w.exprs(x.Parts)
	case *Operation:
		w.exprs(x.Operands)
	case *Conditional:
		w.exprs([]Expr{x.Test, x.Body, x.Else})
	case *Sequence:
		w.exprs(x.Items)
	case *Dict:
		w.exprs(x.Keys)
		w.exprs(x.Values)
	case *Comprehension:
		w.expr(x.Item)
		w.exprs(x.Rest)
	case *Lambda:
		w.expr(x.Body)
	case *Starred:
		w.expr(x.Value)
	case *Named:
		w.expr(x.Value)
	}
}

// Argument gives the argument of a call that has the name or, without one, the place; nil if there is none.
func (c *Call) Argument(place int, name string) Expr {
	for _, k := range c.Keywords {
		if k.Name == name && name != "" {
			return k.Value
		}
	}
	if place >= 0 && place < len(c.Args) {
		if _, star := c.Args[place].(*Starred); !star {
			return c.Args[place]
		}
	}
	return nil
}
