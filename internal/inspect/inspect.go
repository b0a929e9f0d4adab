// Package inspect reads a project's source for the settings it uses, and runs none of it.
//
// Python is read with a real parser (package python), Go with go/parser, JavaScript and TypeScript with a scanner that
// knows strings, comments and templates. What is found is what the libraries would look up: pydantic-settings classes
// with prefix, aliases and nested models, python-decouple and Starlette config(), os.getenv and os.environ,
// process.env, os.Getenv; the .env files that are loaded; the clouds that are asked for secrets; and the places where
// code is careless with a secret.
//
// [Tree] walks a project, [Files] reads what it is given.
package inspect

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/keephold/keephold/internal/settings"
)

// Place is where something was found.
type Place struct {
	File string
	Line int
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Reader says through which library a setting is read.
type Reader string

const (
	Pydantic  Reader = "pydantic-settings"
	Decouple  Reader = "decouple"
	Starlette Reader = "starlette"
	Environ   Reader = "os.environ"
	Node      Reader = "process.env"
	Go        Reader = "os.Getenv"
)

// Setting is one use of an environment variable.
type Setting struct {
	Name     string
	Aliases  []string // other names that are looked up when the first is not set
	Reader   Reader
	Place    Place
	Field    string // Settings.db.host, of a class
	Type     settings.Type
	Required bool    // the program fails without it
	Secret   bool    // by its type (SecretStr) or its name
	Masked   bool    // by its type: printing the field shows no value
	Default  *string // if it is a literal
	Choices  []string
}

// Class is a settings class.
type Class struct {
	Name     string
	Place    Place
	Prefix   string
	EnvFiles []string
	Secrets  string // secrets_dir
	Fields   int
	Hidden   int // fields that are SecretStr or SecretBytes
}

// Dotenv is a place where a .env file is loaded.
type Dotenv struct {
	Place    Place
	Loader   string // python-dotenv, pydantic-settings, decouple, dotenv
	Path     string // empty: the default
	Override bool
}

// Cloud is a place where a secret store is asked.
type Cloud struct {
	Kind  string // hvac, aws, gcp, azure
	Name  string // of the secret; empty for the client itself. Parts known only at run time are in braces
	Place Place
}

// DangerCode names what a piece of code does to a secret.
type DangerCode string

const (
	LiteralInEnviron DangerCode = "literal-in-environ" // os.environ["X"] = "text"
	OverrideEnviron  DangerCode = "load-dotenv-override"
	ReturnedByRoute  DangerCode = "setting-returned"
	Logged           DangerCode = "setting-logged"
	CachedForLife    DangerCode = "cached-for-life"
	DefaultSecret    DangerCode = "secret-default" // a literal default of a secret
)

// Danger is a place where code is careless. It holds no value.
type Danger struct {
	Code    DangerCode
	Name    string // of the setting, where one is meant
	Place   Place
	Message string
	Fix     string
}

// Unread is a file, or a part of one, that could not be read, or a name that is only known at run time.
type Unread struct {
	Place  Place
	Reason string
}

// Report is what was found, in the order of the files.
type Report struct {
	Files    int
	Settings []Setting
	Classes  []Class
	Dotenv   []Dotenv
	Clouds   []Cloud
	Dangers  []Danger
	Unread   []Unread
}

// Source is one file to read.
type Source struct {
	Name string // with slashes, relative to the project
	Text []byte
}

// largest is the size beyond which a file is taken for generated.
const largest = 2 << 20

// skipped are directories that hold other people's code or none.
func skipped(dir string) bool {
	switch dir {
	case "node_modules", "vendor", "venv", ".venv", "env", "__pycache__", "site-packages", "dist", "build", "target", "testdata",
		".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".eggs":
		return true
	}
	return strings.HasPrefix(dir, ".") && dir != "."
}

// Tree reads every source file below the root of fsys, but not the directories of dependencies, of build output, and
// hidden ones.
func Tree(ctx context.Context, fsys fs.FS) (*Report, error) {
	var sources []Source
	var unread []Unread
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			unread = append(unread, Unread{Place{name, 0}, "cannot be read"})
			return fs.SkipDir
		case d.IsDir() && name != "." && skipped(d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular() || language(name) == "":
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil || len(text) > largest {
			unread = append(unread, Unread{Place{name, 0}, "cannot be read, or is too large"})
			return nil //nolint:nilerr // it is listed among what was not read
		}
		sources = append(sources, Source{name, text})
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := Files(sources)
	r.Unread = append(r.Unread, unread...)
	return r, nil
}

func language(name string) string {
	switch path.Ext(name) {
	case ".py":
		return "python"
	case ".go":
		if strings.HasSuffix(name, "_test.go") {
			return ""
		}
		return "go"
	case ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx":
		return "node"
	}
	return ""
}

// Files reads sources that belong together: a class of one may be the base of another.
func Files(sources []Source) *Report {
	r := &Report{Files: len(sources)}
	w := newWorld(r)
	for _, s := range sources {
		switch language(s.Name) {
		case "python":
			w.parse(s)
		case "go":
			readGo(r, s)
		case "node":
			readNode(r, s)
		}
	}
	w.read()
	r.sort()
	return r
}

func (r *Report) sort() {
	by := func(a, b Place) bool { return a.File < b.File || a.File == b.File && a.Line < b.Line }
	sort.SliceStable(r.Settings, func(i, j int) bool { return by(r.Settings[i].Place, r.Settings[j].Place) })
	sort.SliceStable(r.Classes, func(i, j int) bool { return by(r.Classes[i].Place, r.Classes[j].Place) })
	sort.SliceStable(r.Dotenv, func(i, j int) bool { return by(r.Dotenv[i].Place, r.Dotenv[j].Place) })
	sort.SliceStable(r.Clouds, func(i, j int) bool { return by(r.Clouds[i].Place, r.Clouds[j].Place) })
	sort.SliceStable(r.Dangers, func(i, j int) bool { return by(r.Dangers[i].Place, r.Dangers[j].Place) })
	sort.SliceStable(r.Unread, func(i, j int) bool { return by(r.Unread[i].Place, r.Unread[j].Place) })
}

// looksSecret judges a setting by its name. What is taken for a secret by mistake costs a hidden prompt; what is not,
// a leak.
func looksSecret(name string) bool {
	n := "_" + strings.ToUpper(name) + "_"
	for _, not := range []string{"PUBLIC_KEY", "KEY_ID_", "TOKEN_URL", "TOKEN_EXPIRE", "TOKEN_TTL", "TOKEN_LIFETIME", "_MINUTES_", "_SECONDS_",
		"_DAYS_", "_ALGORITHM_", "SECRETS_DIR", "SECRET_NAME", "SECRET_ID_", "_FILE_", "_PATH_", "_HEADER_", "_LENGTH_", "PASSWORD_MIN",
		"_ENABLED_", "_ENABLE_", "_DISABLED_", "MAX_TOKENS"} {
		if strings.Contains(n, not) {
			return false
		}
	}
	if !strings.HasSuffix(n, "TOKENS_") { // API_TOKENS are some, TOKENS_SERVER is about them
		n = strings.ReplaceAll(n, "_TOKENS_", "_")
	}
	for _, part := range []string{"PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "PRIVATE_KEY", "CREDENTIAL", "PASSPHRASE",
		"_AUTH_CODE_", "_OVERRIDE_CODE_", "_KEY_HEX_", "_KEY_B64_", "_KEY_BASE64_", "POSTGRES_URL_", "POSTGRES_URI_", "MYSQL_URL_"} {
		if strings.Contains(n, part) {
			return true
		}
	}
	for _, end := range []string{"_KEY_", "_KEYS_", "_PWD_", "_PASS_", "_DSN_", "DATABASE_URL_", "DATABASE_URI_", "DB_URL_", "DB_URI_", "REDIS_URL_",
		"STORE_URI_", "MONGO_URL_", "MONGODB_URI_", "BROKER_URL_", "AMQP_URL_", "RABBITMQ_URL_", "_SALT_", "_AUTH_", "_WEBHOOK_", "_WEBHOOK_URL_"} {
		if strings.HasSuffix(n, end) {
			return true
		}
	}
	return false
}

// Schema infers the settings table from what was found: one entry per name, the strictest of all its uses.
func (r *Report) Schema() settings.Schema {
	var out settings.Schema
	at := map[string]int{}
	for _, s := range r.Settings {
		i, seen := at[s.Name]
		if !seen {
			i = len(out)
			at[s.Name] = i
			out = append(out, settings.Setting{Name: s.Name, Description: describe(s)})
		}
		e := &out[i]
		if s.Type != "" && s.Type != settings.String {
			e.Type = s.Type
		}
		e.Secret = e.Secret || s.Secret
		e.Required.Always = e.Required.Always || s.Required
		if e.Default == nil {
			e.Default = s.Default
		}
		if len(s.Choices) > 0 {
			e.Choices = s.Choices
		}
	}
	for i := range out {
		e := &out[i]
		if e.Type == "" {
			e.Type = settings.String
		}
		if e.Secret || e.Default != nil && e.Check(*e.Default, settings.AnyWords) != nil {
			e.Default = nil
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func describe(s Setting) string {
	if s.Field != "" {
		return fmt.Sprintf("%s (%s)", s.Field, s.Place)
	}
	return fmt.Sprintf("%s in %s", s.Reader, s.Place)
}
