package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/front/native"
	"github.com/keephold/keephold/internal/front/vault"
	"github.com/keephold/keephold/internal/ownkey"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/secret"
)

// Local is a user's own keep, opened in this process. It is asked like a server, by http.Client, but nothing leaves the
// process: the same fronts answer, and whoever can open the store is its owner. The store is locked while it is open,
// so a command opens it, acts, and closes it before it runs anything else.
type Local struct {
	keep    *Keep
	handler http.Handler
	seal    ownkey.Place
}

var _ http.RoundTripper = (*Local)(nil)

// LocalConfig says where a user's own keep lies and who can be asked for its key. Dir is needed.
type LocalConfig struct {
	Dir, Version string
	Getenv       func(string) string              // nil: os.Getenv
	Seal         string                           // of a keep that is made now: seal.KindKeyring, KindKeyFile or KindPassphrase; "" chooses
	Passphrase   func(fresh bool) ([]byte, error) // asks for one, twice when it is fresh; nil: nobody to ask
	Notice       func(format string, args ...any) // says what was chosen for a new keep; nil: nobody to tell
}

// OpenLocal opens the keep in cfg.Dir with the key that its seal names, and makes both when there are none.
func OpenLocal(ctx context.Context, cfg LocalConfig) (*Local, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	k, err := OpenKeep(cfg.keep(custody.AutoSeal{}))
	if err != nil {
		return nil, err
	}
	l := &Local{keep: k}
	if err := l.unseal(ctx, &cfg); err != nil {
		return nil, errors.Join(err, k.Close(ctx))
	}
	if l.handler, err = composeLocal(k); err != nil {
		return nil, errors.Join(err, k.Close(ctx))
	}
	return l, nil
}

func (l *Local) unseal(ctx context.Context, cfg *LocalConfig) error {
	config, err := l.keep.Desk.SealConfig(ctx)
	if errors.Is(err, secret.ErrNotInit) {
		return l.furnish(ctx, cfg)
	}
	if err != nil {
		return err
	}
	w, place, err := cfg.key(l.keep.installation).Open(config.Kind)
	if err == nil {
		err = l.keep.Desk.Unseal(ctx, w)
	}
	l.seal = place
	return l.keyFault(ctx, err)
}

// furnish gives a new keep its key and its first Space.
func (l *Local) furnish(ctx context.Context, cfg *LocalConfig) error {
	w, sealed, err := cfg.key(l.keep.installation).Choose(ctx)
	if err != nil {
		return err
	}
	l.seal = sealed
	fresh, err := l.keep.Desk.Initialize(ctx, auth.From{}, func(root []byte) (*seal.Config, error) {
		wrapped, err := w.Wrap(ctx, root)
		return &seal.Config{Kind: sealed.Kind, Wrapped: wrapped}, err
	})
	if err != nil {
		return err
	}
	// Nobody needs its root token, because whoever opens the store is its owner.
	owner, err := l.keep.Desk.Local()
	if err != nil {
		return err
	}
	if _, err := custody.Do(ctx, l.keep.Desk, owner, auth.Revoke{Which: auth.ByAccessor(fresh.Accessor)}); err != nil {
		return err
	}
	_, err = custody.Do(ctx, l.keep.Desk, owner, registry.MakeSpace{Space: secret.Space{Name: "secret", Versioned: true}})
	return err
}

func composeLocal(k *Keep) (http.Handler, error) {
	v, err := vault.New(vault.Config{Desk: k.Desk, Local: k.Desk.Local})
	if err != nil {
		return nil, err
	}
	n, err := native.New(native.Config{Desk: k.Desk, Local: k.Desk.Local, MaxBody: 64 << 20})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, native.Prefix) {
			n.ServeHTTP(w, r)
			return
		}
		v.ServeHTTP(w, r)
	}), nil
}

// Doors answers every dialect as a server does: each request proves who it is. It is for a program that this process runs.
func (l *Local) Doors() (http.Handler, error) {
	return compose(&Config{
		Keep: l.keep, Log: slog.New(slog.DiscardHandler), SignInRate: 1000, AnyRegion: true, passwords: userpass.NewHasher(1),
		Azure: AzureFile{Domain: DevDomain, Tenant: DevTenant},
	}, nil)
}

// RoundTrip answers a request in this process.
func (l *Local) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	a := &localAnswer{header: http.Header{}, status: http.StatusOK}
	l.handler.ServeHTTP(a, r)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, r.Body.Close()
}

// localAnswer collects an answer.
type localAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *localAnswer) Header() http.Header         { return a.header }
func (a *localAnswer) WriteHeader(status int)      { a.status = status }
func (a *localAnswer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Close syncs the audit record of what was done and lets go of the store.
func (l *Local) Close(ctx context.Context) error { return l.keep.Close(ctx) }
