// Package dotenv reads and edits .env files as each parser of the field does.
//
// There is no one dotenv format: ten parsers agree on barely half of the files that people write. So a file is always
// read in a [Dialect], which names a parser, and gives what that parser would give, its oddities included.
// [Parse] is strict where parsers are silent: the first line that the parser of the dialect rejects is a [*SyntaxError]
// that says where, why and how to fix it. [ParseLenient] goes on as the parser would.
//
// A [File] holds every byte of its source. [File.Set] and [File.Unset] change one value and nothing else; comments,
// order, quotes of the others, newline style and byte order mark survive. [Encode] only uses a form that all the
// dialects it is given read back as the same value, and refuses otherwise, naming who would disagree.
//
// Nothing is ever executed. Where a parser would run a command substitution, reading the value is refused.
//
// The package is pure: it opens no file and reads no environment. Its errors never show a value: the excerpt of a
// source line is masked.
package dotenv

import (
	"errors"
	"fmt"
	"strings"
)

// Dialect names the parser whose reading is wanted.
type Dialect string

// The dialects, each with the parser whose behaviour it models.
const (
	PythonDotenv Dialect = "python-dotenv" // python-dotenv, also what pydantic-settings uses
	Decouple     Dialect = "decouple"      // python-decouple, RepositoryEnv
	DecoupleINI  Dialect = "decouple-ini"  // python-decouple, RepositoryIni: section [settings] of settings.ini
	Compose      Dialect = "compose"       // compose-go, of Docker Compose
	Docker       Dialect = "docker"        // docker run --env-file
	Node         Dialect = "node"          // motdotla/dotenv
	NodeExpand   Dialect = "node-expand"   // motdotla/dotenv with dotenv-expand
	Godotenv     Dialect = "godotenv"      // joho/godotenv
	SOPS         Dialect = "sops"          // the dotenv store of sops
	POSIX        Dialect = "posix"         // assignments sourced by a POSIX shell, bash's export included
)

// Dialects lists every dialect in a fixed order.
func Dialects() []Dialect {
	return []Dialect{
		PythonDotenv, Decouple, DecoupleINI, Compose, Docker, Node, NodeExpand, Godotenv, SOPS, POSIX,
	}
}

// ParseDialect finds a dialect by its name.
func ParseDialect(name string) (Dialect, error) {
	names := make([]string, 0, len(Dialects()))
	for _, d := range Dialects() {
		if name == string(d) {
			return d, nil
		}
		names = append(names, string(d))
	}
	return "", fmt.Errorf("unknown dotenv dialect %q: one of %s", name, strings.Join(names, ", "))
}

// Env looks a name up in the environment that a reading happens in. A nil Env is empty.
type Env func(name string) (value string, ok bool)

func (e Env) lookup(name string) (string, bool) {
	if e == nil {
		return "", false
	}
	return e(name)
}

// Reading says under which circumstances a file is read.
type Reading struct {
	// Env is the process environment that references are resolved in.
	Env Env
	// Literal leaves every reference as it is written (interpolate=False of python-dotenv).
	Literal bool
	// EnvFirst lets Env win over earlier lines of the file in references of python-dotenv, as load_dotenv does
	// without override. The default is that of dotenv_values and of pydantic-settings: the file wins.
	EnvFirst bool
}

// Variable is a name as the parser of the dialect would see it.
type Variable struct {
	Name  string
	Value string
	Null  bool // a name without a value, which python-dotenv reports as None
	Line  int  // of the assignment that decided the value
}

// File is a parsed file. Its pieces, in order, are its source.
type File struct {
	dialect  Dialect
	src      string
	pieces   []Piece
	bindings []binding
}

// Parse reads src in a dialect. The error is a *SyntaxError for the first line that the parser would reject.
func Parse(d Dialect, src []byte) (*File, error) {
	f, rejected, err := ParseLenient(d, src)
	if err != nil {
		return nil, err
	}
	if len(rejected) > 0 {
		return nil, rejected[0]
	}
	return f, nil
}

// ParseLenient reads src and goes on after a line that is rejected where the parser of the dialect goes on too
// (python-dotenv); the rejected lines are returned. For a parser that gives up at the first error, so does ParseLenient.
func ParseLenient(d Dialect, src []byte) (*File, []*SyntaxError, error) {
	scan := scannerOf(d)
	if scan == nil {
		_, err := ParseDialect(string(d))
		return nil, nil, err
	}
	text := string(src)
	bindings, rejected := scan(text)
	if len(rejected) > 0 && d != PythonDotenv {
		return nil, rejected, rejected[0]
	}
	f := &File{dialect: d, src: text, bindings: bindings}
	f.pieces = tile(d, text, bindings)
	return f, rejected, nil
}

// Dialect returns the dialect that the file was read in.
func (f *File) Dialect() Dialect { return f.dialect }

// String returns the source, byte for byte.
func (f *File) String() string { return f.src }

// Values returns what the parser of the dialect would see: one entry per name, in the order of first appearance, with
// the value that the last assignment gives.
func (f *File) Values(r Reading) ([]Variable, error) {
	s := &scope{reading: r, file: map[string]*string{}}
	if f.dialect == DecoupleINI {
		return iniValues(f, r)
	}
	bindings := f.bindings
	if f.dialect == NodeExpand {
		bindings = s.lastOfEach(f.bindings)
	}
	var out []Variable
	at := map[string]int{}
	for i := range bindings {
		b := &bindings[i]
		v, ok, err := s.value(f.dialect, b)
		if err != nil {
			return nil, f.locate(err, b)
		}
		if !ok {
			continue
		}
		v.Name, v.Line = b.key, lineOf(f.src, b.keyStart)
		s.set(v)
		if j, seen := at[v.Name]; seen {
			out[j] = v
			continue
		}
		at[v.Name] = len(out)
		out = append(out, v)
	}
	return out, nil
}

// Skipped lists the lines that the parser ignores without a word although they are neither blank nor a comment.
// Whoever imports a file treats them as errors.
func (f *File) Skipped() []*SyntaxError {
	var out []*SyntaxError
	for _, n := range f.pieces {
		if n.Kind == Junk {
			fix := "write NAME=value, or make the line a comment with #"
			out = append(out, newSyntaxError(f.src, n.Start, CodeSkipped,
				fmt.Sprintf("%s ignores this line", f.dialect), fix))
		}
	}
	return out
}

// locate adds the place of b to an error of its value.
func (f *File) locate(err error, b *binding) error {
	var p *valueError
	if !errors.As(err, &p) {
		return err
	}
	e := newSyntaxError(f.src, b.valStart, p.code, p.message, p.fix)
	e.Key = b.key
	return e
}
