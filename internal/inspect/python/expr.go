package python

import "strings"

// expressions reads one expression, or a tuple without parentheses.
func (p *parser) expressions() Expr {
	t := p.peek()
	first := p.starred()
	if !p.is(",") {
		return first
	}
	s := &Sequence{Pos: t.pos, Kind: "(", Items: []Expr{first}}
	for p.accept(",") && !p.failed {
		if !p.beginsExpression() {
			break
		}
		s.Items = append(s.Items, p.starred())
	}
	return s
}

// targets reads what for assigns to: the word in ends it.
func (p *parser) targets() Expr {
	t := p.peek()
	first := p.target()
	if !p.is(",") {
		return first
	}
	s := &Sequence{Pos: t.pos, Kind: "(", Items: []Expr{first}}
	for p.accept(",") && !p.failed && !p.is("in") {
		s.Items = append(s.Items, p.target())
	}
	return s
}

func (p *parser) target() Expr {
	if t := p.peek(); p.accept("*") {
		return &Starred{t.pos, p.binary(bitOr)}
	}
	return p.binary(bitOr)
}

func (p *parser) beginsExpression() bool {
	t := p.peek()
	switch t.kind {
	case tokName:
		switch t.text {
		case "in", "is", "and", "or", "if", "else", "for", "as", "from", "import":
			return false
		}
		return true
	case tokNumber, tokString:
		return true
	case tokOp:
		return strings.Contains("( [ { - + ~ * ** ...", t.text) && t.text != "" && t.text != " "
	}
	return false
}

func (p *parser) starred() Expr {
	if t := p.peek(); p.accept("*") || p.accept("**") {
		return &Starred{t.pos, p.or()}
	}
	return p.named()
}

// named reads an expression that may assign with :=.
func (p *parser) named() Expr {
	t := p.peek()
	x := p.expression()
	if n, ok := x.(*Name); ok && p.accept(":=") {
		return &Named{t.pos, n.ID, p.expression()}
	}
	return x
}

func (p *parser) expression() Expr {
	t := p.peek()
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > deepest {
		p.fail()
	}
	if p.failed {
		return &Missing{t.pos}
	}
	if p.is("lambda") {
		p.at++
		for !p.is(":") && !p.failed {
			p.param(false)
			if !p.accept(",") {
				break
			}
		}
		p.expect(":")
		return &Lambda{t.pos, p.expression()}
	}
	if p.accept("yield") {
		p.accept("from")
		if !p.beginsExpression() {
			return &Missing{t.pos}
		}
		return p.expressions()
	}
	x := p.or()
	if !p.accept("if") {
		return x
	}
	c := &Conditional{Pos: t.pos, Body: x, Test: p.or()}
	p.expect("else")
	c.Else = p.expression()
	return c
}

func (p *parser) or() Expr {
	return p.chain("or", func() Expr {
		return p.chain("and", p.not)
	})
}

// chain reads operands that one word joins.
func (p *parser) chain(word string, operand func() Expr) Expr {
	t := p.peek()
	first := operand()
	if !p.is(word) {
		return first
	}
	o := &Operation{Pos: t.pos, Op: word, Operands: []Expr{first}}
	for p.accept(word) && !p.failed {
		o.Operands = append(o.Operands, operand())
	}
	return o
}

func (p *parser) not() Expr {
	t := p.peek()
	if p.accept("not") {
		p.depth++
		defer func() { p.depth-- }()
		if p.depth > deepest {
			p.fail()
			return &Missing{t.pos}
		}
		return &Operation{t.pos, "not", []Expr{p.not()}}
	}
	first := p.binary(bitOr)
	o := &Operation{Pos: t.pos, Operands: []Expr{first}}
	for !p.failed {
		op := p.comparison()
		if op == "" {
			break
		}
		o.Op = op
		o.Operands = append(o.Operands, p.binary(bitOr))
	}
	if len(o.Operands) == 1 {
		return first
	}
	return o
}

func isComparison(op string) bool {
	switch op {
	case "<", ">", "==", ">=", "<=", "!=":
		return true
	}
	return false
}

func (p *parser) comparison() string {
	t := p.peek()
	switch {
	case t.kind == tokOp && isComparison(t.text):
		p.at++
		return t.text
	case p.accept("in"):
		return "in"
	case p.accept("is"):
		if p.accept("not") {
			return "is not"
		}
		return "is"
	case p.is("not") && p.ahead().text == "in":
		p.at += 2
		return "not in"
	}
	return ""
}

// Levels of binary operators, loosest first.
const (
	bitOr = iota
	bitXor
	bitAnd
	shift
	sum
	term
	unary
)

func operatorsOf(level int) string {
	return [...]string{" | ", " ^ ", " & ", " << >> ", " + - ", " * / // % @ "}[level]
}

func (p *parser) binary(level int) Expr {
	if level == unary {
		return p.unary()
	}
	t := p.peek()
	x := p.binary(level + 1)
	for !p.failed {
		op := p.peek()
		if op.kind != tokOp || !strings.Contains(operatorsOf(level), " "+op.text+" ") {
			break
		}
		p.at++
		x = &Operation{t.pos, op.text, []Expr{x, p.binary(level + 1)}}
	}
	return x
}

func (p *parser) unary() Expr {
	t := p.peek()
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > deepest {
		p.fail()
		return &Missing{t.pos}
	}
	if t.kind == tokOp && (t.text == "-" || t.text == "+" || t.text == "~") {
		p.at++
		x := p.unary()
		if c, ok := x.(*Constant); ok && t.text == "-" && (c.Kind == Int || c.Kind == Float) {
			return &Constant{t.pos, c.Kind, "-" + c.Text}
		}
		return &Operation{t.pos, t.text, []Expr{x}}
	}
	p.accept("await")
	x := p.primary()
	if p.accept("**") {
		return &Operation{t.pos, "**", []Expr{x, p.unary()}}
	}
	return x
}

func (p *parser) primary() Expr {
	t := p.peek()
	x := p.atom()
	for !p.failed {
		switch {
		case p.accept("."):
			x = &Attribute{t.pos, x, p.name()}
		case p.accept("("):
			args, keywords := p.arguments()
			x = &Call{t.pos, x, args, keywords}
		case p.accept("["):
			x = &Subscript{t.pos, x, p.index()}
		default:
			return x
		}
	}
	return x
}

// arguments reads up to the closing parenthesis.
func (p *parser) arguments() (args []Expr, keywords []Keyword) {
	for !p.is(")") && !p.failed {
		t := p.peek()
		switch {
		case t.kind == tokName && p.ahead().kind == tokOp && p.ahead().text == "=":
			p.at += 2
			keywords = append(keywords, Keyword{t.text, p.expression()})
		case p.accept("**"):
			keywords = append(keywords, Keyword{"", p.expression()})
		default:
			args = append(args, p.comprehended(p.starred()))
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return args, keywords
}

// comprehended reads the for and if that may follow an item.
func (p *parser) comprehended(item Expr) Expr {
	if !p.is("for") && !(p.is("async") && p.ahead().text == "for") {
		return item
	}
	c := &Comprehension{Pos: item.Position(), Item: item}
	for !p.failed {
		p.accept("async")
		switch {
		case p.accept("for"):
			c.Rest = append(c.Rest, p.targets())
			p.expect("in")
			c.Rest = append(c.Rest, p.or())
		case p.accept("if"):
			c.Rest = append(c.Rest, p.or())
			if p.accept(":=") {
				c.Rest = append(c.Rest, p.or())
			}
		default:
			return c
		}
	}
	return c
}

func (p *parser) index() Expr {
	t := p.peek()
	var items []Expr
	for !p.is("]") && !p.failed {
		items = append(items, p.slice())
		if !p.accept(",") {
			break
		}
	}
	p.expect("]")
	if len(items) == 1 {
		return items[0]
	}
	return &Sequence{t.pos, "(", items}
}

func (p *parser) slice() Expr {
	t := p.peek()
	var parts []Expr
	if !p.is(":") {
		parts = append(parts, p.starred())
	}
	if !p.is(":") {
		return parts[0]
	}
	for p.accept(":") && !p.failed {
		if !p.is(":") && !p.is("]") && !p.is(",") {
			parts = append(parts, p.expression())
		}
	}
	return &Sequence{t.pos, ":", parts}
}

// list reads items up to the closing bracket.
func (p *parser) list(closing string) []Expr {
	var items []Expr
	for !p.is(closing) && !p.failed {
		items = append(items, p.comprehended(p.starred()))
		if p.accept(":") || p.accept("=") { // bounds and defaults of type parameters
			p.expression()
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(closing)
	return items
}

func (p *parser) atom() Expr {
	t := p.peek()
	switch t.kind {
	case tokName:
		return p.word()
	case tokNumber:
		p.at++
		kind := Int
		if strings.ContainsAny(t.text, ".jJ") || !strings.HasPrefix(strings.ToLower(t.text), "0x") && strings.ContainsAny(t.text, "eE") {
			kind = Float
		}
		return &Constant{t.pos, kind, t.text}
	case tokString:
		return p.strings()
	case tokOp:
		switch t.text {
		case "(":
			return p.parenthesised()
		case "[":
			p.at++
			return &Sequence{t.pos, "[", p.list("]")}
		case "{":
			return p.braces()
		case "...":
			p.at++
			return &Constant{t.pos, Ellipsis, "..."}
		}
	}
	p.fail()
	return &Missing{t.pos}
}

func (p *parser) word() Expr {
	t := p.take()
	switch t.text {
	case "True", "False":
		return &Constant{t.pos, Bool, t.text}
	case "None":
		return &Constant{t.pos, None, t.text}
	case "if", "else", "elif", "for", "while", "in", "is", "and", "or", "not", "def", "class", "return", "import", "from", "as",
		"with", "try", "except", "finally", "raise", "pass", "break", "continue", "global", "nonlocal", "del", "assert":
		p.at--
		p.fail()
		return &Missing{t.pos}
	}
	return &Name{t.pos, t.text}
}

// strings joins adjacent literals. One f-string among them makes the whole an f-string.
func (p *parser) strings() Expr {
	first := p.peek()
	var text strings.Builder
	var parts []Expr
	format := false
	for p.peek().kind == tokString {
		t := p.take()
		text.WriteString(t.text)
		format = format || strings.ContainsAny(t.prefix, "ft")
		for i, part := range t.parts {
			if p.depth < deepest {
				inner := &parser{toks: lex(part, t.at[i]), depth: p.depth + 10}
				parts = append(parts, inner.expressions())
			}
		}
	}
	if format {
		return &FString{first.pos, text.String(), parts}
	}
	kind := Str
	if strings.Contains(first.prefix, "b") {
		kind = Bytes
	}
	return &Constant{first.pos, kind, text.String()}
}

func (p *parser) parenthesised() Expr {
	t := p.take()
	if p.accept(")") {
		return &Sequence{t.pos, "(", nil}
	}
	first := p.comprehended(p.starred())
	if !p.is(",") {
		p.expect(")")
		return first
	}
	p.accept(",")
	s := &Sequence{t.pos, "(", []Expr{first}}
	s.Items = append(s.Items, p.list(")")...)
	return s
}

func (p *parser) braces() Expr {
	t := p.take()
	d := &Dict{Pos: t.pos}
	s := &Sequence{Pos: t.pos, Kind: "{"}
	for !p.is("}") && !p.failed {
		if p.accept("**") {
			d.Keys, d.Values = append(d.Keys, nil), append(d.Values, p.binary(bitOr))
		} else {
			key := p.starred()
			if p.accept(":") {
				d.Keys, d.Values = append(d.Keys, key), append(d.Values, p.comprehended(p.expression()))
			} else {
				s.Items = append(s.Items, p.comprehended(key))
			}
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	if len(s.Items) > 0 {
		return s
	}
	return d
}
