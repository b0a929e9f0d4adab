// Package envfile reads and writes settings in the formats that projects and platforms keep them in.
//
// [Read] takes .env files, ini, JSON, YAML, TOML, the environments of Compose files and of Kubernetes manifests, and
// yields names and values; what it leaves out it lists with the reason. A file that is malformed anywhere yields
// nothing. [Write] gives the forms that programs, shells and platforms take in. Errors never show a value.
package envfile

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/secret"
)

// Format is how a file is written.
type Format string

const (
	Dotenv     Format = "dotenv"
	INI        Format = "ini"
	JSON       Format = "json"
	YAML       Format = "yaml"
	TOML       Format = "toml"
	Docker     Format = "docker"
	Compose    Format = "compose" // read only
	Kubernetes Format = "k8s"
	Shell      Format = "shell"      // write only
	PowerShell Format = "powershell" // write only
	TFVars     Format = "tfvars"     // write only
	GitHub     Format = "github"     // write only: the file that GITHUB_ENV names
)

// ReadFormats lists what Read takes.
func ReadFormats() []Format {
	return []Format{Dotenv, INI, JSON, YAML, TOML, Docker, Compose, Kubernetes}
}

// WriteFormats lists what Write gives.
func WriteFormats() []Format {
	return []Format{Dotenv, JSON, YAML, TOML, Docker, Shell, PowerShell, Kubernetes, TFVars, GitHub}
}

// Entry is a name and its value.
type Entry struct {
	Name  string
	Value string
	Line  int    // 0 where the format does not tell
	From  string // the file, service, container or manifest that it comes from, where there are several
}

// Omission is something in a file that is not taken, and why.
type Omission struct {
	Name   string
	Line   int
	Reason string
}

// Reading says how a file is read. The zero value reads by the name of the file.
type Reading struct {
	Format  Format         // empty: by name and content
	Dialect dotenv.Dialect // of .env files; empty: python-dotenv
	Env     dotenv.Env     // what references are resolved in
	Service string         // of a Compose file or a container; empty: all
	// Open reads a file that another one names (env_file of Compose). nil: such files are not read but listed.
	Open func(name string) ([]byte, error)
}

// Result is what was read.
type Result struct {
	Format  Format
	Entries []Entry // one for each name
	Omitted []Omission
}

// Error is a place in a file and what is wrong there. It never shows a value.
type Error struct {
	File    string
	Line    int // 0: of the file as a whole
	Column  int // 0 where the format does not tell
	Message string
	Hint    string
	excerpt string // the line, masked, and a caret
}

// Caret draws the line with a caret under the place; what may belong to a value is masked. It is empty for an error of
// the file as a whole.
func (e *Error) Caret() string { return e.excerpt }

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	case e.Column > 0:
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Unwrap says that the input is to blame.
func (e *Error) Unwrap() error { return secret.ErrInvalid }

// Read reads one file; name is for messages and to tell the format. The error is an *Error or a *dotenv.SyntaxError.
func Read(name string, src []byte, o Reading) (*Result, error) {
	if o.Format == "" {
		o.Format = Detect(name, src)
	}
	r := &reader{file: name, src: string(src), options: o, result: &Result{Format: o.Format}}
	var err error
	switch o.Format {
	case Dotenv:
		err = r.dotenv(src, o.Dialect)
	case Docker:
		err = r.dotenv(src, dotenv.Docker)
	case INI:
		err = r.dotenv(src, dotenv.DecoupleINI)
	case JSON:
		err = r.json(src)
	case TOML:
		err = r.toml(src)
	case YAML, Compose, Kubernetes:
		err = r.yaml(src)
	default:
		err = fmt.Errorf("the format %q cannot be read: %w", o.Format, secret.ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	return r.result, nil
}

// Detect tells the format of a file by its name, and of YAML by its content.
func Detect(name string, src []byte) Format {
	base := strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	switch path.Ext(base) {
	case ".ini", ".cfg":
		return INI
	case ".json":
		return JSON
	case ".toml":
		return TOML
	case ".yaml", ".yml":
		return detectYAML(src)
	}
	return Dotenv
}

// reader collects the result of one Read.
type reader struct {
	file    string
	src     string
	options Reading
	result  *Result
	index   map[string]int // of the entries by name
	visited int            // mappings, of which aliases can make very many
}

// most bounds the entries of a file, and the mappings that are looked at: a file can be small and stand for billions.
const most = 20_000

func (r *reader) fail(line int, format string, args ...any) *Error {
	return r.failAt(line, 0, format, args...)
}

func (r *reader) failAt(line, column int, format string, args ...any) *Error {
	return &Error{File: r.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...), excerpt: dotenv.Caret(r.src, line, column)}
}

func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (r *reader) omit(name string, line int, reason string) {
	r.result.Omitted = append(r.result.Omitted, Omission{name, line, reason})
}

// add takes an entry; the same name with another value from elsewhere is an error, since one of the two would be lost.
func (r *reader) add(e Entry) error {
	if e.Name == "" || strings.ContainsAny(e.Name, "=\x00\n\r") {
		return r.fail(e.Line, "%q cannot be the name of a variable", e.Name).hint("a name has no = and no line feed in it, and is not empty")
	}
	if strings.Contains(e.Value, "\x00") {
		return r.fail(e.Line, "%s holds a NUL, which no environment can carry", e.Name).hint("store it encoded, as base64 say, and decode it in the program")
	}
	if i, again := r.index[e.Name]; again {
		old := &r.result.Entries[i]
		if old.Value != e.Value && old.From != e.From {
			return r.fail(e.Line, "%s has one value in %s and another in %s", e.Name, old.From, e.From).
				hint("choose one of them: --service %s", e.From)
		}
		*old = e
		return nil
	}
	if len(r.result.Entries) >= most {
		return r.fail(e.Line, "more than %d names", most)
	}
	if r.index == nil {
		r.index = map[string]int{}
	}
	r.index[e.Name] = len(r.result.Entries)
	r.result.Entries = append(r.result.Entries, e)
	return nil
}

func (r *reader) dotenv(src []byte, d dotenv.Dialect) error {
	entries, err := r.dotenvEntries(r.file, src, d)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.add(e); err != nil {
			return err
		}
	}
	return nil
}

// dotenvEntries reads a .env file strictly: a line that the parser would skip is an error too.
func (r *reader) dotenvEntries(file string, src []byte, d dotenv.Dialect) ([]Entry, error) {
	if d == "" {
		d = dotenv.PythonDotenv
	}
	located := func(err error) error {
		var e *dotenv.SyntaxError
		if errors.As(err, &e) {
			e.File = file
		}
		return err
	}
	f, err := dotenv.Parse(d, src)
	if err != nil {
		return nil, located(err)
	}
	if skipped := f.Skipped(); len(skipped) > 0 {
		return nil, located(skipped[0])
	}
	vars, err := f.Values(dotenv.Reading{Env: r.options.Env})
	if err != nil {
		return nil, located(err)
	}
	var out []Entry
	for _, v := range vars {
		if v.Null {
			r.omit(v.Name, v.Line, "a name without a value")
			continue
		}
		out = append(out, Entry{Name: v.Name, Value: v.Value, Line: v.Line})
	}
	return out, nil
}
