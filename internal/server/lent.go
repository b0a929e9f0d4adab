package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/front/gcpsm"
	"github.com/keephold/keephold/internal/secret"
)

// MetadataFile is one [[metadata]]: the metadata server of one identity, Google's or Azure's, for a machine whose programs
// all are that identity. Whoever reaches it is, as at the vendors'; therefore it is on loopback only.
type MetadataFile struct {
	Address  string `toml:"address"`
	Identity string `toml:"identity"`
}

func (f *MetadataFile) check() error {
	host, _, err := net.SplitHostPort(f.Address)
	ip := net.ParseIP(host)
	switch {
	case err != nil:
		return fmt.Errorf("address %q is not HOST:PORT", f.Address)
	case host != "localhost" && (ip == nil || !ip.IsLoopback()):
		return fmt.Errorf("address %s is not loopback: whoever reaches it acts as the identity", f.Address)
	case f.Identity == "":
		return errors.New("identity is missing")
	}
	return nil
}

// metadataServer serves one identity.
type metadataServer struct {
	listener net.Listener
	identity string
}

// openMetadata takes the addresses.
func openMetadata(files []MetadataFile) ([]metadataServer, error) {
	var all []metadataServer
	for _, f := range files {
		l, err := net.Listen("tcp", f.Address)
		if err != nil {
			closeMetadata(all)
			return nil, fmt.Errorf("[[metadata]] address %s: %w", f.Address, err)
		}
		all = append(all, metadataServer{l, f.Identity})
	}
	return all, nil
}

func closeMetadata(all []metadataServer) {
	for _, m := range all {
		_ = m.listener.Close() // nothing was served on it
	}
}

// runMetadata serves them until ctx ends.
func (s *Server) runMetadata(ctx context.Context) error {
	g, inner := errgroup.WithContext(ctx)
	for _, m := range s.cfg.Metadata {
		h := &http.Server{
			Handler: s.metadata(m.identity), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: s.cfg.RequestTime, WriteTimeout: s.cfg.RequestTime + 5*time.Second,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: s.http.ErrorLog,
		}
		g.Go(func() error { return unlessClosed(h.Serve(m.listener)) })
		g.Go(func() error { <-inner.Done(); return h.Close() })
	}
	return g.Wait()
}

// metadata answers as the vendor's metadata server of the identity's kind does.
func (s *Server) metadata(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.gate.enter() {
			http.Error(w, "a snapshot is being restored", http.StatusServiceUnavailable)
			return
		}
		defer s.gate.leave()
		id, err := ask(r.Context(), s.cfg.Keep.Desk, machine.Read{Name: name})
		if err != nil {
			s.cfg.Log.Error("the metadata server has no identity", slog.String("identity", name), slog.String("error", err.Error()))
			http.Error(w, "no identity can be had now", http.StatusServiceUnavailable)
			return
		}
		lend := func(ctx context.Context, audience string) (secret.Value, time.Time, error) {
			got, err := ask(ctx, s.cfg.Keep.Desk, machine.Lend{Name: name, Audience: audience, TTL: time.Hour})
			return got.Text, got.Expires, err
		}
		switch id.Kind.Dialect() {
		case secret.GCP:
			m := gcpsm.Metadata{Project: id.Home, Number: s.cfg.GoogleProjects[id.Home], Email: id.Public}
			m.Token = func(ctx context.Context) (secret.Value, time.Time, error) { return lend(ctx, "") }
			m.ServeHTTP(w, r)
		case secret.Azure:
			if r.URL.Path != azurekv.MetadataPath {
				http.NotFound(w, r)
				return
			}
			(&azurekv.Managed{ClientID: id.Public, Token: lend}).ServeHTTP(w, r)
		default: // AWS's programs have the endpoint of a container, with a token
			http.NotFound(w, r)
		}
	})
}

// ask does what the server itself is configured to do.
func ask[T any](ctx context.Context, desk *custody.Desk, act custody.Act[T]) (T, error) {
	var zero T
	if desk == nil {
		return zero, secret.ErrSealed
	}
	local, err := desk.Local()
	if err != nil {
		return zero, err
	}
	return custody.Do(ctx, desk, local, act)
}
