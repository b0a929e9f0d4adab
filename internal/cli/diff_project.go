package cli

import (
	"context"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/settings/toml"
)

// compared is one setting of a side: the same text gives the same mark, within one comparison.
type compared struct {
	mark    string // a fingerprint of the keep's, or the value itself beside a file
	from    string // environment that it came from; "" for a file
	version uint64
	created time.Time
}

// side is one of two sets of settings that are compared: an environment, or a file as its parser reads it.
type side struct {
	name     string
	settings map[string]compared
}

// settingDiff is how one setting differs between two sides.
type settingDiff struct {
	Field    string `json:"field"`
	State    string `json:"state"`            // "same", "differs", "removed", "added"
	Shared   bool   `json:"shared,omitempty"` // both environments have the same secret of their own
	Type     string `json:"type,omitempty"`
	VersionA uint64 `json:"version_a,omitempty"`
	VersionB uint64 `json:"version_b,omitempty"`
}

// settingsDiff compares environments or .env files of a project; one argument is compared with the project's environment.
// Two environments are compared by fingerprints, which the keep computes: no value leaves it. Personal overrides do not
// count: they are nobody's environment.
func (env Env) settingsDiff(ctx context.Context, o *options, p *project, args []string) error {
	if len(args) == 1 {
		args = append(args, p.DefaultEnv)
	}
	beside := comparedHere(p, args[0]) || comparedHere(p, args[1])
	var sides [2]side
	for i, arg := range args {
		var err error
		if sides[i], err = env.sideOf(ctx, o, p, arg, beside); err != nil {
			return err
		}
	}
	all, equal := compareSettings(p, sides)
	if o.json {
		if err := env.printJSON(map[string]any{"a": sides[0].name, "b": sides[1].name, "equal": equal, "settings": all}); err != nil {
			return err
		}
	} else if err := env.printSettingsDiff(sides, all, equal); err != nil {
		return err
	}
	if !equal {
		return silent(exitNo)
	}
	return nil
}

// comparedHere says that the keep cannot compare a side: a file, whose values are here anyway, or an environment that has
// values from elsewhere.
func comparedHere(p *project, name string) bool {
	chain, err := p.Chain(name)
	return err != nil || slices.ContainsFunc(chain, func(e toml.Env) bool { return len(e.Sources) > 0 })
}

func compareSettings(p *project, sides [2]side) (all []settingDiff, equal bool) {
	names := map[string]bool{}
	for _, s := range sides {
		for k := range s.settings {
			names[k] = true
		}
	}
	equal = true
	known := p.Settings.Index()
	for _, name := range sortedKeys(names) {
		a, inA := sides[0].settings[name]
		b, inB := sides[1].settings[name]
		d := settingDiff{Field: name, State: "same", VersionA: a.version, VersionB: b.version}
		s := known[name]
		if s != nil {
			d.Type = string(s.Type)
		}
		switch {
		case !inA:
			d.State = "added"
		case !inB:
			d.State = "removed"
		case a.mark != b.mark:
			d.State = "differs"
		default: // one that inherits it has none of its own
			d.Shared = a.from != "" && b.from != "" && a.from != b.from && (s == nil || s.Secret)
		}
		equal = equal && d.State == "same"
		all = append(all, d)
	}
	return all, equal
}

func (env Env) printSettingsDiff(sides [2]side, all []settingDiff, equal bool) error {
	words := map[string]string{"added": "only in " + sides[1].name, "removed": "only in " + sides[0].name, "differs": "differs"}
	var rows [][]string
	for _, d := range all {
		word := words[d.State]
		if d.Shared {
			word = "SAME VALUE in " + sides[0].settings[d.Field].from + " and " + sides[1].settings[d.Field].from + ": usually a mistake"
		}
		if word != "" {
			rows = append(rows, []string{d.Field, word, d.Type, since(sides[0], d.Field), since(sides[1], d.Field)})
		}
	}
	if equal {
		env.talk("identical: %s", plural(len(all), "setting"))
	}
	if len(rows) == 0 {
		return nil
	}
	return env.table([]string{"NAME", "STATE", "TYPE", sides[0].name, sides[1].name}, rows)
}

// since is the day on which a side got its value.
func since(s side, name string) string {
	if t := s.settings[name].created; !t.IsZero() {
		return t.Local().Format(time.DateOnly)
	}
	return ""
}

func (env Env) sideOf(ctx context.Context, o *options, p *project, arg string, byValue bool) (side, error) {
	s := side{arg, map[string]compared{}}
	if p.Env(arg) == nil {
		if _, err := os.Stat(arg); err != nil {
			return side{}, usagef("%q is neither an environment of %s nor a file", arg, p.Name)
		}
		values, err := env.readVariables([]string{arg}, sourceFlags{dialect: string(dotenv.PythonDotenv)})
		for name, v := range values {
			s.settings[name] = compared{mark: v}
		}
		return s, err
	}
	e, err := p.environment(arg)
	if err != nil {
		return side{}, err
	}
	a, err := env.open(ctx, o, p)
	if err != nil {
		return side{}, err
	}
	if !byValue {
		for i := len(e.chain) - 1; i >= 0; i-- {
			own, err := a.fingerprints(ctx, e.chain[i].Space, e.chain[i].Name)
			if err != nil {
				return side{}, err
			}
			if e.chain[i].Protected {
				leaveSecrets(p, s.settings)
			}
			maps.Copy(s.settings, own)
		}
		return s, nil
	}
	got, err := env.resolve(ctx, o, a, p, e)
	if err == nil && got.unread != nil {
		err = failf(exitDenied, "cannot compare %s: %s may not be read whole", arg, got.unread.at.Space).withHint("who am I: keephold whoami; why: keephold policy explain")
	}
	if err != nil {
		return side{}, err
	}
	for name, v := range got.values {
		s.settings[name] = compared{mark: v.text, from: v.from, version: v.version}
	}
	return s, nil
}

// fingerprints are what a Space holds, as the environment from has it.
func (a *api) fingerprints(ctx context.Context, space, from string) (map[string]compared, error) {
	var out struct {
		Fingerprints map[string]struct {
			Fingerprint string    `json:"fingerprint"`
			Version     uint64    `json:"version"`
			Created     time.Time `json:"created"`
		} `json:"fingerprints"`
	}
	err := a.call(ctx, http.MethodGet, "keephold/fingerprints/"+escapePath(space), nil, &out)
	if status(err) == http.StatusNotFound {
		return nil, nil // a Space that is not there or empty has none
	}
	all := make(map[string]compared, len(out.Fingerprints))
	for name, f := range out.Fingerprints {
		all[name] = compared{f.Fingerprint, from, f.Version, f.Created}
	}
	return all, explain(err, "cannot compare "+space)
}
