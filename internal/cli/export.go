package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/envfile"
)

func exportCommand(env Env, o *options) *cobra.Command {
	var envName, format, name string
	var dialects []string
	var away offlineFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "print the values of an environment in another program's form",
		Long: `Print the values of an environment in another program's form. A .env file is written so that all the parsers named read
the same values back; where that is not possible the command refuses and says who would disagree.`,
		Example: "  keephold export --format k8s --name shop -o secret.yaml\n  keephold export --dialect compose,node\n" +
			"  keephold export --format github >> \"$GITHUB_ENV\"",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := envfile.Writing{Format: envfile.Format(format), Name: name}
			if !slices.Contains(envfile.WriteFormats(), w.Format) {
				return usagef("--format %q is none of %v", format, envfile.WriteFormats())
			}
			for _, text := range dialects {
				d, err := dotenv.ParseDialect(text)
				if err != nil {
					return usagef("%w", err)
				}
				w.Dialects = append(w.Dialects, d)
			}
			return env.export(cmd, o, envName, &away, w)
		},
	}
	away.add(c, "export")
	f := c.Flags()
	f.StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	f.StringVar(&format, "format", "dotenv", "dotenv, json, yaml, toml, docker, shell, powershell, k8s, tfvars or github")
	f.StringSliceVar(&dialects, "dialect", []string{"python-dotenv", "node", "compose", "godotenv"}, "who has to read a .env file back")
	f.StringVar(&name, "name", "", "name of a Kubernetes Secret")
	return c
}

func (env Env) export(cmd *cobra.Command, o *options, envName string, f *offlineFlags, w envfile.Writing) error {
	p, err := findProject()
	if err != nil {
		return err
	}
	e, err := p.environment(envName)
	if err != nil {
		return err
	}
	if w.Name == "" {
		w.Name = p.Name
	}
	got, err := env.valuesOf(cmd.Context(), o, p, e, f)
	if err != nil {
		return err
	}
	env.tellUnread(o, got.unread)
	var entries []envfile.Entry
	for name, v := range got.values {
		entries = append(entries, envfile.Entry{Name: name, Value: v.text})
	}
	text, err := envfile.Write(entries, w)
	if err != nil {
		f := failf(exitBadData, "%w", err)
		var refused *dotenv.RefusedError
		if errors.As(err, &refused) {
			return f.withHint("%s", refused.Hint())
		}
		return f
	}
	return env.print(string(text))
}
