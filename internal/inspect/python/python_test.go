package python_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/inspect/python"
)

// show writes an expression so that its structure can be compared.
func show(x python.Expr) string {
	list := func(xs []python.Expr) string {
		out := make([]string, len(xs))
		for i := range xs {
			out[i] = show(xs[i])
		}
		return strings.Join(out, " ")
	}
	switch x := x.(type) {
	case nil:
		return "nil"
	case *python.Name:
		return x.ID
	case *python.Attribute:
		return show(x.Value) + "." + x.Attr
	case *python.Call:
		s := show(x.Func) + "(" + list(x.Args)
		for _, k := range x.Keywords {
			s += " " + k.Name + "=" + show(k.Value)
		}
		return s + ")"
	case *python.Subscript:
		return show(x.Value) + "[" + show(x.Index) + "]"
	case *python.Constant:
		return fmt.Sprintf("%d:%q", x.Kind, x.Text)
	case *python.FString:
		return fmt.Sprintf("f%q{%s}", x.Text, list(x.Parts))
	case *python.Operation:
		return "(" + x.Op + " " + list(x.Operands) + ")"
	case *python.Conditional:
		return "(if " + show(x.Test) + " " + show(x.Body) + " " + show(x.Else) + ")"
	case *python.Sequence:
		return "(" + x.Kind + " " + list(x.Items) + ")"
	case *python.Dict:
		return "{" + list(x.Keys) + " : " + list(x.Values) + "}"
	case *python.Comprehension:
		return "(for " + show(x.Item) + " " + list(x.Rest) + ")"
	case *python.Lambda:
		return "(lambda " + show(x.Body) + ")"
	case *python.Starred:
		return "*" + show(x.Value)
	case *python.Named:
		return x.Target + ":=" + show(x.Value)
	}
	return fmt.Sprintf("%T", x)
}

func TestExpressions(t *testing.T) {
	for src, want := range map[string]string{
		`os.environ["A"]`:            `os.environ[0:"A"]`,
		`os.getenv('A', "b" 'c')`:    `os.getenv(0:"A" 0:"bc")`,
		`config("A", cast=int, **k)`: `config(0:"A" cast=int =k)`,
		`a or b and not c`:           `(or a (and b (not c)))`,
		`x if y else z`:              `(if y x z)`,
		`f"a{b!r:>{w}}{{c}}"`:        `f"a{b}{c}"{b}`,
		`f"{d['k']}/{e(1)}"`:         `f"{d['k']}/{e(1)}"{d[0:"k"] e(2:"1")}`,
		`-1 + 2 * 3 ** 4`:            `(+ 2:"-1" (* 2:"2" (** 2:"3" 2:"4")))`,
		`str | None`:                 `(| str 6:"None")`,
		`Literal["a", "b"]`:          `Literal[(( 0:"a" 0:"b")]`,
		`{"a": 1, **b}`:              `{0:"a" nil : 2:"1" b}`,
		`[x for x in y if x]`:        `([ (for x x y x))`,
		`lambda a, *b, c=1: a`:       `(lambda a)`,
		`(n := 5)`:                   `n:=2:"5"`,
		`b"x"`:                       `1:"x"`,
		`r"\n" "\n"`:                 `0:"\\n\n"`,
		"\"\"\"a\n'b\"\"\"":          `0:"a\n'b"`,
		`...`:                        `6:"..."`,
		`a[1:2, ::3]`:                `a[(( (: 2:"1" 2:"2") (: 2:"3"))]`,
		`await f(*a, *b or c)`:       `f(*a *(or b c))`,
		`1.5e-3 + 0x_1F`:             `(+ 3:"1.5e-3" 2:"0x_1F")`,
		`x not in y`:                 `(not in x y)`,
		"f(a,\n  # c\n  b=1,\n)":     `f(a b=2:"1")`,
	} {
		if strings.Contains(want, `6:"`) {
			want = strings.ReplaceAll(strings.ReplaceAll(want, `6:"None"`, fmt.Sprintf(`%d:"None"`, python.None)), `6:"..."`,
				fmt.Sprintf(`%d:"..."`, python.Ellipsis))
		}
		m := python.Parse(src + "\n")
		if len(m.Body) != 1 || len(m.Errors) != 0 {
			t.Errorf("%s: %d statements, errors at %v", src, len(m.Body), m.Errors)
			continue
		}
		if got := show(m.Body[0].(*python.Simple).Values[0]); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
}

const program = `# -*- coding: utf-8 -*-
"""Doc."""
from __future__ import annotations
import os, sys as system
from .config import (
    settings,
    get_settings as gs,
)

@lru_cache(maxsize=1)
async def load(a: int, /, b: str = "x", *args, key: bool = False, **kw) -> Settings:
    with open(a) as f, open(b): pass
    with (
        one() as x,
        two(),
    ):
        return Settings()

class Settings(BaseSettings, env_prefix="A_"):
    class Config:
        env_file = ".env"
    db: str = Field(..., alias="DB")
    debug: bool
    port = 5; host = "h"

	# a comment at an odd place
match command:
    case {"a": [1, *rest]} if rest:
        pass
    case _:
        match = 1
try:
    x += 1
except* (A, B) as e:
    raise
else:
    pass
finally:
    del x
for i, (a, b) in enumerate(y):
    yield i
type Alias[T: int] = list[T]
def generic[T](x: T) -> T: return x
if a: b()
elif c:
    d()
else: e()
`

func TestStatements(t *testing.T) {
	m := python.Parse(program)
	if len(m.Errors) != 0 {
		t.Fatalf("errors at %v", m.Errors)
	}
	fn := m.Body[4].(*python.Function)
	if fn.Name != "load" || len(fn.Decorators) != 1 || len(fn.Params) != 6 || show(fn.Returns) != "Settings" || len(fn.Body) != 2 {
		t.Errorf("got %+v", fn)
	}
	with := fn.Body[1].(*python.Compound)
	if len(with.Heads) != 2 || show(with.Targets[0]) != "x" || with.Targets[1] != nil || len(with.Bodies[0]) != 1 {
		t.Errorf("got %+v", with)
	}
	class := m.Body[5].(*python.Class)
	if class.Line != 19 || class.Keywords[0].Name != "env_prefix" || len(class.Body) != 5 {
		t.Errorf("got %+v", class)
	}
	field := class.Body[1].(*python.Assign)
	if show(field.Targets[0]) != "db" || show(field.Annotation) != "str" || field.Line != 22 || field.Column != 5 {
		t.Errorf("got %+v", field)
	}
	last := m.Body[len(m.Body)-1].(*python.Compound)
	if last.Keyword != "if" || len(last.Heads) != 2 || len(last.Bodies) != 3 {
		t.Errorf("got %+v", last)
	}
}

// TestErrorsAreSkipped: what surrounds a broken statement is still read.
func TestErrorsAreSkipped(t *testing.T) {
	src := "a = 1\nprint 'old python'\nb = (2\nc = 3)\ndef f(:\n    d = 4\nclass X(\n    pass\n"
	for _, c := range []struct {
		src    string
		errors int
		names  string
	}{
		{"a = 1\nprint 'old'\nb = 2\n", 1, "a b"},
		{"x = f(a,\ndef g():\n    d = 4\ne = 5\n", 1, "x d e"},
		{"a = 'x\nb = 2\n", 1, "a b"},
		{"if x\n    a = 1\nb = 2\n", 1, "a b"},
		{"  a = 1\nb = 2\n", 1, "a b"},
	} {
		m := python.Parse(c.src)
		var names []string
		collect(m.Body, &names)
		if got := strings.Join(names, " "); len(m.Errors) != c.errors || got != c.names {
			t.Errorf("%q: got %q with %d errors, want %q with %d", c.src, got, len(m.Errors), c.names, c.errors)
		}
	}
	python.Parse(src)
}

func collect(body []python.Stmt, names *[]string) {
	for _, s := range body {
		switch s := s.(type) {
		case *python.Assign:
			*names = append(*names, show(s.Targets[0]))
		case *python.Function:
			collect(s.Body, names)
		case *python.Compound:
			for _, b := range s.Bodies {
				collect(b, names)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(program)
	for _, s := range []string{"f'{", "f\"{a[\"b\"]}\"", "((((", "a = [\n", "match x:\n  case", "@a\n@b\n", "\\\n", "lambda: (yield)", "x\ty\r\n\f z"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, src string) {
		python.Parse(src) // it must come back, whatever it is given
	})
}
