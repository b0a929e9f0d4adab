package hcl

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/scanner"
	"github.com/hashicorp/hcl/hcl/token"

	"github.com/keephold/keephold/internal/policy"
)

// shape is what a node is.
type shape uint8

const (
	scalar shape = iota
	list
	object
)

// node is one value of a file, in HCL and JSON alike.
type node struct {
	shape shape
	line  int
	value policy.Value // of a scalar
	text  string       // of a scalar that is a string
	str   bool
	elems []*node
	items []item
}

// item is one key (or, in HCL, a block's type and label) with its value.
type item struct {
	keys []string
	line int
	val  *node
}

func parseHCL(src []byte) (n *node, fault *Error) {
	// The library panics on some texts that its scanner lets through.
	defer func() {
		if r := recover(); r != nil {
			n, fault = nil, &Error{Err: errors.New("not a policy file: the HCL in it cannot be read")}
		}
	}()
	if err := checkDepth(src); err != nil {
		return nil, err
	}
	file, err := parser.Parse(src)
	if err != nil {
		var at *parser.PosError
		if errors.As(err, &at) {
			return nil, &Error{Line: at.Pos.Line, Err: fmt.Errorf("not HCL: %w", at.Err)}
		}
		return nil, &Error{Err: fmt.Errorf("not HCL: %w", err)}
	}
	top, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return nil, &Error{Err: errors.New("not a policy file: it has no blocks")}
	}
	return fromItems(top, 1)
}

// checkDepth looks at the tokens before the parser, which is recursive and trusting, does.
func checkDepth(src []byte) *Error {
	s := scanner.New(src)
	s.Error = func(token.Pos, string) {} // the parser will say it again, with more sense
	for depth := 0; ; {
		t := s.Scan()
		switch t.Type {
		case token.EOF:
			return nil
		case token.LBRACE, token.LBRACK:
			depth++
		case token.RBRACE, token.RBRACK:
			depth--
		}
		if depth > MaxDepth {
			return &Error{Line: t.Pos.Line, Err: fmt.Errorf("more than %d levels inside each other", MaxDepth)}
		}
	}
}

func fromItems(l *ast.ObjectList, line int) (*node, *Error) {
	n := &node{shape: object, line: line}
	for _, it := range l.Items {
		at := it.Pos().Line
		val, fault := fromAST(it.Val, at)
		if fault != nil {
			return nil, fault
		}
		one := item{line: at, val: val}
		for _, k := range it.Keys {
			text, ok := k.Token.Value().(string)
			if !ok {
				return nil, &Error{Line: at, Err: fmt.Errorf("%s is not a name", k.Token.Text)}
			}
			one.keys = append(one.keys, text)
		}
		if len(one.keys) == 0 {
			return nil, &Error{Line: at, Err: errors.New("a value without a key")}
		}
		n.items = append(n.items, one)
	}
	return n, nil
}

func fromAST(a ast.Node, line int) (*node, *Error) {
	switch v := a.(type) {
	case *ast.ObjectType:
		return fromItems(v.List, line)
	case *ast.ListType:
		n := &node{shape: list, line: line}
		for _, e := range v.List {
			elem, fault := fromAST(e, line)
			if fault != nil {
				return nil, fault
			}
			n.elems = append(n.elems, elem)
		}
		return n, nil
	case *ast.LiteralType:
		return fromToken(v.Token)
	}
	return nil, &Error{Line: line, Err: errors.New("a value is missing")}
}

// fromToken reads a literal. The library panics on numbers out of range and on some texts; such a token is a fault of its line.
func fromToken(t token.Token) (n *node, fault *Error) {
	defer func() {
		if r := recover(); r != nil {
			n, fault = nil, &Error{Line: t.Pos.Line, Err: fmt.Errorf("%s cannot be read: it is out of range or malformed", clip(t.Text))}
		}
	}()
	n = &node{line: t.Pos.Line}
	switch v := t.Value().(type) {
	case string:
		n.text, n.str, n.value = v, true, policy.StringValue(v)
	case bool:
		n.value = policy.Value(strconv.FormatBool(v))
	case int64:
		n.value = policy.Value(strconv.FormatInt(v, 10))
	case float64:
		n.value = policy.Value(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return n, nil
}
