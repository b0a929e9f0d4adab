package cli

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/server"
)

// doors is the keep that a program reaches through this process: for the program by the dialects, each request proving who
// it is, and for this process by its own API.
type doors struct {
	dialects http.Handler
	api      *api
	close    func() error
}

// doorsOf answers the keep of a run: the address that was given, else the project's store, else what other commands speak
// to.
func (env Env) doorsOf(ctx context.Context, o *options, p *project) (*doors, error) {
	own := *o
	own.closers = nil
	given, err := env.ownSetting("ADDR")
	if err != nil {
		return nil, err
	}
	given = cmp.Or(own.addr, given)
	switch {
	case given == "" && p != nil && p.local(), given == "" && p == nil && env.isLocal(&own) && env.hasLocal():
		return env.localDoors(ctx)
	case given == "" && p != nil:
		own.addr = p.Store
		own.store = p.Store
	case given != "":
		own.addr = given
	}
	a, err := env.connect(ctx, &own)
	if err != nil {
		return nil, err
	}
	h, err := serverDoors(a)
	return &doors{dialects: h, api: a, close: func() error { return nil }}, err
}

// serverDoors hands requests on to a server as they are: the host that the client asked for is in its signature, and tells
// the server which vault is meant.
func serverDoors(a *api) (http.Handler, error) {
	to, err := url.Parse(a.addr)
	if err != nil {
		return nil, usagef("address %q: %w", a.addr, err)
	}
	base, ok := a.http.Transport.(*http.Transport)
	if !ok {
		return nil, failf(exitInternal, "requests cannot be handed on to %s", a.addr)
	}
	one := base.Clone()
	one.DisableCompression = true // what the client did not ask for is not in its signature
	two := one.Clone()
	two.Protocols = new(http.Protocols) // gRPC
	two.Protocols.SetHTTP2(true)
	two.Protocols.SetUnencryptedHTTP2(true)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			if prefix := strings.TrimSuffix(to.Path, "/"); prefix != "" {
				r.Out.URL = r.Out.URL.JoinPath(prefix)
			}
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.Host = r.In.Host
		},
		Transport: byProtocol{one, two}, FlushInterval: -1, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "the keep cannot be reached", http.StatusBadGateway)
		},
	}, nil
}

// byProtocol keeps HTTP/2 on the way, for gRPC.
type byProtocol struct{ one, two http.RoundTripper }

func (b byProtocol) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		return b.two.RoundTrip(r)
	}
	return b.one.RoundTrip(r)
}

// linger is how long the local keep stays open after a request: a program often asks for several secrets in a row, and
// other commands wait meanwhile.
const linger = 100 * time.Millisecond

// localDoor opens the local keep when something is asked, and lets go of it soon: it is never held across the life of a
// program.
type localDoor struct {
	env Env
	dir string
	cfg server.LocalConfig

	mu    sync.Mutex
	keep  *server.Local // nil while it is closed; guarded by mu, as are the others
	shown http.Handler
	leave func() error
	users int
	idle  *time.Timer
}

func (env Env) localDoors(ctx context.Context) (*doors, error) {
	dir, err := env.dataDir()
	if err != nil {
		return nil, err
	}
	d := &localDoor{env: env, dir: dir, cfg: env.localConfig(dir)}
	// Whoever typed the passphrase once is not asked again while the program runs: the terminal is the program's.
	var typed []byte
	ask := d.cfg.Passphrase
	d.cfg.Passphrase = func(fresh bool) ([]byte, error) {
		if typed != nil && !fresh {
			return append([]byte(nil), typed...), nil
		}
		got, err := ask(fresh)
		if err == nil {
			typed = append([]byte(nil), got...)
		}
		return got, err
	}
	if _, err := d.enter(ctx); err != nil { // what is wrong with the keep is said before anything runs
		return nil, err
	}
	d.exit()
	return &doors{dialects: http.HandlerFunc(d.serveDialects), api: &api{addr: localAddr, http: &http.Client{Transport: d}}, close: d.close}, nil
}

// enter opens the keep, or joins those who have it open.
func (d *localDoor) enter(ctx context.Context) (*server.Local, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.idle != nil {
		d.idle.Stop()
		d.idle = nil
	}
	if d.keep == nil {
		leave := takeTurn(d.dir)
		keep, err := server.OpenLocal(context.WithoutCancel(ctx), d.cfg)
		if err != nil {
			_ = leave() // what matters is why it does not open
			return nil, localFault(d.dir, err)
		}
		shown, err := keep.Doors()
		if err != nil {
			return nil, errors.Join(err, keep.Close(context.WithoutCancel(ctx)), leave())
		}
		d.keep, d.shown, d.leave = keep, shown, leave
	}
	d.users++
	return d.keep, nil
}

// exit lets go; the last one out leaves the door open for a moment.
func (d *localDoor) exit() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	if d.users > 0 || d.keep == nil {
		return
	}
	var mine *time.Timer
	mine = time.AfterFunc(linger, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.idle == mine && d.users == 0 {
			_ = d.shut() // the next one to open it is told what is wrong
		}
	})
	d.idle = mine
}

// shut closes the keep. The caller holds mu.
func (d *localDoor) shut() error {
	if d.keep == nil {
		return nil
	}
	err := errors.Join(d.keep.Close(context.Background()), d.leave())
	d.keep, d.shown, d.leave, d.idle = nil, nil, nil, nil
	return err
}

func (d *localDoor) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut()
}

func (d *localDoor) serveDialects(w http.ResponseWriter, r *http.Request) {
	if _, err := d.enter(r.Context()); err != nil {
		http.Error(w, "the local keep cannot be opened", http.StatusServiceUnavailable)
		return
	}
	defer d.exit()
	d.shown.ServeHTTP(w, r)
}

// RoundTrip answers this process, as the owner of the keep.
func (d *localDoor) RoundTrip(r *http.Request) (*http.Response, error) {
	keep, err := d.enter(r.Context())
	if err != nil {
		return nil, err
	}
	defer d.exit()
	return keep.RoundTrip(r)
}
