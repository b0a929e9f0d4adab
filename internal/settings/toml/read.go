// Package toml reads, writes and edits keephold.toml, the description of a project that is committed with it.
//
// [Read] is strict: an unknown key is an error with its line and the nearest name that is known. [Write] makes a new
// file; [Set] and [AddSettings] change one that people keep by hand, and leave their comments, order and layout alone.
package toml

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	regexpsyntax "regexp/syntax"
	"slices"
	"strings"

	gotoml "github.com/pelletier/go-toml/v2"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/settings"
)

// Project is a keephold.toml.
type Project struct {
	Name       string // "project" in the file
	ID         string
	Store      string // "local", or the address of a server
	DefaultEnv string
	Envs       []Env // in the order of the file
	Settings   settings.Schema
	Redact     []Redaction
}

// Env is an environment of the project, which is a Space of the keep.
type Env struct {
	Name      string
	Space     string // PROJECT/ENV unless the file says otherwise
	Inherits  string
	Protected bool
	Sources   []string
}

// Redaction is a pattern of the project's own to hide in output.
type Redaction struct {
	Match   string `toml:"match"`
	Replace string `toml:"replace"`
}

// Error is a place in a keephold.toml and what is wrong there.
type Error struct {
	File         string
	Line, Column int
	Message      string
	Hint         string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Unwrap says that the input is to blame.
func (e *Error) Unwrap() error { return secret.ErrInvalid }

// The file as it is decoded. Names are those of configuration.md.
type (
	projectFile struct {
		Project    string                 `toml:"project"`
		ID         string                 `toml:"id"`
		Store      string                 `toml:"store"`
		DefaultEnv string                 `toml:"default_env"`
		Env        map[string]envFile     `toml:"env"`
		Settings   map[string]settingFile `toml:"settings"`
		Redact     redactFile             `toml:"redact"`
	}
	envFile struct {
		Space     string   `toml:"space"`
		Inherits  string   `toml:"inherits"`
		Protected bool     `toml:"protected"`
		Sources   []string `toml:"sources"`
	}
	settingFile struct {
		Type        string   `toml:"type"`
		Required    any      `toml:"required"`
		Secret      bool     `toml:"secret"`
		Default     any      `toml:"default"`
		Description string   `toml:"description"`
		Example     string   `toml:"example"`
		Choices     []string `toml:"choices"`
		Pattern     string   `toml:"pattern"`
		Generate    string   `toml:"generate"`
	}
	redactFile struct {
		Patterns []Redaction `toml:"patterns"`
	}
)

// knownKeys are the names allowed in each table; a * stands for any name.
var knownKeys = map[string][]string{
	"":                {"project", "id", "store", "default_env", "env", "settings", "redact"},
	"env.*":           {"space", "inherits", "protected", "sources"},
	"settings.*":      {"type", "required", "secret", "default", "description", "example", "choices", "pattern", "generate"},
	"redact":          {"patterns"},
	"redact.patterns": {"match", "replace"},
}

// Read reads a keephold.toml; file is its name for messages. The error is an *Error.
func Read(file string, src []byte) (*Project, error) {
	raw, err := decode(src)
	if err != nil {
		return nil, decodeError(file, err)
	}
	r := &fileReader{file: file, src: src}
	p := &Project{Name: raw.Project, ID: raw.ID, Store: raw.Store, DefaultEnv: raw.DefaultEnv, Redact: raw.Redact.Patterns}
	for _, name := range raw.envs {
		e := raw.Env[name]
		env := Env{Name: name, Space: e.Space, Inherits: e.Inherits, Protected: e.Protected, Sources: e.Sources}
		if env.Space == "" {
			env.Space = p.Name + "/" + name
		}
		p.Envs = append(p.Envs, env)
	}
	p.Settings = make(settings.Schema, 0, len(raw.Settings))
	for _, name := range raw.settings {
		p.Settings = append(p.Settings, r.setting(name, raw.Settings[name]))
	}
	r.check(p)
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

func decodeError(file string, err error) error {
	var strict *gotoml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		first := strict.Errors[0]
		line, column := first.Position()
		key := []string(first.Key())
		e := &Error{File: file, Line: line, Column: column, Message: fmt.Sprintf("unknown key %q", strings.Join(key, "."))}
		if known := nearest(key); known != "" {
			e.Hint = fmt.Sprintf("did you mean %q?", known)
		}
		return e
	}
	var decode *gotoml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		return &Error{File: file, Line: line, Column: column, Message: strings.TrimPrefix(decode.Error(), "toml: ")}
	}
	return &Error{File: file, Line: 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "toml: ")}
}

// nearest finds the known key of the same table that looks most like the last part of key.
func nearest(key []string) string {
	table := slices.Clone(key[:len(key)-1])
	if len(table) == 2 && (table[0] == "env" || table[0] == "settings") {
		table[1] = "*"
	}
	best, least := "", 4
	names := knownKeys[strings.Join(table, ".")]
	if len(table) == 1 && table[0] == "redact" { // a key of an inline table in the list is named without it
		names = slices.Concat(names, knownKeys["redact.patterns"])
	}
	for _, known := range names {
		if d := distance(strings.ToLower(key[len(key)-1]), known); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance is the number of single-letter edits from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			last, row[j] = row[j], min(row[j]+1, row[j-1]+1, last+cost)
		}
	}
	return row[len(b)]
}

// fileReader turns what was decoded into a Project and keeps the first error with its place.
type fileReader struct {
	file string
	src  []byte
	err  error
}

func (r *fileReader) fail(message, hint string, path ...string) {
	if r.err != nil {
		return
	}
	ix := indexOf(r.src)
	line, column := ix.place(path)
	r.err = &Error{File: r.file, Line: line, Column: column, Message: message, Hint: hint}
}

// order lists the names of a table of tables as they come in the file.
func (ix *index) order(table string, names any) []string {
	var out []string
	seen := map[string]bool{}
	for _, e := range ix.entries {
		if len(e.path) >= 2 && e.path[0] == table && !seen[e.path[1]] {
			seen[e.path[1]] = true
			out = append(out, e.path[1])
		}
	}
	// An inline table (env = { dev = {} }) has no entries of its own.
	var rest []string
	switch m := names.(type) {
	case map[string]envFile:
		for name := range m {
			rest = append(rest, name)
		}
	case map[string]settingFile:
		for name := range m {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	for _, name := range rest {
		if !seen[name] {
			out = append(out, name)
		}
	}
	return out
}

func (r *fileReader) setting(name string, f settingFile) settings.Setting {
	s := settings.Setting{Name: name, Type: settings.Type(f.Type), Secret: f.Secret, Description: f.Description, Example: f.Example,
		Choices: f.Choices, Pattern: f.Pattern, Generate: f.Generate}
	switch v := f.Required.(type) {
	case nil:
	case bool:
		s.Required.Always = v
	case []any:
		for _, e := range v {
			env, ok := e.(string)
			if !ok {
				r.fail("required is true, false or a list of environments", "", "settings", name, "required")
			}
			s.Required.In = append(s.Required.In, env)
		}
	default:
		r.fail("required is true, false or a list of environments", `write required = true or required = ["prod"]`,
			"settings", name, "required")
	}
	switch v := f.Default.(type) {
	case nil:
	case string, bool, int64, float64:
		text := fmt.Sprint(v)
		s.Default = &text
	default:
		r.fail("default is a string, a number or a bool", "write the default as the text that the environment would hold",
			"settings", name, "default")
	}
	if err := s.Validate(); err != nil {
		r.fail(fmt.Sprintf("setting %s: %s", name, withoutSentinel(err)), "", "settings", name)
	}
	return s
}

func withoutSentinel(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+secret.ErrInvalid.Error())
}

func (r *fileReader) check(p *Project) {
	if !isName(p.Name) {
		r.fail("project is a name of letters, digits, - and _", `write project = "shop"`, "project")
	}
	r.checkStore(p.Store)
	for i := range p.Envs {
		e := &p.Envs[i]
		if !isName(e.Name) {
			r.fail(fmt.Sprintf("environment %q: a name has letters, digits, - and _", e.Name), "", "env", e.Name)
		}
		if _, err := p.Chain(e.Name); err != nil {
			r.fail(withoutSentinel(err), "", "env", e.Name, "inherits")
		}
	}
	if p.DefaultEnv != "" && len(p.Envs) > 0 && p.Env(p.DefaultEnv) == nil {
		r.fail(fmt.Sprintf("default_env names %s, which is no environment", p.DefaultEnv), "add [env."+p.DefaultEnv+"]", "default_env")
	}
	for i, pattern := range p.Redact {
		if message, hint := pattern.wrong(); message != "" {
			r.fail(fmt.Sprintf("redact pattern %d: %s", i+1, message), hint, "redact", "patterns")
		}
	}
	for i := range p.Settings {
		for _, env := range p.Settings[i].Required.In {
			if p.Env(env) == nil {
				r.fail(fmt.Sprintf("setting %s is required in %s, which is no environment", p.Settings[i].Name, env), "",
					"settings", p.Settings[i].Name, "required")
			}
		}
	}
}

// wrong says what is the matter with a pattern, and what to write instead.
func (p *Redaction) wrong() (message, hint string) {
	if p.Match == "" {
		return "match is empty", `write { match = "tok_[a-z0-9]+", replace = "[token]" }`
	}
	re, err := regexp.Compile(p.Match)
	var syntax *regexpsyntax.Error
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("match is no expression: %s: `%s`", syntax.Code, syntax.Expr), "expressions are those of RE2: no look-around and no back-references"
	case err != nil:
		return "match is no expression", "expressions are those of RE2"
	case re.MatchString(""):
		return "match takes the empty text, which is everywhere", "ask for at least one character: + in place of *"
	case strings.ContainsAny(p.Replace, "\r\n"):
		return "replace has a line feed in it", "a line of output stays a line"
	case re.MatchString(p.Replace):
		return "match takes its own replacement, so that output would be masked again and again", "replace by a text that the expression does not take"
	}
	return "", ""
}

// checkStore wants an address that a token may be sent to: encrypted, or on this machine.
func (r *fileReader) checkStore(store string) {
	if store == "" || store == "local" {
		return
	}
	u, err := url.Parse(store)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		r.fail("store is \"local\" or the address of a server", `write store = "https://keephold.internal:8200"`, "store")
		return
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback()) {
		r.fail("store is reached without encryption", "use https; http is for this machine only", "store")
	}
}

func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Env finds an environment by name; nil if the project has none of that name.
func (p *Project) Env(name string) *Env {
	for i := range p.Envs {
		if p.Envs[i].Name == name {
			return &p.Envs[i]
		}
	}
	return nil
}

// Chain is an environment and those it inherits from, nearest first.
func (p *Project) Chain(name string) ([]Env, error) {
	var out []Env
	for next := name; next != ""; {
		e := p.Env(next)
		if e == nil {
			return nil, fmt.Errorf("environment %s: %w", next, secret.ErrNotFound)
		}
		if slices.ContainsFunc(out, func(o Env) bool { return o.Name == next }) {
			return nil, fmt.Errorf("environment %s inherits from itself: %w", name, secret.ErrInvalid)
		}
		out = append(out, *e)
		next = e.Inherits
	}
	return out, nil
}
