package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/envfile"
	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

func importCommand(env Env, o *options) *cobra.Command {
	var envName, address string
	var from sourceFlags
	var dryRun, shred bool
	c := &cobra.Command{
		Use:     "import FILE… | --from ADDRESS",
		Short:   "store the settings of .env, ini, JSON, YAML, TOML, Compose and Kubernetes files; shows names, never values",
		Example: "  keephold import .env\n  keephold import .env --shred\n  keephold import compose.yaml --service web --env prod --dry-run\n  keephold import --from aws://123456789012/eu-west-1/prod/shop/ --env prod",
		Args:    func(_ *cobra.Command, args []string) error { return needFiles(args, address, shred) },
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			e, err := p.environment(envName)
			if err != nil {
				return err
			}
			vars, err := env.readVariables(args, from)
			if address != "" {
				vars, err = env.readAddress(cmd.Context(), o, address)
			}
			if err != nil {
				return err // nothing was stored: everything is read whole before anything is
			}
			if err := storable(vars); err != nil {
				return err
			}
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			plan, err := env.planImport(cmd, a, e, vars)
			if err != nil {
				return err
			}
			if !dryRun {
				if err := env.storePlan(cmd, o, a, e, plan); err != nil {
					return err
				}
			}
			if err := env.printPlan(o, p, e, plan, dryRun); err != nil || dryRun || !shred {
				return err
			}
			return env.shredAll(cmd, a, e, vars, args)
		},
	}
	f := c.Flags()
	f.StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	f.StringVar(&from.dialect, "dialect", string(dotenv.PythonDotenv), "whose reading of a .env file counts")
	f.StringVar(&from.format, "format", "", "dotenv, ini, json, yaml, toml, docker, compose or k8s (default: by the name of the file)")
	f.StringVar(&from.service, "service", "", "only this service of a Compose file, or container of a manifest")
	f.StringVar(&address, "from", "", "take the settings from a store elsewhere: aws://…, gcp://…, azure://… or vault://…")
	f.BoolVar(&dryRun, "dry-run", false, "only say what would change")
	f.BoolVar(&shred, "shred", false, "then replace each file by a stub, so that nothing plain text remains")
	return c
}

func needFiles(args []string, address string, shred bool) error {
	switch {
	case address == "" && len(args) == 0:
		return usagef("import what?").withHint("name files, or a store with --from aws://ACCOUNT/REGION/prefix/")
	case address != "" && (len(args) > 0 || shred):
		return usagef("--from names a store, which goes with neither files nor --shred")
	}
	return nil
}

// readAddress reads a store elsewhere as a source of an environment is read, and never an earlier answer of it.
func (env Env) readAddress(ctx context.Context, o *options, address string) (map[string]string, error) {
	a, err := provider.ParseAddress(address)
	if err != nil {
		return nil, usagef("%w", err)
	}
	bar := env.progress(o, "reading", "secrets", 0)
	got, err := env.readSource(ctx, a, bar)
	bar.end()
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(got.left) {
		env.talk("  %s: %s is left out: %s", a, name, got.left[name])
	}
	if len(got.values) == 0 {
		return nil, failf(exitNotFound, "%s: there is no setting", a).withHint("the end of an address is how the names of secrets begin; or it is the whole name of one that is a JSON object")
	}
	return got.values, nil
}

// sourceFlags say how the files of import are read.
type sourceFlags struct{ dialect, format, service string }

// readVariables reads every file as its parser would, the later one winning. A line that it rejects is an error with
// its place: nothing half-imported. What is left out is said.
func (env Env) readVariables(files []string, from sourceFlags) (map[string]string, error) {
	d, err := dotenv.ParseDialect(from.dialect)
	if err != nil {
		return nil, usagef("%w", err)
	}
	if f := envfile.Format(from.format); f != "" && !slices.Contains(envfile.ReadFormats(), f) {
		return nil, usagef("--format %q is none of %v", from.format, envfile.ReadFormats())
	}
	all := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, failf(exitIO, "%w", err)
		}
		r, err := envfile.Read(file, b, envfile.Reading{
			Format: envfile.Format(from.format), Dialect: d, Env: os.LookupEnv, Service: from.service,
			Open: func(name string) ([]byte, error) {
				if !filepath.IsAbs(name) {
					name = filepath.Join(filepath.Dir(file), name)
				}
				return os.ReadFile(name)
			},
		})
		if err != nil {
			return nil, syntaxFault(file, err)
		}
		for _, x := range r.Omitted {
			env.talk("  %s: %s is left out: %s", file, x.Name, x.Reason)
		}
		for _, v := range r.Entries {
			all[v.Name] = v.Value
		}
	}
	return all, nil
}

// storable looks at every name and value before the first is stored: half an import would be worse than none.
func storable(vars map[string]string) error {
	for _, name := range sortedKeys(vars) {
		switch {
		case !isSettingName(name):
			return failf(exitBadData, "%q cannot be the name of a setting; nothing was stored", name).
				withHint("a name is one word without / and =: rename it where it comes from")
		case strings.ContainsRune(vars[name], 0):
			return failf(exitBadData, "the value of %s holds a NUL, which no environment can carry; nothing was stored", name).
				withHint("store it encoded, as base64 say, and decode it in the program")
		case len(vars[name]) > secret.MaxValue:
			return failf(exitBadData, "the value of %s has %d bytes, and a keep holds %d at most; nothing was stored", name, len(vars[name]), secret.MaxValue).
				withHint("take it out, and mount it as a file of its own")
		}
	}
	return nil
}

func syntaxFault(file string, err error) error {
	var other *envfile.Error
	if errors.As(err, &other) {
		f := failf(exitBadData, "%w\nnothing was stored", other)
		if caret := other.Caret(); caret != "" {
			f = failf(exitBadData, "%w\n%s\nnothing was stored", other, caret)
		}
		return f.withHint("%s", other.Hint)
	}
	var e *dotenv.SyntaxError
	if !errors.As(err, &e) {
		return failf(exitBadData, "%s: %w", file, err)
	}
	if e.File == "" {
		e.File = file
	}
	f := failf(exitBadData, "%w\n%s\nnothing was stored", e, e.Caret())
	return f.withHint("%s", e.Hint())
}

// importPlan says for every name what storing it would do.
type importPlan struct {
	added, changed, same []string
	values               map[string]string
}

func (env Env) planImport(cmd *cobra.Command, a *api, e environment, vars map[string]string) (*importPlan, error) {
	if err := a.makeSpace(cmd.Context(), e.space(), e.chain[0].Protected); err != nil {
		return nil, err
	}
	have, err := a.envOf(cmd.Context(), e.space())
	if err != nil {
		return nil, err
	}
	plan := &importPlan{values: vars}
	for _, name := range sortedKeys(vars) {
		old, ok, err := a.holds(cmd.Context(), e.space(), &have, name)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			plan.added = append(plan.added, name)
		case old != vars[name]:
			plan.changed = append(plan.changed, name)
		default:
			plan.same = append(plan.same, name)
		}
	}
	return plan, nil
}

// storePlan stores what is new or differs. What was stored before an error, or an interrupt, is the same for the next import.
func (env Env) storePlan(cmd *cobra.Command, o *options, a *api, e environment, p *importPlan) error {
	names := slices.Concat(p.added, p.changed)
	bar := env.progress(o, "storing", "keys", int64(len(names)))
	defer bar.end()
	for _, name := range names {
		if _, err := a.setText(cmd.Context(), e.space(), name, p.values[name]); err != nil {
			return err
		}
		bar.add(1)
	}
	return nil
}

func (env Env) printPlan(o *options, p *project, e environment, plan *importPlan, dryRun bool) error {
	if o.json {
		return env.printJSON(map[string]any{"env": e.name, "new": orEmpty(plan.added), "changed": orEmpty(plan.changed), "same": orEmpty(plan.same), "dry_run": dryRun})
	}
	secrets := 0
	for _, name := range plan.added {
		if s := p.Settings.Lookup(name); s == nil || s.Secret {
			secrets++
		}
	}
	env.talk("  %s  + %d new (%d secret, %d config)  ~ %d changed  = %d same", e.name, len(plan.added), secrets, len(plan.added)-secrets, len(plan.changed), len(plan.same))
	for _, name := range plan.changed {
		env.talk("  ~ %s", name)
	}
	if dryRun {
		env.talk("Nothing was stored (--dry-run).")
		return nil
	}
	env.talk("Imported %s into %s.", plural(len(plan.added)+len(plan.changed), "key"), e.name)
	return nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// stub is what --shred leaves in a file's place: parsers read it, and find nothing.
const stub = "# The settings of this file are kept by keephold. Run the program with: keephold run -- COMMAND\n"

// shredAll replaces files by stubs, after every value was read back from the keep and found equal.
func (env Env) shredAll(cmd *cobra.Command, a *api, e environment, vars map[string]string, files []string) error {
	stored, err := a.envOf(cmd.Context(), e.space())
	if err != nil {
		return err
	}
	for name, text := range vars {
		if got, ok := stored.Values[name]; !ok || got != text {
			return failf(exitInternal, "%s did not read back as it was stored; no file was touched", name)
		}
	}
	for _, file := range files {
		if err := shredFile(file); err != nil {
			return failf(exitCannotWrite, "%s: %w", file, err)
		}
		env.talk("%s is a stub now; its %d values are in %s", filepath.Base(file), len(vars), e.name)
	}
	return nil
}

// shredFile overwrites the file's bytes where they lie, then puts the stub in its place. On a journaling or
// copying file system, or an SSD, older blocks can survive; docs/threat-model.md says so.
func shredFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, info.Size()))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return writeFile(path, []byte(stub), info.Mode().Perm())
}
