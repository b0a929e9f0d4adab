package cli

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

func renderCommand(env Env, o *options) *cobra.Command {
	var envName string
	var away offlineFlags
	c := &cobra.Command{
		Use:   "render TEMPLATE|-",
		Short: "fill a template with the values of an environment",
		Long: `Fill a Go template with the values of an environment: {{ .NAME }}. A name that has no value is an error. json, base64,
quote and indent shape a value: {{ .CERT | indent 4 }}. With -o the result is a file that only you can read.`,
		Example: "  keephold render nginx.conf.tmpl -o /run/nginx.conf",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := env.fileOrStdin(args[0])
			if err != nil {
				return err
			}
			t, err := parseTemplate(args[0], string(text))
			if err != nil {
				return err
			}
			p, err := findProject()
			if err != nil {
				return err
			}
			e, err := p.environment(envName)
			if err != nil {
				return err
			}
			got, err := env.valuesFor(cmd.Context(), o, p, e, &away)
			if err != nil {
				return err
			}
			env.tellUnread(o, got.unread)
			texts := make(map[string]string, len(got.values))
			for name, v := range got.values {
				texts[name] = v.text
			}
			out, err := fill(t, texts)
			if err != nil {
				return err
			}
			return env.print(out)
		},
	}
	away.add(c, "render")
	c.Flags().StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	return c
}

// parseTemplate reads a template. The text of the errors of a template holds names and places, and never a value.
func parseTemplate(name, text string) (*template.Template, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(renderFuncs()).Parse(text)
	if err != nil {
		return nil, failf(exitBadData, "%w", err)
	}
	return t, nil
}

func fill(t *template.Template, texts map[string]string) (string, error) {
	var out strings.Builder
	if err := t.Execute(&out, texts); err != nil {
		return "", failf(exitNotFound, "%w", err).withHint("keephold list names what there is")
	}
	return out.String(), nil
}

func renderFuncs() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"quote":  func(s string) string { return string(quoted(s)) },
		"indent": func(n int, s string) string {
			return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", max(n, 0)))
		},
	}
}

// quoted writes s between double quotes as JSON, YAML, TOML and most configuration languages read it.
func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return b
}
