package cli

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"github.com/keephold/keephold/internal/server"
)

// localAddr stands for the local keep where an address is shown; no request to it leaves the process.
const localAddr = "http://local-keep"

// dataDir is where a user's keep lies (XDG Base Directory Specification).
func (env Env) dataDir() (string, error) {
	if d := env.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "keephold"), nil
	}
	home := env.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", failf(exitCannotWrite, "neither HOME nor XDG_DATA_HOME is set")
		}
	}
	return filepath.Join(home, ".local", "share", "keephold"), nil
}

// hasLocal says that this user has a local keep.
func (env Env) hasLocal() bool {
	dir, err := env.dataDir()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, "keephold.db"))
	return err == nil
}

// local opens the user's own keep, making it when there is none. It is closed by closeAll, before anything else runs.
func (env Env) local(ctx context.Context, o *options) (*api, error) {
	if o.localKeep != nil {
		return o.localKeep, nil
	}
	dir, err := env.dataDir()
	if err != nil {
		return nil, err
	}
	keep, err := server.OpenLocal(ctx, dir, env.Version)
	if err != nil {
		return nil, serverFault(err)
	}
	o.closers = append(o.closers, func() error { return keep.Close(context.WithoutCancel(ctx)) })
	o.localKeep = &api{addr: localAddr, namespace: o.namespace, http: &http.Client{Transport: keep}}
	return o.localKeep, nil
}

// closeAll lets go of what commands opened.
func (o *options) closeAll() error {
	var first error
	for _, c := range o.closers {
		if err := c(); err != nil && first == nil {
			first = failf(exitIO, "closing the local keep: %w", err)
		}
	}
	o.closers, o.localKeep = nil, nil
	return first
}
