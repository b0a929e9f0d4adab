package cli

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// setting is a key of one of a project's environments.
type setting struct {
	project *project
	env     environment
	name    string
}

// projectSetting reads a reference by the one grammar of the tool: a bare NAME is a key of the project's environment;
// ENV/NAME is one of that environment when its first segment names one; anything else with a '/' is SPACE/PATH, and a
// leading '/' forces that. nil says that the reference is SPACE/PATH.
func projectSetting(ref, envName string) (*setting, error) {
	first, _, slash := strings.Cut(ref, "/")
	if strings.HasPrefix(ref, "/") || strings.Contains(ref, "://") {
		return nil, nil
	}
	p, err := findProject()
	var f *fault
	switch {
	case err != nil && slash:
		return nil, nil // a path of a keep does not need a project, not even a sound one
	case err != nil && errors.As(err, &f) && f.code == exitNotFound:
		return nil, usagef("%q names a setting, and there is no %s here or above", ref, projectFile).withHint("keephold init, or name a secret as SPACE/PATH")
	case err != nil:
		return nil, err
	case slash && p.Env(first) == nil:
		return nil, nil
	}
	name, e, err := p.key(ref, envName)
	if err != nil {
		return nil, err
	}
	return &setting{p, e, name}, nil
}

// placed answers a reference as its keep has it: in a project a bare NAME is a key of its environment, what begins with the name
// of an environment stands for that environment's Space, and everything else for itself. The project is nil for the last.
func placed(ref string) (string, *project, error) {
	first, rest, slash := strings.Cut(ref, "/")
	p, err := findProject()
	var f *fault
	switch {
	case err != nil && (slash || errors.As(err, &f) && f.code == exitNotFound):
		return ref, nil, nil // a path of a keep does not need a project, not even a sound one
	case err != nil:
		return "", nil, err
	case slash && p.Env(first) != nil:
		return p.Env(first).Space + "/" + rest, p, nil
	case slash:
		return ref, nil, nil
	}
	name, e, err := p.key(ref, "")
	if err != nil {
		return "", nil, err
	}
	return e.space() + "/" + name, p, nil
}

// connectFor answers the keep that references are in, and the references as that keep has them.
func (env Env) connectFor(ctx context.Context, o *options, refs ...string) (*api, []string, error) {
	connect := env.connect
	places := make([]string, len(refs))
	for i, ref := range refs {
		place, p, err := placed(ref)
		if err != nil {
			return nil, nil, err
		}
		if places[i] = place; p != nil {
			connect = func(ctx context.Context, o *options) (*api, error) { return env.open(ctx, o, p) }
		}
	}
	a, err := connect(ctx, o)
	return a, places, err
}

// secretFor answers the secret that a reference names and the keep that it is in.
func (env Env) secretFor(ctx context.Context, o *options, ref string) (*api, target, error) {
	if !strings.Contains(ref, "/") {
		if _, err := projectSetting(ref, ""); err != nil {
			return nil, target{}, err // one word is no secret where there is no project
		}
	}
	a, places, err := env.connectFor(ctx, o, ref)
	if err != nil {
		return nil, target{}, err
	}
	t, err := a.find(ctx, places[0])
	return a, t, err
}

// printSetting is get for a key of a project.
func (env Env) printSetting(ctx context.Context, o *options, s *setting, f *offlineFlags, noNewline, reveal bool) error {
	got, v, err := env.valueOf(ctx, o, s, f)
	if status(err) == http.StatusForbidden {
		return failf(exitDenied, "denied: read %s/%s: %w", s.env.name, s.name, err).withHint("who may, and whom to ask: keephold access --who %s/%s", s.env.name, s.name)
	}
	if err != nil {
		return err
	}
	if v == nil {
		return failf(exitNotFound, "%s is not set in %s", s.name, s.env.name).withHint("keephold set %s%s", s.name, envFlag(s.project, s.env))
	}
	if o.json {
		out := map[string]any{"name": s.name, "env": s.env.name, "from": v.from, "version": v.version}
		if reveal {
			out["value"] = v.text
		}
		return env.printJSON(got.document(out))
	}
	if noNewline {
		return env.print(v.text)
	}
	return env.print(v.text + "\n")
}

// valueOf reads an environment for one of its settings; nil: it has none of that name. Where the environment could not be read
// whole, the setting is asked for by its name, so that who may not read it is told so, and that is recorded.
func (env Env) valueOf(ctx context.Context, o *options, s *setting, f *offlineFlags) (*sourced, *value, error) {
	got, err := env.valuesOf(ctx, o, s.project, s.env, f)
	from := 0
	switch {
	case status(err) == http.StatusForbidden:
		got = new(sourced)
	case err != nil:
		return nil, nil, err
	default:
		if v, ok := got.values[s.name]; ok {
			return got, &v, nil
		}
		if got.unread == nil || got.offline {
			env.tellUnread(o, got.unread)
			return got, nil, nil
		}
		from = got.unread.depth
	}
	a, err := env.open(ctx, o, s.project)
	if err != nil {
		return nil, nil, err
	}
	v, err := env.search(ctx, o, a, s, from)
	return got, v, err
}

// printSettings is list for a project: names and where each comes from.
func (env Env) printSettings(ctx context.Context, o *options, p *project, envName string) error {
	e, err := p.environment(envName)
	if err != nil {
		return err
	}
	a, err := env.open(ctx, o, p)
	if err != nil {
		return err
	}
	got, err := env.resolve(ctx, o, a, p, e)
	if err != nil {
		return err
	}
	env.tellUnread(o, got.unread)
	if o.json {
		return env.printJSON(got.document(map[string]any{"project": p.Name, "env": e.name, "names": sortedKeys(got.values)}))
	}
	var b strings.Builder
	for _, name := range sortedKeys(got.values) {
		b.WriteString(name + "\n")
	}
	return env.print(b.String())
}
