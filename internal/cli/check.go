package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/inspect"
	"github.com/keephold/keephold/internal/settings"
)

// finding is one thing that check says, with the command or edit that mends it.
type finding struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
	Fix  string `json:"fix"`
	Warn bool   `json:"warning,omitempty"` // said, and no reason to fail
}

func checkCommand(env Env, o *options) *cobra.Command {
	var envName string
	c := &cobra.Command{
		Use:   "check",
		Short: "say what an environment lacks or has wrong; fails when there is anything",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
			got, err := env.resolve(cmd.Context(), o, a, p, e)
			if err != nil {
				return err
			}
			env.tellUnread(o, got.unread)
			values := got.values
			findings := p.problems(e, values)
			drift, err := p.drift()
			if err != nil {
				return err
			}
			report, err := inspect.Tree(cmd.Context(), os.DirFS(p.dir))
			if err != nil {
				return failf(exitIO, "%w", err)
			}
			return env.printFindings(o, p, e, len(values), slices.Concat(findings, p.misread(report, e, values), drift, dangers(report)))
		},
	}
	c.Flags().StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	return c
}

func (p *project) problems(e environment, values map[string]value) []finding {
	texts := make(map[string]string, len(values))
	for k, v := range values {
		texts[k] = v.text
	}
	var out []finding
	for _, pr := range p.Settings.Check(e.name, texts, settings.AnyWords) {
		f := finding{Kind: string(pr.Kind), Name: pr.Name, Text: pr.Message, Fix: "keephold set " + pr.Name + envFlag(p, e)}
		if pr.Kind == settings.Unknown {
			continue // a value the schema does not know is no fault of the environment
		}
		if s := p.Settings.Lookup(pr.Name); s != nil && s.Generate != "" && pr.Kind == settings.Missing {
			f.Fix += " --generate " + s.Generate
		}
		out = append(out, f)
	}
	return out
}

func envFlag(p *project, e environment) string {
	if e.name == p.DefaultEnv {
		return ""
	}
	return " --env " + e.name
}

// misread is what a library at a place in the code would not take, although another might: each has its own words for a
// bool and its own form of a list.
func (p *project) misread(report *inspect.Report, e environment, values map[string]value) []finding {
	var out []finding
	known := p.Settings.Index()
	for i := range report.Settings {
		read := &report.Settings[i]
		words, ok := wordsOf(read.Reader)
		v, set := values[read.Name]
		s := known[read.Name]
		if !ok || !set || s == nil || v.text == "" && s.Required.Holds(e.name) {
			continue // what is missing is said already
		}
		if v.text != "" && s.Check(v.text, settings.AnyWords) != nil {
			continue // nobody takes it, which is said already
		}
		as := settings.Setting{Name: read.Name, Type: read.Type}
		if err := as.Check(v.text, words); err != nil {
			out = append(out, finding{Kind: string(settings.Invalid), Name: read.Name,
				Text: fmt.Sprintf("%s: %s does not read it: %s", read.Place, read.Reader, err.Error()),
				Fix:  "keephold set " + read.Name + envFlag(p, e)})
		}
	}
	return out
}

// wordsOf is whose reading of a value counts; python-dotenv and os.environ read text as it is.
func wordsOf(r inspect.Reader) (settings.Words, bool) {
	switch r {
	case inspect.Decouple:
		return settings.DecoupleWords, true
	case inspect.Pydantic:
		return settings.PydanticWords, true
	}
	return settings.AnyWords, false
}

// dangers is what the project's code does to secrets, with its place.
func dangers(report *inspect.Report) []finding {
	var out []finding
	for _, d := range report.Dangers {
		out = append(out, finding{Kind: string(d.Code), Name: d.Name, Text: d.Place.String() + ": " + d.Message, Fix: d.Fix, Warn: d.Code == inspect.CachedForLife})
	}
	return out
}

// drift compares .env.example with the schema. A project without one has none.
func (p *project) drift() ([]finding, error) {
	path := filepath.Join(p.dir, ".env.example")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	file, err := dotenv.Parse(dotenv.PythonDotenv, b)
	if err != nil {
		return nil, syntaxFault(path, err)
	}
	vars, err := file.Values(dotenv.Reading{Literal: true})
	if err != nil {
		return nil, syntaxFault(path, err)
	}
	var lines []settings.ExampleLine
	for _, v := range vars {
		lines = append(lines, settings.ExampleLine{Name: v.Name, Line: v.Line, Value: strings.TrimSpace(v.Value) != ""})
	}
	var out []finding
	for _, d := range p.Settings.Drift(lines) {
		text := map[settings.DriftKind]string{
			settings.DriftMissing: "is not in .env.example", settings.DriftUnknown: "is in .env.example and not in " + projectFile,
			settings.DriftValue: "has a value in .env.example, and it is a secret",
		}[d.Kind]
		out = append(out, finding{Kind: "drift", Name: d.Name, Text: text, Fix: "keephold init --example"})
	}
	return out, nil
}

func (env Env) printFindings(o *options, p *project, e environment, set int, findings []finding) error {
	if o.json {
		if findings == nil {
			findings = []finding{}
		}
		if err := env.printJSON(map[string]any{"env": e.name, "set": set, "settings": len(p.Settings), "findings": findings}); err != nil {
			return err
		}
	} else {
		env.talk("%s: %s, %s", e.name, plural(len(p.Settings), "setting"), plural(set, "value"))
		for _, f := range findings {
			env.talk("  %s %s  %s\n    fix:  %s", map[bool]string{true: "!", false: "x"}[f.Warn], f.Name, f.Text, f.Fix)
		}
	}
	if slices.ContainsFunc(findings, func(f finding) bool { return !f.Warn }) {
		return silent(exitCheck)
	}
	return nil
}

func explainCommand(env Env, o *options) *cobra.Command {
	var envName string
	c := &cobra.Command{
		Use:   "explain NAME",
		Short: "say where a setting's value comes from and what it overrode",
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
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			got, err := env.resolve(cmd.Context(), o, a, p, e)
			if err != nil {
				return err
			}
			return env.printOrigin(o, p, e, name, got)
		},
	}
	c.Flags().StringVarP(&envName, "env", "e", "", "environment (default: the project's)")
	return c
}

func (env Env) printOrigin(o *options, p *project, e environment, name string, got *sourced) error {
	v, ok := got.values[name]
	if !ok {
		env.tellUnread(o, got.unread)
		more := ""
		if s := p.Settings.Lookup(name); s != nil && s.Default != nil {
			more = fmt.Sprintf("; the program takes its default, %q", *s.Default)
		}
		return failf(exitNotFound, "%s is set nowhere in %s%s", name, e.name, more).withHint("keephold set %s%s", name, envFlag(p, e))
	}
	s := p.Settings.Lookup(name)
	kind, isSecret := "string", true
	if s != nil {
		kind, isSecret = string(s.TypeOrString()), s.Secret
	}
	_, inProcess := os.LookupEnv(name)
	if o.json {
		return env.printJSON(got.document(map[string]any{"name": name, "env": e.name, "from": v.from, "version": v.version, "overrode": orEmpty(v.lost), "type": kind, "secret": isSecret, "in_process_environment": inProcess}))
	}
	shown := v.text
	if isSecret {
		shown = "(secret, not shown: keephold get " + name + ")"
	}
	lost := strings.Join(v.lost, ", ")
	if inProcess {
		lost = strings.TrimPrefix(lost+", process environment", ", ")
	}
	if lost == "" {
		lost = "nothing"
	}
	text := "value     " + shown + "\ntype      " + kind + "\nwon       " + v.from + "\noverrode  " + lost + "\n"
	if got.unread != nil {
		text += "not read  " + strings.Join(got.unread.names(), ", ") + "\n"
	}
	return env.print(text)
}
