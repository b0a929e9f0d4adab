package cli

import (
	"context"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// target is a secret or a folder as a command line names it: SPACE/PATH, where the longest existing Space wins.
type target struct {
	space     string
	path      string
	versioned bool
}

// find asks the keep which Space the reference begins with.
func (a *api) find(ctx context.Context, ref string) (target, error) {
	ref = strings.TrimPrefix(ref, "/")
	clean := strings.TrimSuffix(ref, "/")
	if _, err := secret.ParsePath(clean); err != nil {
		return target{}, failf(exitUsage, "%q: %w", ref, err).withHint("a reference is SPACE/PATH, for instance secret/app/db")
	}
	var info struct {
		Path    string            `json:"path"`
		Type    string            `json:"type"`
		Options map[string]string `json:"options"`
	}
	err := a.call(ctx, http.MethodGet, "sys/internal/ui/mounts/"+escapePath(clean), nil, &info)
	if err != nil {
		return target{}, explain(err, ref)
	}
	space := strings.TrimSuffix(info.Path, "/")
	return target{space: space, path: strings.TrimPrefix(strings.TrimPrefix(clean, space), "/"), versioned: info.Options["version"] == "2"}, nil
}

// url is the API path of a kind ("data", "metadata", "delete" …) of the target.
func (t target) url(kind string) string {
	base := escapePath(t.space)
	if t.versioned {
		base += "/" + kind
	}
	if t.path == "" {
		return base
	}
	return base + "/" + escapePath(t.path)
}

func (t target) String() string {
	if t.path == "" {
		return t.space + "/"
	}
	return t.space + "/" + t.path
}

// needPath refuses a command on a secret that names only a Space.
func (t target) needPath() error {
	if t.path == "" {
		return usagef("%s names a Space, not a secret in it", t)
	}
	return nil
}

// needVersions refuses what only a Space with versions can do.
func (t target) needVersions(what string) error {
	if !t.versioned {
		return usagef("%s keeps no versions, so there is nothing to %s", t.space, what)
	}
	return nil
}
