package python

// Parse reads a source. It never fails as a whole.
func Parse(src string) *Module {
	p := &parser{toks: lex(src, Pos{1, 1})}
	m := &Module{}
	for p.peek().kind != tokEnd {
		before := p.at
		m.Body = append(m.Body, p.statement()...)
		if p.at == before {
			p.at++
		}
	}
	m.Errors = p.errors
	return m
}

type parser struct {
	toks   []token
	at     int
	errors []Pos
	depth  int  // of nested expressions and blocks
	failed bool // the current statement does not parse
}

// deepest bounds the recursion; Python's own parser has such a bound too.
const deepest = 200

func (p *parser) peek() *token { return &p.toks[min(p.at, len(p.toks)-1)] }

func (p *parser) ahead() *token { return &p.toks[min(p.at+1, len(p.toks)-1)] }

func (p *parser) take() *token {
	t := p.peek()
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) is(text string) bool {
	t := p.peek()
	return (t.kind == tokOp || t.kind == tokName) && t.text == text
}

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail()
	}
}

func (p *parser) fail() { p.failed = true }

func (p *parser) name() string {
	if t := p.peek(); t.kind == tokName {
		p.at++
		return t.text
	}
	p.fail()
	return ""
}

// statement reads one logical line, or a compound statement with its block.
func (p *parser) statement() []Stmt {
	t := p.peek()
	switch t.kind {
	case tokNewline, tokDedent:
		p.at++
		return nil
	case tokIndent: // an indentation that nothing opened: read the block all the same
		p.errors = append(p.errors, t.pos)
		return p.suite()
	}
	p.failed = false
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > deepest {
		p.fail()
		p.recover(t.pos)
		return nil
	}
	if s := p.compound(); s != nil {
		if p.failed {
			p.recover(t.pos)
		}
		return []Stmt{s}
	}
	var out []Stmt
	for {
		out = append(out, p.simple())
		if p.failed {
			p.recover(t.pos)
			return out
		}
		if !p.accept(";") || p.peek().kind == tokNewline {
			break
		}
	}
	if k := p.peek().kind; k != tokNewline && k != tokEnd && k != tokDedent {
		p.fail()
		p.recover(t.pos)
		return out
	}
	if p.peek().kind == tokNewline {
		p.at++
	}
	return out
}

// recover skips to the next line.
func (p *parser) recover(at Pos) {
	p.errors = append(p.errors, at)
	p.failed = false
	for k := p.peek().kind; k != tokNewline && k != tokEnd; k = p.peek().kind {
		if k == tokIndent || k == tokDedent {
			return
		}
		p.at++
	}
	if p.peek().kind == tokNewline {
		p.at++
	}
}

// suite reads an indented block, or the statements behind a colon on the same line.
func (p *parser) suite() []Stmt {
	if p.peek().kind == tokNewline {
		p.at++
	}
	if p.peek().kind != tokIndent {
		if p.toks[max(p.at-1, 0)].kind == tokNewline {
			return nil // the block is missing
		}
		return p.statement()
	}
	p.at++
	var out []Stmt
	for p.peek().kind != tokDedent && p.peek().kind != tokEnd {
		before := p.at
		out = append(out, p.statement()...)
		if p.at == before {
			p.at++
		}
	}
	if p.peek().kind == tokDedent {
		p.at++
	}
	return out
}

func (p *parser) block() []Stmt {
	p.expect(":")
	if p.failed {
		pos := p.peek().pos
		p.recover(pos)
		if p.peek().kind != tokIndent {
			return nil
		}
	}
	body := p.suite()
	p.failed = false
	return body
}

// compound reads a statement with a block; nil if none begins here.
func (p *parser) compound() Stmt {
	t := p.peek()
	if t.kind == tokOp && t.text == "@" {
		return p.decorated()
	}
	if t.kind != tokName {
		return nil
	}
	switch t.text {
	case "class":
		return p.class(nil)
	case "def":
		return p.function(nil)
	case "async":
		p.at++
		return p.compound()
	case "if", "while", "for", "try", "with":
		return p.branches()
	case "match":
		if p.looksLikeMatch() {
			return p.match()
		}
	}
	return nil
}

func (p *parser) decorated() Stmt {
	var decorators []Expr
	for p.accept("@") {
		decorators = append(decorators, p.named())
		for p.peek().kind == tokNewline {
			p.at++
		}
		if p.failed {
			return &Simple{Pos: p.peek().pos, Values: decorators}
		}
	}
	p.accept("async")
	switch {
	case p.is("def"):
		return p.function(decorators)
	case p.is("class"):
		return p.class(decorators)
	}
	p.fail()
	return &Simple{Pos: p.peek().pos, Values: decorators}
}

func (p *parser) class(decorators []Expr) Stmt {
	c := &Class{Pos: p.take().pos, Decorators: decorators}
	c.Name = p.name()
	p.typeParams()
	if p.accept("(") {
		c.Bases, c.Keywords = p.arguments()
	}
	c.Body = p.block()
	return c
}

func (p *parser) typeParams() {
	if p.accept("[") {
		p.list("]")
	}
}

func (p *parser) function(decorators []Expr) Stmt {
	f := &Function{Pos: p.take().pos, Decorators: decorators}
	f.Name = p.name()
	p.typeParams()
	p.expect("(")
	for !p.failed && !p.is(")") {
		f.Params = append(f.Params, p.param(true))
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if p.accept("->") {
		f.Returns = p.expression()
	}
	f.Body = p.block()
	return f
}

// param reads one parameter, of a def with annotations or of a lambda without.
func (p *parser) param(annotated bool) Param {
	var out Param
	if p.accept("/") {
		return out
	}
	if p.accept("*") || p.accept("**") {
		if p.is(",") {
			return out
		}
	}
	out.Name = p.name()
	if annotated && p.accept(":") {
		out.Annotation = p.starred()
	}
	if p.accept("=") {
		out.Default = p.expression()
	}
	return out
}

func (p *parser) branches() Stmt {
	t := p.take()
	c := &Compound{Pos: t.pos, Keyword: t.text}
	switch t.text {
	case "if", "while":
		c.Heads = append(c.Heads, p.named())
	case "for":
		c.Targets = append(c.Targets, p.targets())
		p.expect("in")
		c.Heads = append(c.Heads, p.expressions())
	case "with":
		p.withItems(c)
	}
	c.Bodies = append(c.Bodies, p.block())
	for {
		switch {
		case p.is("elif") && t.text == "if":
			p.at++
			c.Heads = append(c.Heads, p.named())
		case p.is("except") && t.text == "try":
			p.at++
			c.Handlers++
			p.accept("*")
			if !p.is(":") {
				c.Heads = append(c.Heads, p.expressions())
				if p.accept("as") {
					p.name()
				}
			}
		case p.is("else") || p.is("finally") && t.text == "try":
			p.at++
		default:
			return c
		}
		c.Bodies = append(c.Bodies, p.block())
	}
}

// withItems reads a as b, c as d, in parentheses or not. Parentheses round all items parse as a tuple whose items are
// followed by as; both are tried.
func (p *parser) withItems(c *Compound) {
	start := p.at
	if p.accept("(") && p.items(c) && p.accept(")") && p.is(":") {
		return
	}
	p.at, p.failed = start, false
	c.Heads, c.Targets = nil, nil
	p.items(c)
}

func (p *parser) items(c *Compound) bool {
	for !p.is(")") {
		c.Heads = append(c.Heads, p.expression())
		var target Expr
		if p.accept("as") {
			target = p.binary(bitOr)
		}
		c.Targets = append(c.Targets, target)
		if p.failed {
			return false
		}
		if !p.accept(",") {
			break
		}
	}
	return !p.failed
}

// looksLikeMatch tells the statement from a variable called match: the line ends with a colon and a block follows.
func (p *parser) looksLikeMatch() bool {
	next := p.ahead()
	if next.kind == tokNewline || next.kind == tokOp && next.text != "..." && next.text != "(" && next.text != "[" && next.text != "{" && next.text != "-" &&
		next.text != "*" {
		return false
	}
	for i := p.at; i+2 < len(p.toks); i++ {
		if p.toks[i].kind == tokNewline {
			return p.toks[i-1].text == ":" && p.toks[i+1].kind == tokIndent && p.toks[i+2].text == "case"
		}
	}
	return false
}

func (p *parser) match() Stmt {
	c := &Compound{Pos: p.take().pos, Keyword: "match"}
	c.Heads = append(c.Heads, p.expressions())
	p.expect(":")
	for p.peek().kind == tokNewline || p.peek().kind == tokIndent {
		p.at++
	}
	for p.accept("case") {
		depth := 0 // a pattern binds names but reads no settings; it is skipped up to its colon
		for k := p.peek(); k.kind != tokNewline && k.kind != tokEnd; k = p.peek() {
			if k.text == ":" && depth == 0 && k.kind == tokOp {
				break
			}
			switch {
			case k.kind != tokOp:
			case k.text == "(" || k.text == "[" || k.text == "{":
				depth++
			case k.text == ")" || k.text == "]" || k.text == "}":
				depth--
			}
			p.at++
		}
		c.Bodies = append(c.Bodies, p.block())
	}
	if p.peek().kind == tokDedent {
		p.at++
	}
	return c
}

// simple reads a statement without a block.
func (p *parser) simple() Stmt {
	t := p.peek()
	if t.kind == tokName {
		switch t.text {
		case "import":
			return p.imports()
		case "from":
			return p.importFrom()
		case "pass", "break", "continue":
			p.at++
			return &Simple{Pos: t.pos, Keyword: t.text}
		case "return", "raise", "assert", "del", "global", "nonlocal":
			return p.keywordStatement()
		}
	}
	first := p.expressions()
	switch {
	case p.accept(":"):
		a := &Assign{Pos: t.pos, Targets: []Expr{first}, Op: "=", Annotation: p.expression()}
		if p.accept("=") {
			a.Value = p.expressions()
		}
		return a
	case p.is("="):
		a := &Assign{Pos: t.pos, Targets: []Expr{first}, Op: "="}
		for p.accept("=") {
			if a.Value != nil {
				a.Targets = append(a.Targets, a.Value)
			}
			a.Value = p.expressions()
		}
		return a
	}
	if op := p.peek(); op.kind == tokOp && len(op.text) > 1 && op.text[len(op.text)-1] == '=' && !isComparison(op.text) && op.text != ":=" {
		p.at++
		return &Assign{Pos: t.pos, Targets: []Expr{first}, Op: op.text, Value: p.expressions()}
	}
	if n, ok := first.(*Name); ok && n.ID == "type" && p.peek().kind == tokName { // type X = …
		p.at++
		p.typeParams()
		p.expect("=")
		return &Simple{Pos: t.pos, Keyword: "type", Values: []Expr{p.expression()}}
	}
	return &Simple{Pos: t.pos, Values: []Expr{first}}
}

func (p *parser) keywordStatement() Stmt {
	t := p.take()
	s := &Simple{Pos: t.pos, Keyword: t.text}
	for k := p.peek(); k.kind != tokNewline && k.kind != tokEnd && !p.is(";") && !p.failed; k = p.peek() {
		s.Values = append(s.Values, p.expressions())
		if !p.accept("from") && !p.accept(",") {
			break
		}
	}
	return s
}

func (p *parser) dotted() string {
	name := p.name()
	for p.accept(".") {
		name += "." + p.name()
	}
	return name
}

func (p *parser) imports() Stmt {
	i := &Import{Pos: p.take().pos}
	for {
		a := Alias{Name: p.dotted()}
		if p.accept("as") {
			a.As = p.name()
		}
		i.Names = append(i.Names, a)
		if !p.accept(",") {
			return i
		}
	}
}

func (p *parser) importFrom() Stmt {
	i := &Import{Pos: p.take().pos, From: true}
	for p.is(".") || p.is("...") {
		i.Module += p.take().text
	}
	if !p.is("import") {
		i.Module += p.dotted()
	}
	p.expect("import")
	if p.accept("*") {
		i.Names = []Alias{{Name: "*"}}
		return i
	}
	open := p.accept("(")
	for p.peek().kind == tokName {
		a := Alias{Name: p.name()}
		if p.accept("as") {
			a.As = p.name()
		}
		i.Names = append(i.Names, a)
		if !p.accept(",") {
			break
		}
	}
	if open {
		p.expect(")")
	}
	return i
}
