// Package python parses Python source into a tree, without running it and without giving up at an error.
//
// It covers the grammar of Python 3.14 as far as reading settings needs: every statement and every expression is parsed;
// what only matters to running a program (the kind of an operator, patterns of match, type parameters) is kept in
// outline. A statement that does not parse is noted in [Module.Errors] and skipped; what follows it is read.
package python

// Expr is an expression.
type Expr interface{ Position() Pos }

// Position is where an expression or statement begins.
func (p Pos) Position() Pos { return p }

// The expressions.
type (
	// Name is an identifier.
	Name struct {
		Pos
		ID string
	}
	// Attribute is Value.Attr.
	Attribute struct {
		Pos
		Value Expr
		Attr  string
	}
	// Call is Func(Args, Keywords).
	Call struct {
		Pos
		Func     Expr
		Args     []Expr // a Starred among them stands for any number
		Keywords []Keyword
	}
	// Keyword is Name=Value in a call or class; the name is empty for **Value.
	Keyword struct {
		Name  string
		Value Expr
	}
	// Subscript is Value[Index].
	Subscript struct {
		Pos
		Value, Index Expr
	}
	// Constant is a literal.
	Constant struct {
		Pos
		Kind ConstantKind
		Text string // of a string: its value; of a number: as it is written
	}
	// FString is a formatted string. Text has its expressions between braces.
	FString struct {
		Pos
		Text  string
		Parts []Expr
	}
	// Operation joins operands by operators: arithmetic, comparison, and, or, not.
	Operation struct {
		Pos
		Op       string
		Operands []Expr
	}
	// Conditional is Body if Test else Else.
	Conditional struct {
		Pos
		Test, Body, Else Expr
	}
	// Sequence is a list, tuple or set, or a slice.
	Sequence struct {
		Pos
		Kind  string // [ ( { or :
		Items []Expr
	}
	// Dict is {key: value}; a key is nil for **value.
	Dict struct {
		Pos
		Keys, Values []Expr
	}
	// Comprehension is Item for … in …, with all other expressions in Rest.
	Comprehension struct {
		Pos
		Item Expr
		Rest []Expr
	}
	// Lambda is a function of one expression.
	Lambda struct {
		Pos
		Body Expr
	}
	// Starred is *Value or **Value.
	Starred struct {
		Pos
		Value Expr
	}
	// Named is Target := Value.
	Named struct {
		Pos
		Target string
		Value  Expr
	}
	// Missing stands for an expression that is not there.
	Missing struct{ Pos }
)

// ConstantKind is the type of a literal.
type ConstantKind uint8

const (
	Str ConstantKind = iota
	Bytes
	Int
	Float
	Bool
	None
	Ellipsis
)

// Stmt is a statement.
type Stmt interface{ Position() Pos }

// The statements.
type (
	// Class is a class definition.
	Class struct {
		Pos
		Name       string
		Bases      []Expr
		Keywords   []Keyword
		Decorators []Expr
		Body       []Stmt
	}
	// Function is a function or method definition.
	Function struct {
		Pos
		Name       string
		Params     []Param
		Returns    Expr // nil without an annotation
		Decorators []Expr
		Body       []Stmt
	}
	// Param is a parameter; Annotation and Default may be nil.
	Param struct {
		Name                string
		Annotation, Default Expr
	}
	// Assign is Targets = Value, also with an annotation or an operator. Value may be nil with an annotation.
	Assign struct {
		Pos
		Targets    []Expr
		Annotation Expr
		Op         string // "=" or "+=" and the like
		Value      Expr
	}
	// Simple is a statement with expressions only: an expression, return, raise, assert, del.
	Simple struct {
		Pos
		Keyword string // empty for an expression
		Values  []Expr
	}
	// Import is import and from … import.
	Import struct {
		Pos
		Module string // of from; leading dots included
		From   bool
		Names  []Alias
	}
	// Alias is Name as As.
	Alias struct{ Name, As string }
	// Compound is if, for, while, try, with, match with all their branches.
	Compound struct {
		Pos
		Keyword string
		Heads   []Expr // conditions, iterables, context managers, exceptions
		Targets []Expr // of for and with; With[i] belongs to the head of the same index, nil without as
		Bodies  [][]Stmt
		// Handlers is how many bodies after the first belong to an except.
		Handlers int
	}
)

// Module is a parsed file.
type Module struct {
	Body   []Stmt
	Errors []Pos // statements that did not parse
}
