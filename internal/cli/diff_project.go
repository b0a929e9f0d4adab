package cli

import (
	"context"
	"os"

	"github.com/keephold/keephold/internal/dotenv"
)

// side is one of two sets of settings that are compared: an environment, or a file as its parser reads it.
type side struct {
	name   string
	values map[string]string
	from   map[string]string // environment that each came from; nil for a file
}

// settingsDiff compares environments or .env files of a project; one argument is compared with the project's
// environment. Values are compared and never shown.
func (env Env) settingsDiff(ctx context.Context, o *options, p *project, args []string) error {
	if len(args) == 1 {
		args = append(args, p.DefaultEnv)
	}
	var sides [2]side
	for i, arg := range args {
		var err error
		if sides[i], err = env.sideOf(ctx, o, p, arg); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	for _, s := range sides {
		for k := range s.values {
			names[k] = true
		}
	}
	var all []fieldDiff
	var rows [][]string
	equal := true
	for _, name := range sortedKeys(names) {
		a, inA := sides[0].values[name]
		b, inB := sides[1].values[name]
		d := fieldDiff{Field: name, State: "same"}
		switch {
		case !inA:
			d.State = "added"
		case !inB:
			d.State = "removed"
		case a != b:
			d.State = "differs"
		}
		equal = equal && d.State == "same"
		all = append(all, d)
		if d.State != "same" {
			rows = append(rows, []string{name, map[string]string{"added": "only in " + sides[1].name, "removed": "only in " + sides[0].name, "differs": "differs"}[d.State]})
		}
		env.warnShared(p, sides, name, d.State)
	}
	if o.json {
		if err := env.printJSON(map[string]any{"a": sides[0].name, "b": sides[1].name, "equal": equal, "settings": all}); err != nil {
			return err
		}
	} else if equal {
		env.talk("identical: %d settings", len(all))
	} else if err := env.table([]string{"NAME", "STATE"}, rows); err != nil {
		return err
	}
	if !equal {
		return silent(exitNo)
	}
	return nil
}

// warnShared says that two environments each hold the same value of a secret, which is usually a mistake. One that
// inherits it holds none of its own.
func (env Env) warnShared(p *project, sides [2]side, name, state string) {
	a, b := sides[0].from[name], sides[1].from[name]
	s := p.Settings.Lookup(name)
	if state == "same" && a != "" && b != "" && a != b && (s == nil || s.Secret) {
		env.talk("  ! %s  same value in %s and %s", name, a, b)
	}
}

func (env Env) sideOf(ctx context.Context, o *options, p *project, arg string) (side, error) {
	if p.Env(arg) == nil {
		if _, err := os.Stat(arg); err != nil {
			return side{}, usagef("%q is neither an environment of %s nor a file", arg, p.Name)
		}
		values, err := env.readVariables([]string{arg}, sourceFlags{dialect: string(dotenv.PythonDotenv)})
		return side{name: arg, values: values}, err
	}
	e, err := p.environment(arg)
	if err != nil {
		return side{}, err
	}
	a, err := env.open(ctx, o, p)
	if err != nil {
		return side{}, err
	}
	resolved, err := env.resolve(ctx, o, a, p, e)
	s := side{arg, map[string]string{}, map[string]string{}}
	for k, v := range resolved {
		s.values[k], s.from[k] = v.text, v.from
	}
	return s, err
}
