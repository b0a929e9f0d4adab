package house_test

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// rule is one rule of the house: how it is checked, how an offence is mended, and trees on which it has to fail.
type rule struct {
	name  string
	fix   string
	check func(*tree) []string
	bad   []badTree
	good  []map[string]string // trees that look similar and are allowed
}

type badTree struct {
	tree map[string]string
	want string // part of the offence
}

// eachProductImport visits the imports of all files that are built into something.
func eachProductImport(tr *tree, visit func(p *pkg, f *file, spec *ast.ImportSpec, importPath string)) {
	for _, p := range tr.packages {
		for _, f := range p.product() {
			for importPath, spec := range f.imports() {
				visit(p, f, spec, importPath)
			}
		}
	}
}

func checkPlaced(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		if len(p.product()) == 0 && allIgnored(p) {
			continue
		}
		if _, placed := floorOf(p.dir); placed != 1 {
			offences = append(offences, fmt.Sprintf("%s: placed on %d floors, want exactly one", p.dir, placed))
		}
	}
	return offences
}

func allIgnored(p *pkg) bool {
	return !slices.ContainsFunc(p.files, func(f *file) bool { return !f.ignored })
}

func checkUpward(tr *tree) (offences []string) {
	eachProductImport(tr, func(p *pkg, _ *file, spec *ast.ImportSpec, importPath string) {
		dir, ok := own(importPath)
		if !ok {
			return
		}
		from, _ := floorOf(p.dir)
		if to, _ := floorOf(dir); to > from {
			offences = append(offences, fmt.Sprintf("%s: %s (floor %d) imports %s (floor %d)", tr.at(spec), p.dir, from, dir, to))
		}
	})
	return offences
}

func checkSideways(tr *tree) (offences []string) {
	eachProductImport(tr, func(p *pkg, _ *file, spec *ast.ImportSpec, importPath string) {
		dir, ok := own(importPath)
		if !ok || allowedSideways(p.dir, dir) {
			return
		}
		from, _ := floorOf(p.dir)
		if to, _ := floorOf(dir); to == from {
			offences = append(offences, fmt.Sprintf("%s: %s imports %s of its own floor %d", tr.at(spec), p.dir, dir, from))
		}
	})
	return offences
}

// checkStdlibOnly needs no closure over the imports: what a checked package may import of ours is checked itself.
func checkStdlibOnly(tr *tree) (offences []string) {
	eachProductImport(tr, func(p *pkg, _ *file, spec *ast.ImportSpec, importPath string) {
		floor, _ := floorOf(p.dir)
		if floor != 0 && !slices.Contains(stdlibOnly, p.dir) || isStdlib(importPath) {
			return
		}
		if dir, ok := own(importPath); ok {
			if to, _ := floorOf(dir); to == 0 || floor != 0 && slices.Contains(stdlibOnly, dir) {
				return
			}
		}
		offences = append(offences, fmt.Sprintf("%s: %s may import only the standard library and floor 0, not %s", tr.at(spec), p.dir, importPath))
	})
	return offences
}

// ground lists what floor 0 may not touch: the machine it runs on. A package below one of these counts too, except
// for the pure ones.
var ground, groundPure = []string{"os", "net", "database/sql", "log", "syscall", "plugin", "testing"},
	[]string{"net/netip", "net/url", "log/slog"}

func checkGround(tr *tree) (offences []string) {
	eachProductImport(tr, func(p *pkg, _ *file, spec *ast.ImportSpec, importPath string) {
		if floor, _ := floorOf(p.dir); floor != 0 || slices.Contains(groundPure, importPath) {
			return
		}
		for _, g := range ground {
			if match(g+"/...", importPath) {
				offences = append(offences, fmt.Sprintf("%s: floor 0 imports %s", tr.at(spec), importPath))
			}
		}
	})
	return offences
}

func checkStoreUsers(tr *tree) (offences []string) {
	eachProductImport(tr, func(p *pkg, _ *file, spec *ast.ImportSpec, importPath string) {
		dir, ok := own(importPath)
		if ok && match("internal/store/...", dir) && !matchAny(storeUsers, p.dir) {
			offences = append(offences, fmt.Sprintf("%s: %s imports %s", tr.at(spec), p.dir, dir))
		}
	})
	return offences
}

func checkApply(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		if matchAny(applyCallers, p.dir) || !importsStore(p) {
			continue
		}
		for _, f := range p.product() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Apply" {
					offences = append(offences, fmt.Sprintf("%s: %s calls Apply", tr.at(sel), p.dir))
				}
				return true
			})
		}
	}
	return offences
}

func importsStore(p *pkg) bool {
	return slices.ContainsFunc(p.product(), func(f *file) bool {
		for importPath := range f.imports() {
			if dir, ok := own(importPath); ok && match("internal/store/...", dir) {
				return true
			}
		}
		return false
	})
}

func checkReveal(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, f := range p.product() {
			if allowsFile(revealers, f) {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Reveal" {
					offences = append(offences, fmt.Sprintf("%s: Reveal is used outside its allow-list", tr.at(sel)))
				}
				return true
			})
		}
	}
	return offences
}

func checkInit(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, f := range p.files {
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !f.generated {
					offences = append(offences, fmt.Sprintf("%s: init function", tr.at(fn)))
				}
			}
		}
	}
	return offences
}

func checkExit(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, f := range p.product() {
			if f.path == "cmd/keephold/main.go" {
				continue
			}
			osName, logName := f.localName("os"), f.localName("log")
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok || x.Obj != nil { // a local variable of that name
					return true
				}
				if osName != "" && x.Name == osName && sel.Sel.Name == "Exit" ||
					logName != "" && x.Name == logName && strings.HasPrefix(sel.Sel.Name, "Fatal") {
					offences = append(offences, fmt.Sprintf("%s: %s.%s ends the process", tr.at(sel), x.Name, sel.Sel.Name))
				}
				return true
			})
		}
	}
	return offences
}

var junk = []string{
	"util", "utils", "helper", "helpers", "common", "base", "misc", "shared", "lib", "types", "models", "core", "manager",
}

func checkNames(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, element := range strings.Split(p.dir, "/") {
			if slices.Contains(junk, element) {
				offences = append(offences, fmt.Sprintf("%s: %q is not a noun you can finish a sentence with", p.dir, element))
			}
		}
		for _, f := range p.files {
			name := strings.TrimSuffix(f.ast.Name.Name, "_test")
			if name != "main" && name != path.Base(p.dir) {
				offences = append(offences, fmt.Sprintf("%s: package %s in directory %s", f.path, name, path.Base(p.dir)))
			}
		}
	}
	return offences
}

func checkLines(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, f := range p.files {
			if f.lines > maxLines && !f.generated {
				offences = append(offences, fmt.Sprintf("%s: %d lines, at most %d", f.path, f.lines, maxLines))
			}
		}
	}
	return offences
}

func checkFields(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		for _, f := range p.files {
			if f.generated {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if s, ok := n.(*ast.StructType); ok && s.Fields.NumFields() > maxFields {
					offences = append(offences, fmt.Sprintf("%s: a struct of %d fields, at most %d", tr.at(s), s.Fields.NumFields(), maxFields))
				}
				return true
			})
		}
	}
	return offences
}

func checkDoc(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		files := p.product()
		if len(files) == 0 {
			files = p.files
		}
		documented := slices.ContainsFunc(files, func(f *file) bool {
			want := "Package " + f.ast.Name.Name + " "
			if f.ast.Name.Name == "main" {
				want = "Command " + path.Base(p.dir) + " "
			}
			return f.ignored || strings.HasPrefix(f.ast.Doc.Text(), want)
		})
		if !documented {
			offences = append(offences, fmt.Sprintf("%s: no comment that starts with %q", p.dir, "Package "+path.Base(p.dir)))
		}
	}
	return offences
}

// A room's own tests know best whether its table is complete; the house only sees to it that they exist.
func checkRoomTests(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		if path.Dir(p.dir) != "internal/front" || len(p.product()) == 0 {
			continue
		}
		for _, want := range []string{"TestErrorTableIsComplete", "TestEveryOperationHasAPolicyRow"} {
			if !hasTest(p, want) {
				offences = append(offences, fmt.Sprintf("%s: no %s", p.dir, want))
			}
		}
	}
	return offences
}

func hasTest(p *pkg, name string) bool {
	return slices.ContainsFunc(p.files, func(f *file) bool {
		return f.test && slices.ContainsFunc(f.ast.Decls, func(d ast.Decl) bool {
			fn, ok := d.(*ast.FuncDecl)
			return ok && fn.Recv == nil && fn.Name.Name == name && len(fn.Body.List) > 0
		})
	})
}
