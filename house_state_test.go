package house_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// checkState finds package-level variables that are state: assigned to in a function, holding a lock or an atomic, or
// exported and mutable in place. A table that nobody writes to, a sentinel and a compiled pattern are fine.
func checkState(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		vars := map[string]*ast.ValueSpec{}
		for _, f := range p.product() {
			if !f.generated {
				offences = append(offences, collectVars(tr, f, vars)...)
			}
		}
		for _, f := range p.product() {
			if f.generated {
				continue
			}
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
					offences = append(offences, writesTo(tr, fn, vars)...)
				}
			}
		}
	}
	return offences
}

func collectVars(tr *tree, f *file, vars map[string]*ast.ValueSpec) (offences []string) {
	for _, d := range f.ast.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, s := range gen.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if name.Name == "_" { // an assertion that a type implements an interface
					continue
				}
				vars[name.Name] = spec
				if isLock(spec.Type) || i < len(spec.Values) && isLock(compositeType(spec.Values[i])) {
					offences = append(offences, fmt.Sprintf("%s: package variable %s is a lock or an atomic: it guards package state", tr.at(name), name.Name))
				}
				if name.IsExported() && i < len(spec.Values) && isMutable(spec.Values[i]) {
					offences = append(offences, fmt.Sprintf("%s: exported package variable %s can be changed by anybody", tr.at(name), name.Name))
				}
			}
		}
	}
	return offences
}

// isLock reports types of sync and sync/atomic. A Pool holds nothing that counts.
func isLock(t ast.Expr) bool {
	if index, ok := t.(*ast.IndexExpr); ok { // atomic.Pointer[T]
		t = index.X
	}
	sel, ok := t.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && (x.Name == "sync" && sel.Sel.Name != "Pool" || x.Name == "atomic")
}

// checkStart finds package variables that are made of compiled expressions, outside of functions that make them later.
func checkStart(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, f := range p.product() {
			for _, d := range f.ast.Decls {
				gen, ok := d.(*ast.GenDecl)
				if !ok || gen.Tok != token.VAR || f.generated {
					continue
				}
				ast.Inspect(gen, func(n ast.Node) bool {
					if spec, ok := n.(*ast.ValueSpec); ok && slices.ContainsFunc(spec.Values, compiles) {
						offences = append(offences, fmt.Sprintf("%s: package variable %s is compiled when every process starts", tr.at(spec), spec.Names[0].Name))
					}
					return true
				})
			}
		}
	}
	return offences
}

func compiles(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			x, ok := sel.X.(*ast.Ident)
			found = found || ok && x.Name == "regexp" && strings.HasPrefix(sel.Sel.Name, "MustCompile")
		}
		_, later := n.(*ast.FuncLit)
		return !later
	})
	return found
}

func compositeType(value ast.Expr) ast.Expr {
	if unary, ok := value.(*ast.UnaryExpr); ok && unary.Op == token.AND {
		value = unary.X
	}
	if lit, ok := value.(*ast.CompositeLit); ok {
		return lit.Type
	}
	return nil
}

func isMutable(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.UnaryExpr:
		return v.Op == token.AND
	case *ast.CompositeLit:
		switch t := v.Type.(type) {
		case *ast.MapType:
			return true
		case *ast.ArrayType:
			return t.Len == nil
		}
	case *ast.CallExpr:
		fn, ok := v.Fun.(*ast.Ident)
		return ok && (fn.Name == "make" || fn.Name == "new")
	}
	return false
}

// writesTo finds assignments, increments, deletes and clears of package variables. The parser has resolved what is
// local to the file: an identifier that it tied to something else is a parameter or a local variable of that name.
func writesTo(tr *tree, fn *ast.FuncDecl, vars map[string]*ast.ValueSpec) (offences []string) {
	report := func(target ast.Expr) {
		id := root(target)
		if id == nil || vars[id.Name] == nil || id.Obj != nil && id.Obj.Decl != vars[id.Name] {
			return
		}
		offences = append(offences, fmt.Sprintf("%s: %s writes to the package variable %s", tr.at(target), fn.Name.Name, id.Name))
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, target := range n.Lhs {
					report(target)
				}
			}
		case *ast.IncDecStmt:
			report(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				report(n.Key)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && id.Obj == nil && len(n.Args) > 0 {
				report(n.Args[0])
			}
		}
		return true
	})
	return offences
}

// root is the variable at the bottom of x.f[i].g.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// unwanted lists modules that product code may not import, with the reason. What a test imports is not in the binary.
var unwanted = map[string]string{
	"C":                                "cgo stays off",
	"github.com/hashicorp/vault/api":   "the vendor's client is for tests",
	"github.com/stretchr/testify":      "no assertion library",
	"github.com/spf13/viper":           "configuration is a struct",
	"github.com/open-policy-agent/opa": "the policy engine is the product",
	"github.com/trufflesecurity":       "its licence",
	"github.com/go-git/go-git/v6":      "not released",
	"gopkg.in/yaml.v2":                 "unmaintained",
	"math/rand":                        "crypto/rand only",
	"math/rand/v2":                     "crypto/rand only",
	"io/ioutil":                        "deprecated",
}

func checkUnwanted(tr *tree) (offences []string) {
	eachProductImport(tr, func(_ *pkg, _ *file, spec *ast.ImportSpec, importPath string) {
		for banned, why := range unwanted {
			if match(banned+"/...", importPath) {
				offences = append(offences, fmt.Sprintf("%s: imports %s: %s", tr.at(spec), importPath, why))
			}
		}
	})
	return offences
}

func checkModule(tr *tree) (offences []string) {
	for i, line := range strings.Split(tr.gomod, "\n") {
		code, _, _ := strings.Cut(line, "//")
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(code), "require "))
		switch {
		case len(words) == 0:
		case words[0] == "replace":
			offences = append(offences, fmt.Sprintf("go.mod:%d: replace: it breaks go install …@latest", i+1))
		case words[0] == "github.com/hashicorp/vault", strings.HasPrefix(words[0], "github.com/trufflesecurity/"):
			offences = append(offences, fmt.Sprintf("go.mod:%d: %s: its licence does not go with ours", i+1, words[0]))
		}
	}
	return offences
}
