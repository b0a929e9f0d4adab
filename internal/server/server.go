package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/audit/sink"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/front/gcpsm"
	"github.com/keephold/keephold/internal/front/vault"
	"github.com/keephold/keephold/internal/lane"
)

// Config of a Server. Keep and Listeners are needed; the Server takes both over and closes them.
type Config struct {
	Keep         *Keep
	Listeners    []net.Listener
	Sinks        []*sink.Feed        // of the audit log; fed while the server runs
	AuditDevices []vault.AuditDevice // the sinks, as sys/audit shows them
	Log          *slog.Logger
	Version      string
	RequestTime  time.Duration // bound on one request; 0 is 30 s
	MaxBody      int64         // bytes of a body; 0 is 1 MiB
	JSONDepth    int           // 0 is 64
	SignInRate   float64       // sign-ins a second and address; 0 is 20
	Azure        AzureFile     // how the Azure dialect is reached
	AnyRegion    bool          // of AWS: one without a Space is answered by its account's first one; for development

	GoogleProjects map[string]int64 // numbers of Google projects by id

	Intercept *interception    // nil: none
	Metadata  []metadataServer // of single identities

	passwords *userpass.Hasher // one in the process, whichever Desk it serves
	Snapshot  SnapshotFile     // when snapshots are taken by themselves
}

// Server serves one keep.
type Server struct {
	cfg  Config
	http *http.Server
	lane *lane.Server // takes the connections, and gives to http what is not plain or not quick

	handler   atomic.Pointer[http.Handler] // composed over the Desk that the keep has now
	gate      gate
	receiving sync.Mutex // held by the one restore that there can be
	work      atomic.Pointer[work]
	swapped   chan struct{} // a restore has brought another Desk
}

// grace is how long a server that was asked to stop lets running requests finish.
const grace = 10 * time.Second

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
	if cfg.SignInRate == 0 {
		cfg.SignInRate = 20
	}
	cfg.passwords = userpass.NewHasher(runtime.GOMAXPROCS(0))
	s := &Server{cfg: cfg, swapped: make(chan struct{}, 1)}
	if err := s.recompose(); err != nil {
		return nil, err
	}
	handler := http.HandlerFunc(s.dispatch)
	var err error
	s.lane, err = lane.New(lane.Config{Handler: handler, Quick: isQuick, Call: gcpsm.IsCall, Log: cfg.Log, RequestTime: cfg.RequestTime})
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           lane.WithTLS(handler),
		ConnContext:       lane.ConnContext,
		Protocols:         protocols(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       cfg.RequestTime,
		WriteTimeout:      cfg.RequestTime + 5*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// protocols are HTTP/1.1, HTTP/2, and on plaintext HTTP/2 with prior knowledge, which gRPC clients speak there.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Run serves until ctx ends, finishes what is running, and closes the keep.
func (s *Server) Run(ctx context.Context) error {
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { paceGC(inner); return nil })
	clock, stopClock := context.WithCancel(context.WithoutCancel(ctx)) // it ends slow connections until the last is gone
	g.Go(func() error { s.lane.Run(clock); return nil })
	for _, l := range s.cfg.Listeners {
		g.Go(func() error { return unlessClosed(s.lane.Serve(l)) })
	}
	g.Go(func() error { return unlessClosed(s.http.Serve(s.lane.Others())) })
	g.Go(func() error { return s.runDesk(inner) })
	g.Go(func() error { return s.runSnapshots(inner) })
	g.Go(func() error { return s.runIntercept(inner) })
	g.Go(func() error { return s.runMetadata(inner) })
	g.Go(func() error {
		<-inner.Done()
		notify("STOPPING=1")
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		defer stopClock()
		return errors.Join(s.lane.Shutdown(wait), s.http.Shutdown(wait))
	})
	notify("READY=1")
	err := g.Wait()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, s.cfg.Keep.Close(wait))
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
