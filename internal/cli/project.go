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
	"time"

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
	away  *offlineFlags // what may be used of earlier answers; nil: the usual
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
	return environment{name: name, chain: chain}, nil
}

// sources says that some of its values come from stores elsewhere.
func (e environment) sources() bool {
	return slices.ContainsFunc(e.chain, func(l toml.Env) bool { return len(l.Sources) > 0 })
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
	if p.local() {
		return env.local(ctx, o)
	}
	o.store = p.Store
	if o.addr == "" {
		o.addr = p.Store
	}
	a, err := env.connect(ctx, o)
	if err == nil {
		a.leases = env.leasesOf(a)
	}
	return a, err
}

// local says that the project's values lie in this user's own keep.
func (p *project) local() bool { return p.Store == "" || p.Store == "local" }

// value is one setting as an environment has it.
type value struct {
	text    string
	version uint64
	from    string   // environment it came from, or "personal"
	lost    []string // environments whose value it overrode
}

// emptyLease is for how long "it holds nothing" counts, in seconds.
const emptyLease = 3600

// envOf reads every value of one Space; a Space that does not exist or is empty has none.
func (a *api) envOf(ctx context.Context, space string) (envAnswer, error) {
	var out envAnswer
	asked := time.Now()
	path := "keephold/env/" + escapePath(space)
	body, code, err := a.raw(ctx, http.MethodGet, path, nil)
	if err == nil && !out.read(body) {
		err = a.fill(path, body, code, &out)
	}
	switch status(err) {
	case http.StatusNotFound:
		out, err = envAnswer{Lease: emptyLease}, nil
	case http.StatusForbidden, http.StatusUnauthorized:
		a.leases.refused(space)
	}
	if err == nil {
		a.leases.saw(ctx, space, &out, asked)
		a.seen.sawAll(a.addr, space, slices.Collect(maps.Keys(out.Values)))
	}
	return out, explain(err, "cannot read "+space)
}

// resolve reads an environment with what it inherits and with personal overrides.
func (env Env) resolve(ctx context.Context, o *options, a *api, p *project, e environment) (*sourced, error) {
	layers, missing, err := a.layers(ctx, e)
	if err != nil {
		return nil, err
	}
	merged, err := env.merge(ctx, o, p, e, layers)
	return &sourced{values: merged, unread: missing}, err
}

// merge lets the nearest value win: layers are what the environments of the chain hold, as far as they were read.
func (env Env) merge(ctx context.Context, o *options, p *project, e environment, layers []envAnswer) (map[string]value, error) {
	most := 0
	for _, got := range layers {
		most = max(most, len(got.Values))
	}
	merged := make(map[string]value, most)
	for i, got := range slices.Backward(layers) {
		link := e.chain[i]
		if link.Protected {
			leaveSecrets(p, merged)
		}
		mergeInto(merged, got, link.Name)
		if err := env.addSources(ctx, o, e, link.Sources, merged); err != nil {
			return nil, err
		}
	}
	return merged, env.addPersonal(ctx, o, p, e, merged)
}

// personal opens the keep of a person's own overrides. They never are on a server: where the project's values are on one, a
// note beside the keep says that there are overrides, so that nobody else has to open theirs.
func (env Env) personal(ctx context.Context, o *options, p *project) (*api, error) {
	dir, err := env.dataDir()
	if err != nil {
		return nil, err
	}
	if err := env.checkTrust(p); err != nil {
		return nil, err
	}
	if !p.local() {
		note := filepath.Join(dir, "personal", filepath.Base(p.ID))
		if err := os.MkdirAll(filepath.Dir(note), 0o700); err != nil {
			return nil, failf(exitCannotWrite, "%w", err)
		}
		if err := writeFile(note, nil, 0o600); err != nil {
			return nil, failf(exitCannotWrite, "%w", err)
		}
	}
	return env.local(ctx, o)
}

// addPersonal lets a person's own overrides win.
func (env Env) addPersonal(ctx context.Context, o *options, p *project, e environment, merged map[string]value) error {
	if !p.local() {
		dir, err := env.dataDir()
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, "personal", filepath.Base(p.ID))); err != nil {
			return nil //nolint:nilerr // no note, no overrides
		}
	}
	a, err := env.local(ctx, o)
	if err != nil {
		return err
	}
	own, err := a.envOf(ctx, p.personalSpace(e.name))
	if err == nil {
		mergeInto(merged, own, "personal")
	}
	return err
}

// leaveSecrets takes the secrets out of what a protected environment inherits: it has configuration from others and never a
// secret, so that production does not run with the password of somebody's test.
func leaveSecrets[V any](p *project, inherited map[string]V) {
	known := p.Settings.Index()
	maps.DeleteFunc(inherited, func(name string, _ V) bool { return known[name] == nil || known[name].Secret })
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
