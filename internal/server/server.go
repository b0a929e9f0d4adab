package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/front/vault"
)

// Config of a Server. Keep and Listeners are needed; the Server takes both over and closes them.
type Config struct {
	Keep        *Keep
	Listeners   []net.Listener
	Log         *slog.Logger
	Version     string
	RequestTime time.Duration // bound on one request; 0 is 30 s
	MaxBody     int64         // bytes of a body; 0 is 1 MiB
}

// Server serves one keep.
type Server struct {
	cfg  Config
	http *http.Server
}

// New composes the fronts and starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Keep == nil || len(cfg.Listeners) == 0 {
		return nil, errors.New("server: a keep and a listener are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.RequestTime == 0 {
		cfg.RequestTime = 30 * time.Second
	}
	v, err := vault.New(vault.Config{Desk: cfg.Keep.Desk, Log: cfg.Log, MaxBody: cfg.MaxBody, Version: cfg.Version, Started: time.Now()})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	root := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) > 4 && r.URL.Path[:4] == "/v1/" {
			v.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return &Server{cfg: cfg, http: &http.Server{
		Handler:           root,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       cfg.RequestTime,
		WriteTimeout:      cfg.RequestTime + 5*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}}, nil
}

// Run serves until ctx ends, finishes what is running, and closes the keep.
func (s *Server) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, l := range s.cfg.Listeners {
		g.Go(func() error {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error { return s.cfg.Keep.Desk.Run(gctx) })
	g.Go(func() error {
		<-gctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return s.http.Shutdown(grace)
	})
	err := g.Wait()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, s.cfg.Keep.Close(grace))
}
