package cli

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/settings/toml"
)

// projectFile describes a project; it is committed and never holds a secret.
const projectFile = "keephold.toml"

// project is the project that a command was called in.
type project struct {
	*toml.Project
	dir  string
	text []byte
}

// findProject looks for keephold.toml from the working directory up to the root of the git repository, never further:
// a file outside it is somebody else's.
func findProject() (*project, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, projectFile)
		text, err := os.ReadFile(path)
		if err == nil {
			p, err := toml.Read(path, text)
			if err != nil {
				return nil, tomlFault(err)
			}
			return &project{Project: p, dir: dir, text: text}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, failf(exitIO, "%w", err)
		}
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || dir == filepath.Dir(dir) {
			return nil, failf(exitNotFound, "no %s here or above, up to the root of the git repository", projectFile).withHint("make one with: keephold init")
		}
	}
}

func tomlFault(err error) error {
	f := failf(exitBadData, "%w", err)
	var e *toml.Error
	if errors.As(err, &e) && e.Hint != "" {
		return f.withHint("%s", e.Hint)
	}
	return f
}

// environment is one environment of a project with the ones it inherits from, nearest first.
type environment struct {
	name  string
	chain []toml.Env
}

func (p *project) environment(name string) (environment, error) {
	if name == "" {
		name = p.DefaultEnv
	}
	chain, err := p.Chain(name)
	if err != nil || len(chain) == 0 {
		var known []string
		for _, e := range p.Envs {
			known = append(known, e.Name)
		}
		return environment{}, usagef("project %s has no environment %q", p.Name, name).withHint("it has %s; make one with: keephold env new %s", strings.Join(known, ", "), name)
	}
	return environment{name, chain}, nil
}

// space is where the environment's own values lie.
func (e environment) space() string { return e.chain[0].Space }

// personalSpace holds a person's own overrides on this machine. It is never on a server.
func (p *project) personalSpace(env string) string { return "personal/" + p.ID + "/" + env }

// open answers the keep of the project, after the project was found to be trusted on this machine.
func (env Env) open(ctx context.Context, o *options, p *project) (*api, error) {
	if err := env.checkTrust(p); err != nil {
		return nil, err
	}
	if p.Store == "" || p.Store == "local" {
		return env.local(ctx, o)
	}
	if o.addr == "" {
		o.addr = p.Store
	}
	return env.connect(ctx, o)
}

// value is one setting as an environment has it.
type value struct {
	text    string
	version uint64
	from    string   // environment it came from, or "personal"
	lost    []string // environments whose value it overrode
}

type envAnswer struct {
	Values   map[string]string `json:"values"`
	Versions map[string]uint64 `json:"versions"`
	Revision uint64            `json:"revision"`
}

// envOf reads every value of one Space; a Space that does not exist or is empty has none.
func (a *api) envOf(ctx context.Context, space string) (envAnswer, error) {
	var out envAnswer
	err := a.call(ctx, http.MethodGet, "keephold/env/"+escapePath(space), nil, &out)
	if status(err) == http.StatusNotFound {
		a.seen.sawAll(a.addr, space, nil)
		return envAnswer{}, nil
	}
	if err == nil {
		a.seen.sawAll(a.addr, space, slices.Collect(maps.Keys(out.Values)))
	}
	return out, explain(err, "cannot read "+space)
}

// resolve merges an environment with what it inherits and with personal overrides; the nearest wins.
func (a *api) resolve(ctx context.Context, p *project, e environment) (map[string]value, error) {
	merged := map[string]value{}
	for _, link := range slices.Backward(e.chain) {
		got, err := a.envOf(ctx, link.Space)
		if err != nil {
			return nil, err
		}
		mergeInto(merged, got, link.Name)
	}
	if a.addr == localAddr {
		own, err := a.envOf(ctx, p.personalSpace(e.name))
		if err != nil {
			return nil, err
		}
		mergeInto(merged, own, "personal")
	}
	return merged, nil
}

func mergeInto(merged map[string]value, got envAnswer, from string) {
	for k, text := range got.Values {
		v := value{text: text, version: got.Versions[k], from: from}
		if old, ok := merged[k]; ok {
			v.lost = append([]string{old.from}, old.lost...)
		}
		merged[k] = v
	}
}

// makeSpace makes the Space of an environment unless it is there.
func (a *api) makeSpace(ctx context.Context, name string, protected bool) error {
	err := a.call(ctx, http.MethodPost, "sys/mounts/"+escapePath(name), map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}, nil)
	var e *apiError
	if errors.As(err, &e) && strings.Contains(e.Error(), "already in use") {
		err = nil
	}
	if err == nil && protected {
		err = a.call(ctx, http.MethodPost, "sys/mounts/"+escapePath(name)+"/tune", map[string]any{"protected": true}, nil)
	}
	return explain(err, "cannot make the Space "+name)
}

// setText stores one value.
func (a *api) setText(ctx context.Context, space, key, text string) (version uint64, err error) {
	var out struct {
		Version uint64 `json:"version"`
	}
	err = a.call(ctx, http.MethodPut, "keephold/value/"+escapePath(space+"/"+key), map[string]string{"text": text}, &out)
	if err == nil {
		a.seen.sawOne(a.addr, space, key)
	}
	return out.Version, explain(err, "cannot store "+space+"/"+key)
}
