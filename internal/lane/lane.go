// Package lane is the fast lane of an HTTP server. It answers requests of the plainest form itself, and hands every
// connection that brings anything else, with all bytes that were read of it, to net/http, where it stays.
//
// Plain is what parse.go accepts: a small strict subset of HTTP/1.1 (RFC 9112) in which nothing can be read two ways.
// What is accepted here, net/http accepts too, and reads the same out of it: FuzzAgainstNetHTTP holds that. What is not
// plain is neither answered nor refused here, so that there is one place that knows all of HTTP, and it is not ours.
//
// Calls of gRPC, which come by HTTP/2, are answered here too: opening.go says which connections stay for that.
//
// The fast lane saves what net/http spends on generality: a goroutine that waits for the client to hang up, timers, and a
// map of header fields for each request. Therefore a request here does not end early when its client hangs up; what may
// take long does not belong here, and Config.Quick keeps it out.
package lane

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a Server. Handler and Quick are needed.
type Config struct {
	// Handler answers. It must not keep or change the request, its header or its body beyond its return.
	Handler http.Handler
	// Quick says whether a request is answered here. It is asked before the body is there.
	Quick func(method, path string) bool
	// Call says for which paths a request by gRPC is answered here; nil: for none.
	Call func(path string) bool
	Log  *slog.Logger

	HeadTime    time.Duration // from a request's first byte to the end of its head; 0 is 10 s
	RequestTime time.Duration // from there to the end of its body, and for its answer; 0 is 30 s
	IdleTime    time.Duration // between requests; 0 is 2 min
}

// Server serves the plain requests of some listeners.
type Server struct {
	cfg  Config
	over handedOver

	now     atomic.Int64           // beats of the clock, one a second
	date    atomic.Pointer[string] // the header field Date, with its end of line
	closing atomic.Bool

	mu    sync.Mutex
	conns map[*conn]struct{}        // guarded by mu
	inlet map[net.Listener]struct{} // guarded by mu
	done  sync.WaitGroup            // connections; added to with mu held, before closing
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Handler == nil || cfg.Quick == nil {
		return nil, errors.New("lane: a handler and Quick are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	setDefault(&cfg.HeadTime, 10*time.Second)
	setDefault(&cfg.RequestTime, 30*time.Second)
	setDefault(&cfg.IdleTime, 2*time.Minute)
	s := &Server{cfg: cfg, conns: map[*conn]struct{}{}, inlet: map[net.Listener]struct{}{}}
	s.over = handedOver{conns: make(chan net.Conn), closed: make(chan struct{})}
	s.setDate(time.Now())
	return s, nil
}

func setDefault(d *time.Duration, otherwise time.Duration) {
	if *d <= 0 {
		*d = otherwise
	}
}

// Others is where the connections come out that are not for here: net/http serves them.
func (s *Server) Others() net.Listener { return &s.over }

// Serve accepts connections until Shutdown closes l; it answers http.ErrServerClosed then. Run must be running.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return errors.Join(http.ErrServerClosed, l.Close())
	}
	s.inlet[l] = struct{}{}
	s.mu.Unlock()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.start(nc)
			continue
		}
		if s.closing.Load() {
			return http.ErrServerClosed
		}
		var passing interface{ Temporary() bool }
		if !errors.As(err, &passing) || !passing.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second) // out of files: as net/http does
		s.cfg.Log.Debug("accept", slog.String("error", err.Error()))
		time.Sleep(pause)
	}
}

// start serves a connection in a goroutine of its own, which ends with it.
func (s *Server) start(nc net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	c := newConn(s, nc, ctx)
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		cancel()
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.done.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.done.Done()
		defer cancel()
		c.serve()
	}()
}

// forget ends the clock's interest in a connection.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// handOver gives a connection away together with what was read of it.
func (s *Server) handOver(c *conn, unread []byte) {
	s.forget(c)
	var nc net.Conn
	switch t, isTLS := c.net.(*tls.Conn); {
	case len(unread) == 0:
		nc = c.net
	case isTLS:
		nc = &reopenedTLS{reopened{Conn: t, unread: unread}, t}
	default:
		nc = &reopened{Conn: c.net, unread: unread}
	}
	s.give(nc)
}

func (s *Server) give(nc net.Conn) {
	select {
	case s.over.conns <- nc:
	case <-s.over.closed:
		_ = nc.Close()
	}
}

// Shutdown closes the listeners and the idle connections and waits for the answers under way, or for ctx, whose end ends
// them too.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	var err error
	for l := range s.inlet {
		err = errors.Join(err, l.Close())
	}
	clear(s.inlet)
	for c := range s.conns {
		if c.idle() {
			_ = c.net.SetReadDeadline(past)
		}
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() { s.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.net.SetDeadline(past)
	}
	s.mu.Unlock()
	return errors.Join(err, ctx.Err())
}

// handedOver is the listener that net/http accepts from.
type handedOver struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (h *handedOver) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handedOver) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is nobody's: the connections come from several listeners.
func (h *handedOver) Addr() net.Addr { return &net.UnixAddr{Name: "fast lane", Net: "unix"} }

// reopened is a connection whose first bytes are read again. Its reader is one goroutine at a time.
type reopened struct {
	net.Conn
	unread []byte
}

func (r *reopened) Read(b []byte) (int, error) {
	if len(r.unread) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.unread)
	if r.unread = r.unread[n:]; len(r.unread) == 0 {
		r.unread = nil
	}
	return n, nil
}

// CloseWrite lets net/http say goodbye without a reset that would cost the client its last answer.
func (r *reopened) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// reopenedTLS tells net/http what was negotiated.
type reopenedTLS struct {
	reopened
	tls *tls.Conn
}

func (r *reopenedTLS) ConnectionState() tls.ConnectionState { return r.tls.ConnectionState() }
