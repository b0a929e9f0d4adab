package inspect

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/settings"
)

// readGo finds os.Getenv and os.LookupEnv, the tags env:"…" and envconfig:"…" of structs, and godotenv.
func readGo(r *Report, s Source) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, s.Name, s.Text, parser.SkipObjectResolution)
	if file == nil {
		return
	}
	if err != nil {
		r.Unread = append(r.Unread, Unread{Place{s.Name, 1}, "a part of this file does not parse"})
	}
	g := &goReader{report: r, file: s.Name, fset: fset, packages: map[string]string{}, consts: map[string]string{}}
	for _, i := range file.Imports {
		full, _ := strconv.Unquote(i.Path.Value)
		name := full[strings.LastIndexByte(full, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		g.packages[name] = full
	}
	for _, d := range file.Decls {
		if gen, ok := d.(*ast.GenDecl); ok && gen.Tok == token.CONST {
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				for i, n := range v.Names {
					if i < len(v.Values) {
						if text, ok := g.text(v.Values[i]); ok {
							g.consts[n.Name] = text
						}
					}
				}
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			g.call(n)
		case *ast.Field:
			g.tag(n)
		}
		return true
	})
}

type goReader struct {
	report   *Report
	file     string
	fset     *token.FileSet
	packages map[string]string
	consts   map[string]string
}

func (g *goReader) place(n ast.Node) Place { return Place{g.file, g.fset.Position(n.Pos()).Line} }

func (g *goReader) text(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil && x.Kind == token.STRING
	case *ast.Ident:
		s, ok := g.consts[x.Name]
		return s, ok
	}
	return "", false
}

func (g *goReader) call(c *ast.CallExpr) {
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	full := g.packages[pkg.Name] + "." + sel.Sel.Name
	switch full {
	case "os.Getenv", "os.LookupEnv", "syscall.Getenv":
		if len(c.Args) != 1 {
			return
		}
		name, known := g.text(c.Args[0])
		if !known || name == "" {
			g.report.Unread = append(g.report.Unread, Unread{g.place(c), "the name of the variable is only known at run time"})
			return
		}
		g.add(Setting{Name: name, Place: g.place(c)})
	case "os.Setenv":
		if len(c.Args) != 2 {
			return
		}
		name, _ := g.text(c.Args[0])
		if text, known := g.text(c.Args[1]); known && text != "" {
			g.report.Dangers = append(g.report.Dangers, Danger{LiteralInEnviron, name, g.place(c), "the code writes a literal over " + name,
				"remove the line, and: keephold set " + name})
		}
	case "github.com/joho/godotenv.Load", "github.com/joho/godotenv.Overload", "github.com/joho/godotenv.Read":
		path := ""
		if len(c.Args) > 0 {
			path, _ = g.text(c.Args[0])
		}
		g.report.Dotenv = append(g.report.Dotenv, Dotenv{g.place(c), "godotenv", path, sel.Sel.Name == "Overload"})
	}
}

// tag reads env:"NAME,required" (caarlos0/env, sethvargo/go-envconfig) and envconfig:"NAME".
func (g *goReader) tag(f *ast.Field) {
	if f.Tag == nil {
		return
	}
	raw, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return
	}
	tag := reflect.StructTag(raw)
	for _, key := range []string{"env", "envconfig"} {
		v, ok := tag.Lookup(key)
		name, options, _ := strings.Cut(v, ",")
		if !ok || name == "" || name == "-" {
			continue
		}
		s := Setting{Name: name, Place: g.place(f), Type: goType(f.Type)}
		s.Required = strings.Contains(options, "required") || strings.Contains(options, "notEmpty") || tag.Get("required") == "true"
		for _, k := range []string{"envDefault", "default"} {
			if def, ok := tag.Lookup(k); ok {
				s.Default = &def
			}
		}
		if _, def, ok := strings.Cut(options, "default="); ok {
			s.Default = &def
		}
		g.add(s)
		return
	}
}

func goType(x ast.Expr) settings.Type {
	switch x := x.(type) {
	case *ast.Ident:
		switch {
		case strings.HasPrefix(x.Name, "int") || strings.HasPrefix(x.Name, "uint"):
			return settings.Int
		case strings.HasPrefix(x.Name, "float"):
			return settings.Float
		case x.Name == "bool":
			return settings.Bool
		}
	case *ast.ArrayType:
		return settings.List
	case *ast.StarExpr:
		return goType(x.X)
	case *ast.SelectorExpr:
		switch x.Sel.Name {
		case "Duration":
			return settings.Duration
		case "URL":
			return settings.URL
		}
	}
	return settings.String
}

func (g *goReader) add(s Setting) {
	s.Reader = Go
	if s.Type == "" {
		s.Type = settings.String
	}
	refineByName(&s)
	g.report.Settings = append(g.report.Settings, s)
}
