package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/intercept"
	"github.com/keephold/keephold/internal/registry"
)

// InterceptFile is [intercept]: a proxy for clients with the vendors' addresses built in, for the hosts of a fixed list.
type InterceptFile struct {
	Address        string `toml:"address"`         // "": off
	CredentialFile string `toml:"credential_file"` // USER:PASSWORD that clients present to the proxy
	Anywhere       bool   `toml:"anywhere"`        // on an address that is not loopback too
}

func (f *InterceptFile) check() error {
	switch {
	case f.Address == "" && f.CredentialFile == "":
		return nil
	case f.Address == "":
		return errors.New("[intercept] address is missing")
	}
	host, _, err := net.SplitHostPort(f.Address)
	if err != nil {
		return fmt.Errorf("[intercept] address %q is not HOST:PORT", f.Address)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	if !f.Anywhere {
		return fmt.Errorf("[intercept] address %s is not loopback: who can reach it could use the proxy (anywhere = true, with a credential_file)", f.Address)
	}
	if f.CredentialFile == "" {
		return errors.New("[intercept] anywhere needs credential_file")
	}
	return nil
}

// interception is the intercepting listener of a server.
type interception struct {
	listener   net.Listener
	credential *intercept.Credential // nil: none is asked for
	caFile     string                // where clients find whom to trust; made when the keep is first open

	authority atomic.Pointer[intercept.Authority] // while the keep is open
}

// openIntercept takes the address; nil when there is none.
func openIntercept(f *File) (*interception, error) {
	if f.Intercept.Address == "" {
		return nil, nil
	}
	i := &interception{caFile: filepath.Join(tlsDir(f), "intercept-ca.pem")}
	if path := f.Intercept.CredentialFile; path != "" {
		text, err := os.ReadFile(path)
		if err == nil {
			i.credential, err = intercept.ParseCredential(string(text))
		}
		if err != nil {
			return nil, fmt.Errorf("[intercept] credential_file %s: %w", path, err)
		}
	}
	var err error
	if i.listener, err = net.Listen("tcp", f.Intercept.Address); err != nil {
		return nil, fmt.Errorf("[intercept] address %s: %w", f.Intercept.Address, err)
	}
	return i, nil
}

// discard closes the listener, on which nothing was served.
func (i *interception) discard() {
	if i != nil {
		_ = i.listener.Close() // nothing was served on it
	}
}

// openCheck is how often a sealed keep is looked at.
const openCheck = 500 * time.Millisecond

// runIntercept serves the listener until ctx ends.
func (s *Server) runIntercept(ctx context.Context) error {
	i := s.cfg.Intercept
	if i == nil {
		return nil
	}
	proxy, err := intercept.New(intercept.Config{
		Authority: s.authority, Handler: http.HandlerFunc(s.dispatch), Credential: i.credential, RequestTime: s.cfg.RequestTime, Log: s.cfg.Log,
	})
	if err != nil {
		return errors.Join(err, i.listener.Close())
	}
	go s.furnishAuthority(ctx) // it ends with ctx
	return proxy.Serve(ctx, i.listener)
}

// furnishAuthority has the certificate in its file as soon as the keep is open, and again when a restore brought another.
func (s *Server) furnishAuthority(ctx context.Context) {
	for {
		s.authority()
		select {
		case <-ctx.Done():
			return
		case <-time.After(openCheck):
		}
	}
}

// authority is what signs for the listener's hosts: made once, its key kept sealed in the store. A sealed keep has none.
func (s *Server) authority() *intercept.Authority {
	if !s.gate.enter() {
		return nil
	}
	defer s.gate.leave()
	i, desk := s.cfg.Intercept, s.cfg.Keep.Desk
	if desk == nil || desk.Sealed() {
		i.authority.Store(nil)
		return nil
	}
	if a := i.authority.Load(); a != nil {
		return a
	}
	a, err := i.open(desk)
	if err != nil {
		s.cfg.Log.Error("the intercepting listener has no authority", slog.String("error", err.Error()))
		return nil
	}
	i.authority.Store(a)
	s.cfg.Log.Info("intercepting", slog.String("address", i.listener.Addr().String()), slog.String("ca_file", i.caFile))
	return a
}

func (i *interception) open(desk *custody.Desk) (*intercept.Authority, error) {
	local, err := desk.Local()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	text, err := custody.Do(ctx, desk, local, registry.Keepsake{Name: "intercept", Make: func() ([]byte, error) {
		a, err := intercept.NewAuthority(time.Now())
		if err != nil {
			return nil, err
		}
		return a.Marshal()
	}})
	if err != nil {
		return nil, err
	}
	a, err := intercept.ParseAuthority(text)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(i.caFile), 0o700); err != nil {
		return nil, err
	}
	return a, os.WriteFile(i.caFile, a.PEM(), 0o644) //nolint:gosec // a certificate is for everybody
}
