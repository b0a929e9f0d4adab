package cli

import (
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/settings"
)

type setFlags struct {
	env, file, generate string
	personal            bool
}

func setCommand(env Env, o *options) *cobra.Command {
	var f setFlags
	c := &cobra.Command{
		Use:   "set NAME [VALUE]",
		Short: "store one setting of the project",
		Long: `Store one setting of the project.

The value is asked for at the terminal, or read from stdin when that is no terminal, from a file, or generated. On the
command line it is accepted only for a setting that keephold.toml says is no secret.`,
		Example: "  keephold set DATABASE_URL\n  keephold set SECRET_KEY --generate urlsafe:32\n  keephold set LOG_LEVEL debug --env dev",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			return env.setOne(cmd, o, p, &f, args)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&f.env, "env", "e", "", "environment (default: the project's)")
	fs.StringVar(&f.file, "from-file", "", "read the value from this file")
	fs.StringVar(&f.generate, "generate", "", "make a value: urlsafe:32, hex:32, alnum:40, password:24, uuid, rsa:3072, ed25519")
	fs.BoolVar(&f.personal, "personal", false, "override it for me on this machine only")
	return c
}

func (env Env) setOne(cmd *cobra.Command, o *options, p *project, f *setFlags, args []string) error {
	name, e, err := p.key(args[0], f.env)
	if err != nil {
		return err
	}
	s := p.Settings.Lookup(name)
	if len(args) == 2 && (s == nil || s.Secret) {
		return usagef("the value of %s is on the command line: it would stay in your shell history and in ps; nothing was stored", name).
			withHint("keephold set %s (asks), keephold set %s < FILE, or --generate; if it is no secret, say so: secret = false in %s", name, name, projectFile)
	}
	text, err := env.newValue(f, name, args)
	if err != nil {
		return err
	}
	if err := canStore(s, name, text); err != nil {
		return err
	}
	space, open := e.space(), env.open
	if f.personal {
		space, open = p.personalSpace(e.name), env.personal
	}
	a, err := open(cmd.Context(), o, p)
	if err != nil {
		return err
	}
	if err := a.makeSpace(cmd.Context(), space, false); err != nil {
		return err
	}
	version, err := a.setText(cmd.Context(), space, name, text)
	if err != nil {
		return err
	}
	if o.json {
		return env.printJSON(map[string]any{"name": name, "env": e.name, "space": space, "version": version})
	}
	if !o.quiet {
		env.talk("%s version %d in %s", name, version, e.name)
	}
	return nil
}

// canStore refuses what no environment can carry, and what the setting's type does not allow. A setting may be unknown.
func canStore(s *settings.Setting, name, text string) error {
	if strings.ContainsRune(text, 0) {
		return failf(exitBadData, "the value of %s holds a NUL, which no environment can carry; nothing was stored", name)
	}
	if s != nil {
		if err := s.Check(text, settings.AnyWords); err != nil {
			return failf(exitBadData, "%s: %w; nothing was stored", name, err)
		}
	}
	return nil
}

// key reads NAME or ENV/NAME.
func (p *project) key(ref, envName string) (string, environment, error) {
	name := ref
	if first, rest, ok := strings.Cut(ref, "/"); ok {
		if p.Env(first) == nil || strings.Contains(rest, "/") {
			return "", environment{}, usagef("%q is no setting of project %s", ref, p.Name)
		}
		envName, name = first, rest
	}
	if !isSettingName(name) {
		return "", environment{}, usagef("%q cannot be the name of a setting", name)
	}
	e, err := p.environment(envName)
	return name, e, err
}

// isSettingName says whether a name can be asked for again: it is one word, and no reference to another place.
func isSettingName(name string) bool {
	return name != "" && !strings.ContainsAny(name, "=/\x00 \t\r\n")
}

func (env Env) newValue(f *setFlags, name string, args []string) (string, error) {
	switch {
	case f.generate != "":
		v, err := settings.Generate(f.generate)
		if err != nil {
			return "", usagef("--generate: %w", err)
		}
		return reveal(v), nil
	case f.file != "":
		b, err := os.ReadFile(f.file)
		if err != nil {
			return "", failf(exitIO, "%w", err)
		}
		return strings.TrimSuffix(string(b), "\n"), nil
	case len(args) == 2:
		return args[1], nil
	case !isTerminal(env.Stdin):
		b, err := env.source("-")
		if err == nil && len(b) == 0 {
			return "", usagef("nothing on stdin for %s; nothing was stored", name)
		}
		return string(b), err
	}
	v, err := env.hidden("Value (hidden): ")
	return reveal(v), err
}

func unsetCommand(env Env, o *options) *cobra.Command {
	var envName string
	var personal bool
	c := &cobra.Command{
		Use:   "unset NAME",
		Short: "take a setting out of an environment; history brings it back",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			name, e, err := p.key(args[0], envName)
			if err != nil {
				return err
			}
			space, open := e.space(), env.open
			if personal {
				space, open = p.personalSpace(e.name), env.personal
			}
			a, err := open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			var m metadata
			err = a.call(cmd.Context(), http.MethodGet, escapePath(space)+"/metadata/"+escapePath(name), nil, &m)
			if status(err) == http.StatusNotFound || err == nil && m.Versions[strconv.FormatUint(m.Current, 10)].Deleted != "" {
				return failf(exitNotFound, "%s is not set in %s itself; nothing was changed", name, e.name).withHint("where it comes from: keephold explain %s%s", name, envFlag(p, e))
			} // who may only delete does so unseen
			if err := a.call(cmd.Context(), http.MethodDelete, escapePath(space)+"/data/"+escapePath(name), nil, nil); err != nil {
				return explain(err, "cannot take out "+name)
			}
			place := e.name + "/" + name
			if personal {
				place = space + "/" + name
			}
			env.talk("%s is no longer set in %s; undo: keephold undelete %s", name, e.name, place)
			return nil
		},
	}
	c.Flags().StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	c.Flags().BoolVar(&personal, "personal", false, "my override on this machine")
	return c
}
