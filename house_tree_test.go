package house_test

import (
	"bytes"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is what the rules look at.
type tree struct {
	fset     *token.FileSet
	gomod    string
	packages []*pkg // sorted by directory
}

// pkg is one directory with Go files in it, its tests included.
type pkg struct {
	dir   string
	files []*file
}

type file struct {
	path      string
	ast       *ast.File
	lines     int
	test      bool // *_test.go
	generated bool // carries the standard "Code generated … DO NOT EDIT." header
	ignored   bool // a program for `go run`, marked //go:build ignore
}

func mustLoad(t *testing.T, sources map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range sources {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tr, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// load parses every Go file of the module under fsys. Nested modules, testdata and hidden directories are not part of it.
func load(fsys fs.FS) (*tree, error) {
	tr := &tree{fset: token.NewFileSet()}
	byDir := map[string]*pkg{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipDir(fsys, name) {
				return fs.SkipDir
			}
			return nil
		}
		if name == "go.mod" {
			b, err := fs.ReadFile(fsys, name)
			tr.gomod = string(b)
			return err
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parse(tr.fset, fsys, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
		}
		byDir[dir].files = append(byDir[dir].files, f)
		return nil
	})
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		if dir != "." { // the house test itself
			tr.packages = append(tr.packages, byDir[dir])
		}
	}
	return tr, err
}

func skipDir(fsys fs.FS, name string) bool {
	if name == "." {
		return false
	}
	base := path.Base(name)
	if base == "testdata" || base == "node_modules" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil
}

func parse(fset *token.FileSet, fsys fs.FS, name string) (*file, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &file{
		path:      name,
		ast:       f,
		lines:     bytes.Count(src, []byte("\n")),
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(f),
		ignored:   isIgnored(f),
	}, nil
}

func isIgnored(f *ast.File) bool {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			return false
		}
		for _, c := range group.List {
			if x, err := constraint.Parse(c.Text); err == nil && x.String() == "ignore" {
				return true
			}
		}
	}
	return false
}

// product yields the files that are built into something: no tests, no programs for `go run`.
func (p *pkg) product() []*file {
	var out []*file
	for _, f := range p.files {
		if !f.test && !f.ignored {
			out = append(out, f)
		}
	}
	return out
}

// at renders a position for an offence.
func (tr *tree) at(n ast.Node) string {
	p := tr.fset.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// imports yields the import paths of a file with their specs.
func (f *file) imports() map[string]*ast.ImportSpec {
	out := map[string]*ast.ImportSpec{}
	for _, spec := range f.ast.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			out[name] = spec
		}
	}
	return out
}

// own turns an import path of this module into its directory.
func own(importPath string) (dir string, ok bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// isStdlib tells the standard library by its first element, which has no dot.
func isStdlib(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".") && importPath != "C"
}

// match tells whether a directory matches a pattern of the tables.
func match(pattern, dir string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == root || strings.HasPrefix(dir, root+"/")
	}
	return pattern == dir
}

func matchAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, dir) })
}

// allowsFile is matchAny for tables that may also name single files.
func allowsFile(patterns []string, f *file) bool {
	return matchAny(patterns, path.Dir(f.path)) || slices.Contains(patterns, f.path)
}

// floorOf answers the floor of a package and how many patterns place it.
func floorOf(dir string) (floor, placed int) {
	floor = -1
	for n, patterns := range floors {
		for _, p := range patterns {
			if match(p, dir) {
				floor, placed = n, placed+1
			}
		}
	}
	return floor, placed
}

type sidewaysImport struct {
	from, to string // patterns; "*" is every package of the floor
	why      string
}

func allowedSideways(from, to string) bool {
	return slices.ContainsFunc(sideways, func(s sidewaysImport) bool {
		return (s.from == "*" || match(s.from, from)) && s.to == to
	})
}

// localNames answers the names under which a file knows an import path; "" when it does not import it.
func (f *file) localName(importPath string) string {
	spec := f.imports()[importPath]
	if spec == nil {
		return ""
	}
	if spec.Name != nil {
		return spec.Name.Name
	}
	return path.Base(importPath)
}
