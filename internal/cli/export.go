package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
)

// formats is every form that export writes. The value is asked for by the command itself, so it is printed.
var formats = map[string]func([]dotenv.Variable) (string, error){
	"dotenv": func(vs []dotenv.Variable) (string, error) {
		return dotenv.Write(vs, dotenv.PythonDotenv, dotenv.Node, dotenv.Compose, dotenv.Godotenv)
	},
	"docker": func(vs []dotenv.Variable) (string, error) { return dotenv.Write(vs, dotenv.Docker) },
	"shell": func(vs []dotenv.Variable) (string, error) {
		return lines(vs, func(v dotenv.Variable) string {
			return "export " + v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'"
		})
	},
	"powershell": func(vs []dotenv.Variable) (string, error) {
		return lines(vs, func(v dotenv.Variable) string {
			return "$env:" + v.Name + " = '" + strings.ReplaceAll(v.Value, "'", "''") + "'"
		})
	},
	"json": func(vs []dotenv.Variable) (string, error) {
		m := map[string]string{}
		for _, v := range vs {
			m[v.Name] = v.Value
		}
		b, err := json.MarshalIndent(m, "", "  ")
		return string(b) + "\n", err
	},
	"yaml": func(vs []dotenv.Variable) (string, error) {
		return lines(vs, func(v dotenv.Variable) string { return v.Name + ": " + string(quote([]byte(v.Value))) })
	},
	"tfvars": func(vs []dotenv.Variable) (string, error) {
		return lines(vs, func(v dotenv.Variable) string {
			text := string(quote([]byte(v.Value)))
			return v.Name + " = " + strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
		})
	},
}

func lines(vs []dotenv.Variable, line func(dotenv.Variable) string) (string, error) {
	var b strings.Builder
	for _, v := range vs {
		b.WriteString(line(v))
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func exportCommand(env Env, o *options) *cobra.Command {
	var envName, format string
	c := &cobra.Command{
		Use:   "export",
		Short: "print the values of an environment in another program's form",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := formats[format]
			if !ok {
				return usagef("--format %q is none of %s", format, strings.Join(sortedKeys(formats), ", "))
			}
			p, err := findProject()
			if err != nil {
				return err
			}
			e, err := p.environment(envName)
			if err != nil {
				return err
			}
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			values, err := a.resolve(cmd.Context(), p, e)
			if err != nil {
				return err
			}
			vars := make([]dotenv.Variable, 0, len(values))
			for _, name := range sortedKeys(values) {
				vars = append(vars, dotenv.Variable{Name: name, Value: values[name].text})
			}
			text, err := write(vars)
			if err != nil {
				return failf(exitBadData, "%w", err)
			}
			return env.print(text)
		},
	}
	f := c.Flags()
	f.StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	f.StringVar(&format, "format", "dotenv", strings.Join(sortedKeys(formats), ", "))
	return c
}
