package cli

import (
	"context"
	"maps"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/settings/toml"
)

func envCommand(env Env, o *options) *cobra.Command {
	c := &cobra.Command{Use: "env", Short: "the environments of the project", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(envListCommand(env, o), envNewCommand(env, o), envCopyCommand(env, o), envProtectCommand(env, o), envParseCommand(env, o), envLintCommand(env, o))
	return c
}

func envListCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the environments",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			var rows [][]string
			var all []map[string]any
			for _, e := range p.Envs {
				rows = append(rows, []string{e.Name, e.Space, e.Inherits, map[bool]string{true: "protected"}[e.Protected]})
				all = append(all, map[string]any{"name": e.Name, "space": e.Space, "inherits": e.Inherits, "protected": e.Protected, "default": e.Name == p.DefaultEnv})
			}
			if o.json {
				return env.printJSON(map[string]any{"project": p.Name, "environments": all})
			}
			return env.table([]string{"NAME", "SPACE", "INHERITS", ""}, rows)
		},
	}
}

func envNewCommand(env Env, o *options) *cobra.Command {
	var from string
	var protect bool
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "make an environment; with --from it inherits another's values, with --protect too only its configuration",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			name := args[0]
			if p.Env(name) != nil {
				return usagef("project %s has an environment %q already", p.Name, name)
			}
			if from != "" && p.Env(from) == nil {
				return usagef("--from: project %s has no environment %q", p.Name, from)
			}
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			if err := a.makeSpace(cmd.Context(), p.Name+"/"+name, protect); err != nil {
				return err
			}
			if err := p.edit(func(text []byte) ([]byte, error) { return addEnv(text, p, name, from, protect) }); err != nil {
				return err
			}
			return env.tellNew(cmd.Context(), o, a, p, toml.Env{Name: name, Space: p.Name + "/" + name, Inherits: from, Protected: protect})
		},
	}
	c.Flags().StringVar(&from, "from", "", "environment to inherit from")
	c.Flags().BoolVar(&protect, "protect", false, "only a grant that names it reaches it")
	return c
}

// tellNew says what a new environment has of the one that it inherits from.
func (env Env) tellNew(ctx context.Context, o *options, a *api, p *project, made toml.Env) error {
	config, secrets := 0, []string{}
	if made.Inherits != "" {
		parent, err := p.environment(made.Inherits)
		if err != nil {
			return err
		}
		names := map[string]compared{}
		for i := len(parent.chain) - 1; i >= 0; i-- {
			own, err := a.fingerprints(ctx, parent.chain[i].Space, parent.chain[i].Name)
			if err != nil {
				return err
			}
			if parent.chain[i].Protected {
				leaveSecrets(p, names)
			}
			maps.Copy(names, own)
		}
		known := p.Settings.Index()
		for _, name := range sortedKeys(names) {
			if s := known[name]; s != nil && !s.Secret {
				config++
			} else {
				secrets = append(secrets, name)
			}
		}
	}
	if o.json {
		answer := map[string]any{"name": made.Name, "space": made.Space, "inherits": made.Inherits, "protected": made.Protected, "config": config}
		if made.Protected {
			answer["empty"] = secrets
		}
		return env.printJSON(answer)
	}
	switch {
	case made.Inherits == "":
		env.talk("%s: made", made.Name)
	case !made.Protected:
		env.talk("%s: inherits %s of %s", made.Name, plural(config+len(secrets), "setting"), made.Inherits)
	case len(secrets) == 0:
		env.talk("%s: inherits %s for %s", made.Name, made.Inherits, plural(config, "config key"))
	default:
		env.talk("%s: inherits %s for %s, %s %s EMPTY on purpose: %s", made.Name, made.Inherits, plural(config, "config key"),
			plural(len(secrets), "secret"), map[bool]string{true: "is", false: "are"}[len(secrets) == 1], strings.Join(secrets, ", "))
		env.talk("keephold: hint: keephold set %s --env %s", secrets[0], made.Name)
	}
	return nil
}

func addEnv(text []byte, p *project, name, from string, protect bool) ([]byte, error) {
	text, err := toml.Set(text, p.Name+"/"+name, "env", name, "space")
	if err == nil && from != "" {
		text, err = toml.Set(text, from, "env", name, "inherits")
	}
	if err == nil && protect {
		text, err = toml.Set(text, true, "env", name, "protected")
	}
	return text, err
}

// edit changes keephold.toml, keeping what people wrote in it, and refuses a change it could not read back.
func (p *project) edit(change func([]byte) ([]byte, error)) error {
	path := filepath.Join(p.dir, projectFile)
	text, err := change(p.text)
	if err == nil {
		_, err = toml.Read(path, text)
	}
	if err != nil {
		return tomlFault(err)
	}
	if err := writeFile(path, text, 0o644); err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	return nil
}

func envCopyCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "copy FROM TO",
		Short: "copy the values of one environment into another that lacks them",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			from, err := p.environment(args[0])
			if err != nil {
				return err
			}
			to, err := p.environment(args[1])
			if err != nil {
				return err
			}
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			have, err := a.wholeOf(cmd.Context(), from.space())
			if err != nil {
				return err
			}
			there, err := a.envOf(cmd.Context(), to.space())
			if err != nil {
				return err
			}
			if err := a.makeSpace(cmd.Context(), to.space(), to.chain[0].Protected); err != nil {
				return err
			}
			var copied []string
			for _, name := range sortedKeys(have.Values) {
				_, ok, err := a.holds(cmd.Context(), to.space(), &there, name)
				if err != nil {
					return err
				}
				if ok {
					continue
				}
				if _, err := a.setText(cmd.Context(), to.space(), name, have.Values[name]); err != nil {
					return err
				}
				copied = append(copied, name)
			}
			if o.json {
				return env.printJSON(map[string]any{"from": from.name, "to": to.name, "copied": orEmpty(copied)})
			}
			env.talk("copied %d into %s: %s", len(copied), to.name, strings.Join(copied, ", "))
			return nil
		},
	}
}

func envProtectCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "protect NAME",
		Short: "let only grants that name the environment reach it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			e, err := p.environment(args[0])
			if err != nil {
				return err
			}
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			if err := a.makeSpace(cmd.Context(), e.space(), true); err != nil {
				return err
			}
			return p.edit(func(text []byte) ([]byte, error) { return toml.Set(text, true, "env", e.name, "protected") })
		},
	}
}
