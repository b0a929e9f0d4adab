package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/inspect"
	"github.com/keephold/keephold/internal/settings"
	"github.com/keephold/keephold/internal/settings/toml"
)

// ignored is what a project's .gitignore should hold.
var ignored = []string{".env", ".env.*", "*.pem", "*.key", "secrets/", "credentials.json", "!.env.example"}

func initCommand(env Env, o *options) *cobra.Command {
	var f initFlags
	var undo, example bool
	c := &cobra.Command{
		Use:   "init",
		Short: "look at a project's settings and write keephold.toml, .env.example and .gitignore lines",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.Getwd()
			if err != nil {
				return failf(exitIO, "%w", err)
			}
			switch {
			case undo:
				return env.undoInit(dir)
			case example:
				p, err := findProject()
				if err != nil {
					return err
				}
				return writeOut(filepath.Join(p.dir, ".env.example"), []byte(p.Settings.Example()))
			}
			return env.initProject(cmd, o, dir, f)
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.name, "name", "", "name of the project (default: the directory's)")
	fs.StringVar(&f.store, "store", "", "where the values lie: local, or the address of a server (KEEPHOLD_STORE; default: local)")
	fs.BoolVar(&f.yes, "yes", false, "take every default without asking")
	fs.BoolVar(&f.noHook, "no-hook", false, "leave the git hooks as they are")
	fs.BoolVar(&undo, "undo", false, "take back what init wrote")
	fs.BoolVar(&example, "example", false, "only write .env.example anew from keephold.toml")
	return c
}

// initFlags are what init is told.
type initFlags struct {
	name, store string
	yes         bool
	noHook      bool
}

// where the values of a new project are to lie.
func (env Env) where(store string) (string, error) {
	if store == "" {
		store = env.Getenv("KEEPHOLD_STORE")
	}
	if store == "" || store == "local" {
		return "local", nil
	}
	u, err := url.Parse(store)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", usagef("--store %q is neither local nor https://HOST:PORT", store)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func (env Env) initProject(cmd *cobra.Command, o *options, dir string, f initFlags) error {
	store, err := env.where(f.store)
	if err != nil {
		return err
	}
	name, yes := f.name, f.yes
	path := filepath.Join(dir, projectFile)
	if _, err := os.Stat(path); err == nil {
		return failf(exitCannotWrite, "%s is here already", projectFile).withHint("edit it, or start over with: keephold init --undo")
	}
	if name == "" {
		name = projectName(filepath.Base(dir))
	}
	start := time.Now()
	report, err := inspect.Tree(cmd.Context(), os.DirFS(dir))
	if err != nil {
		return failf(exitIO, "%w", err)
	}
	files, err := dotenvFiles(dir)
	if err != nil {
		return err
	}
	schema := withDotenv(report.Schema(), files)
	p := &toml.Project{
		Name: name, ID: newProjectID(), Store: store, DefaultEnv: "dev", Settings: schema,
		Envs: []toml.Env{{Name: "dev", Space: name + "/dev"}},
	}
	text, err := toml.Write(p)
	if err != nil {
		return tomlFault(err)
	}
	env.talk("Looked at %s in %.1f s", plural(report.Files, "file"), time.Since(start).Seconds())
	history := env.lookAtHistory(cmd.Context(), o, dir)
	env.describe(report, files, schema, history)
	env.describeHistory(history)
	if err := env.confirm("write "+projectFile+", .env.example and .gitignore lines here", yes); err != nil {
		return err
	}
	made, err := writeProject(dir, text, schema)
	if err != nil {
		return err
	}
	if !f.noHook && hooksOf(dir) != "" && env.confirm("install the git hooks that stop a secret before it is committed", yes) == nil {
		hooks, err := projectHooks(dir)
		if err == nil {
			err = noteHooks(dir, hooks)
		}
		if err != nil {
			return err
		}
		for _, h := range hooks {
			made = append(made, "git hook "+h)
		}
	}
	if err := env.bind(&project{Project: p, dir: dir}); err != nil {
		return err
	}
	if o.json {
		return env.printJSON(map[string]any{
			"project": name, "id": p.ID, "files": report.Files, "settings": len(schema), "wrote": made, "dotenv": sortedKeys(files), "history": history,
		})
	}
	env.talk("Created  %s", strings.Join(made, " · "))
	next := "keephold set NAME"
	if len(files) > 0 {
		next = "keephold import " + sortedKeys(files)[0]
	}
	env.talk("Nothing was deleted. Next:  %s", next)
	if store != "local" {
		return nil
	}
	return env.offerRecovery(cmd, o, yes)
}

// describe tells what was found, and what is wrong with it; never a value.
func (env Env) describe(r *inspect.Report, files map[string][]dotenv.Variable, schema settings.Schema, history *projectHistory) {
	for _, c := range r.Classes {
		env.talk("  settings    %s  class %s  prefix %q  %s, %d hidden", c.Place, c.Name, c.Prefix, plural(c.Fields, "field"), c.Hidden)
	}
	for _, s := range r.Settings {
		if s.Reader != inspect.Pydantic {
			env.talk("  settings    %s  %s  %s", s.Place, s.Name, s.Reader)
		}
	}
	set := map[string]bool{}
	for _, name := range sortedKeys(files) {
		tracked := ""
		if history != nil && slices.Contains(history.tracked, name) {
			tracked = ", in git's index!  fix:  git rm --cached " + name
		}
		env.talk("  dotenv      %s (%s%s)", name, plural(len(files[name]), "key"), tracked)
		for _, v := range files[name] {
			set[v.Name] = true
		}
	}
	for _, c := range r.Clouds {
		env.talk("  clouds      %s  %s %s (left as it is)", c.Place, c.Kind, c.Name)
	}
	for _, d := range r.Dangers {
		env.talk("  ! %s  %s\n      fix:  %s", d.Place, d.Message, d.Fix)
	}
	for _, s := range schema {
		if s.Required.Always && s.Default == nil && !set[s.Name] {
			env.talk("  ! %s is used and set nowhere", s.Name)
		}
	}
}

// dotenvFiles reads the project's own .env files, as python-dotenv would; one that does not parse is named and left.
func dotenvFiles(dir string) (map[string][]dotenv.Variable, error) {
	found := map[string][]dotenv.Variable{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || name != ".env" && !strings.HasPrefix(name, ".env.") || strings.HasSuffix(name, ".example") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, failf(exitIO, "%w", err)
		}
		file, err := dotenv.Parse(dotenv.PythonDotenv, b)
		if err != nil {
			return nil, syntaxFault(name, err)
		}
		if found[name], err = file.Values(dotenv.Reading{Literal: true}); err != nil {
			return nil, syntaxFault(name, err)
		}
	}
	return found, nil
}

// withDotenv adds the names that only the .env files know. What nobody typed is taken for a secret.
func withDotenv(schema settings.Schema, files map[string][]dotenv.Variable) settings.Schema {
	known := map[string]bool{}
	for i := range schema {
		known[schema[i].Name] = true
	}
	for _, name := range sortedKeys(files) {
		for _, v := range files[name] {
			if !known[v.Name] {
				known[v.Name] = true
				schema = append(schema, settings.Setting{Name: v.Name, Type: settings.String, Secret: true})
			}
		}
	}
	return schema
}

// undoFile remembers what init made, so that --undo takes back exactly that.
const undoFile = ".keephold-undo.json"

type undoNote struct {
	Made      []string `json:"made"`
	GitIgnore []string `json:"gitignore"` // lines that were added
	Hooks     []string `json:"hooks,omitempty"`
}

// noteHooks adds the hooks that were installed to what is undone.
func noteHooks(dir string, hooks []string) error {
	note, err := readUndo(dir)
	if err != nil {
		return err
	}
	note.Hooks = hooks
	return writeUndo(dir, note)
}

func readUndo(dir string) (note undoNote, err error) {
	b, err := os.ReadFile(filepath.Join(dir, undoFile))
	if err != nil {
		return note, failf(exitNotFound, "nothing to undo here: %w", err)
	}
	if err := json.Unmarshal(b, &note); err != nil {
		return note, failf(exitBadData, "%s: %w", undoFile, err)
	}
	return note, nil
}

func writeUndo(dir string, note undoNote) error {
	b, err := json.Marshal(note)
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	return writeOut(filepath.Join(dir, undoFile), b)
}

func writeProject(dir string, text []byte, schema settings.Schema) (made []string, err error) {
	var note undoNote
	if err := writeOut(filepath.Join(dir, projectFile), text); err != nil {
		return nil, err
	}
	note.Made = append(note.Made, projectFile)
	example := filepath.Join(dir, ".env.example")
	if _, err := os.Stat(example); errors.Is(err, fs.ErrNotExist) {
		if err := writeOut(example, []byte(schema.Example())); err != nil {
			return nil, err
		}
		note.Made = append(note.Made, ".env.example")
	}
	if note.GitIgnore, err = addIgnores(dir); err != nil {
		return nil, err
	}
	if err := writeUndo(dir, note); err != nil {
		return nil, err
	}
	made = slices.Clone(note.Made)
	if len(note.GitIgnore) > 0 {
		made = append(made, fmt.Sprintf(".gitignore +%d", len(note.GitIgnore)))
	}
	return made, nil
}

func addIgnores(dir string) (added []string, err error) {
	path := filepath.Join(dir, ".gitignore")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failf(exitIO, "%w", err)
	}
	have := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	for _, line := range append(slices.Clone(ignored), undoFile) {
		if !slices.Contains(have, line) {
			added = append(added, line)
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	if len(b) > 0 && !bytes.HasSuffix(b, []byte("\n")) {
		b = append(b, '\n')
	}
	return added, writeOut(path, append(b, strings.Join(added, "\n")+"\n"...))
}

func (env Env) undoInit(dir string) error {
	note, err := readUndo(dir)
	if err != nil {
		return err
	}
	if err := dropHooks(dir, note.Hooks); err != nil {
		return err
	}
	if err := dropIgnores(dir, note.GitIgnore); err != nil {
		return err
	}
	for _, name := range append(note.Made, undoFile) {
		if err := os.Remove(filepath.Join(dir, filepath.Base(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failf(exitCannotWrite, "%w", err)
		}
	}
	for _, h := range note.Hooks {
		note.Made = append(note.Made, "git hook "+h)
	}
	env.talk("undone: %s; values that were imported stay in the keep", strings.Join(note.Made, ", "))
	return nil
}

func dropIgnores(dir string, lines []string) error {
	path := filepath.Join(dir, ".gitignore")
	b, err := os.ReadFile(path)
	if err != nil || len(lines) == 0 {
		return nil //nolint:nilerr // nothing of ours is there
	}
	kept := slices.DeleteFunc(strings.Split(string(b), "\n"), func(l string) bool { return slices.Contains(lines, l) })
	if text := strings.Join(kept, "\n"); text != "" {
		return writeOut(path, []byte(text))
	}
	return os.Remove(path)
}

func writeOut(path string, b []byte) error {
	if err := writeFile(path, b, 0o644); err != nil {
		return failf(exitCannotWrite, "%s: %w", path, err)
	}
	return nil
}

// projectName makes a directory's name fit for a Space.
func projectName(dir string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, dir)
	if name = strings.Trim(name[:min(len(name), 64)], "-"); name == "" {
		name = "project"
	}
	return name
}

func newProjectID() string {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return "p_" + string(b[:])
}
