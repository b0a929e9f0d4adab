package cli

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/keephold/keephold/internal/seal"
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
	leave := takeTurn(dir)
	keep, err := server.OpenLocal(ctx, env.localConfig(dir))
	if err != nil {
		_ = leave() // what matters is why it does not open
		return nil, localFault(dir, err)
	}
	o.closers = append(o.closers, func() error { return errors.Join(keep.Close(context.WithoutCancel(ctx)), leave()) })
	o.localKeep = &api{addr: localAddr, namespace: o.namespace, http: &http.Client{Transport: keep}, seen: env.see(o)}
	o.localOwner = keep
	return o.localKeep, nil
}

// closeAll lets go of what commands opened.
func (o *options) closeAll() error {
	var first error
	var noted sync.WaitGroup
	noted.Go(o.names.flush) // while the keep waits for the disk
	for _, c := range o.closers {
		if err := c(); err != nil && first == nil {
			first = failf(exitIO, "closing the local keep: %w", err)
		}
	}
	noted.Wait()
	o.closers, o.localKeep, o.localOwner = nil, nil, nil
	return first
}

// localConfig is how this command line opens the user's own keep.
func (env Env) localConfig(dir string) server.LocalConfig {
	return server.LocalConfig{
		Dir: dir, Version: env.Version, Getenv: env.Getenv, Seal: env.Getenv("KEEPHOLD_LOCAL_SEAL"),
		Passphrase: env.passphrase,
		Notice:     func(format string, args ...any) { env.talk("keephold: note: "+format, args...) },
	}
}

// passphrase asks for the passphrase of the local keep, twice when it is a new one.
func (env Env) passphrase(fresh bool) ([]byte, error) {
	first, err := env.hidden("Passphrase of your keep (hidden): ")
	if err != nil {
		return nil, usagef("no terminal to type the passphrase of the local keep at").withHint("set KEEPHOLD_PASSPHRASE_FILE to a file that only you can read")
	}
	if !fresh {
		return []byte(reveal(first)), nil
	}
	again, err := env.hidden("Once more: ")
	if err != nil {
		return nil, err
	}
	if !first.Equal(again) {
		return nil, usagef("the two differ; nothing was made")
	}
	return []byte(reveal(first)), nil
}

// localFault says what an error of opening the local keep means: what is lost, what is not, and how to go on.
func localFault(dir string, err error) error {
	var lost *server.LostKeyError
	var gone *server.LostStoreError
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &gone):
		return failf(exitNotFound, "%w\nlost:     every value that was only in it\nnot lost: keephold.toml, .env.example, the audit log in %s, and whatever is on a server", err, filepath.Join(dir, "audit")).
			withHint("put a copy of the store back, or begin anew: mv %s %s.old", dir, dir)
	case errors.As(err, &lost) && lost.Away:
		return failf(exitDenied, "%w; nothing is lost", err).withHint("%s", awayHint(lost))
	case errors.As(err, &lost):
		return failf(exitNotFound, "%w\nlost:     without it nobody can read the %s in %s\nnot lost: their names, keephold.toml, the audit log, and whatever is on a server", err, plural(lost.Secrets, "value"), dir).
			withHint("with a recovery key: keephold recovery restore; with a backup of %s: put it back; else begin anew: mv %s %s.old, then keephold trust and keephold import", lost.Where, dir, dir)
	case server.FaultOf(err) == server.FaultBadData:
		return failf(exitBadData, "%w\nit is not a store that this keephold can read; it was not changed", err).
			withHint("put a copy back, or use the keephold that wrote it; to begin anew: mv %s %s.old, then keephold trust and keephold import", dir, dir)
	}
	return serverFault(err)
}

func awayHint(lost *server.LostKeyError) string {
	switch lost.Kind {
	case seal.KindKeyring:
		return "log in to the desktop session, or unlock its keyring; a recovery key opens the keep without it: keephold recovery restore"
	case seal.KindPassphrase:
		return "give the right passphrase, at a terminal or by KEEPHOLD_PASSPHRASE_FILE"
	}
	return "see to it that only you can read " + lost.Where
}
