// Package intercept is a proxy for programs with the clouds' addresses built in: it takes CONNECT (RFC 9110, section
// 9.3.6), answers TLS for a short, fixed list of hosts with certificates of a private authority, and hands what is asked
// there to a handler of ours. Every other host is refused, or carried untouched where the listener is one program's own.
package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config of a Proxy. Authority and Handler are needed for the hosts of the list.
type Config struct {
	// Authority answers what signs for our hosts now; nil while there is nothing, because the keep is sealed.
	Authority func() *Authority
	// Handler answers what is asked of our hosts. Its requests have the Host that the client asked for.
	Handler http.Handler
	// Direct answers requests that are made to the listener itself and not through it; nil refuses them.
	Direct http.Handler
	// Credential is what a client of the proxy has to present; nil asks for none.
	Credential *Credential
	// Dial reaches the hosts that are not ours; nil refuses them, as a listener that several programs share must.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Tunnels bounds how many are open at a time; 0 is 256.
	Tunnels int
	// RequestTime bounds one request to our hosts; 0 is 30 s.
	RequestTime time.Duration
	Log         *slog.Logger // hosts that were refused, never more of a request; nil discards
}

// Proxy is such a listener's work.
type Proxy struct {
	cfg   Config
	slots chan struct{}
	inner *http.Server // speaks inside the tunnels to our hosts
	ready *handed

	mu    sync.Mutex
	open  map[net.Conn]struct{} // taken from the outer server; guarded by mu
	ended bool                  // guarded by mu
}

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	maxConnect = 16 << 10 // bytes of a CONNECT's header
	dialTime   = 30 * time.Second
)

// New checks the configuration and starts nothing.
func New(cfg Config) (*Proxy, error) {
	if cfg.Handler == nil || cfg.Authority == nil {
		return nil, errors.New("intercept: an authority and a handler are needed")
	}
	if cfg.Tunnels == 0 {
		cfg.Tunnels = 256
	}
	if cfg.RequestTime == 0 {
		cfg.RequestTime = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{cfg: cfg, slots: make(chan struct{}, cfg.Tunnels), ready: newHanded(), open: map[net.Conn]struct{}{}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	p.inner = &http.Server{
		Handler: http.HandlerFunc(p.answer), Protocols: protocols, ReadHeaderTimeout: headerTime, ReadTimeout: cfg.RequestTime,
		WriteTimeout: cfg.RequestTime + 5*time.Second, IdleTimeout: idleTime, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// Serve takes connections of l until ctx ends, and closes l and every tunnel.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	if p.cfg.Direct != nil {
		protocols.SetUnencryptedHTTP2(true) // gRPC of clients that are told this address
	}
	outer := &http.Server{
		Handler: http.HandlerFunc(p.accept), Protocols: protocols, ReadHeaderTimeout: headerTime, ReadTimeout: p.cfg.RequestTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxConnect, ErrorLog: p.inner.ErrorLog,
	}
	if p.cfg.Direct != nil {
		outer.MaxHeaderBytes = p.inner.MaxHeaderBytes
	}
	stop := context.AfterFunc(ctx, func() {
		_ = outer.Close() // what it was doing is a program's that ends, or a server's
		_ = p.inner.Close()
		p.end()
	})
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.inner.Serve(p.ready) }()
	err := outer.Serve(l)
	p.end()
	_ = p.inner.Close()
	return errors.Join(unlessClosed(err), unlessClosed(<-ended))
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// accept answers one request to the listener.
func (p *Proxy) accept(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.IsAbs() || p.cfg.Direct == nil:
		http.Error(w, "this proxy takes CONNECT only", http.StatusMethodNotAllowed)
	default:
		p.cfg.Direct.ServeHTTP(w, r)
	}
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		http.Error(w, "CONNECT is taken by HTTP/1.1 only", http.StatusHTTPVersionNotSupported)
		return
	}
	if p.cfg.Credential != nil && !p.cfg.Credential.admits(r.Header) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="keephold"`)
		http.Error(w, "the proxy's credential is missing or wrong", http.StatusProxyAuthRequired)
		return
	}
	host, port, err := parseTarget(r.RequestURI)
	if err != nil {
		http.Error(w, "CONNECT needs HOST:PORT", http.StatusBadRequest)
		return
	}
	select {
	case p.slots <- struct{}{}:
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many tunnels are open", http.StatusServiceUnavailable)
		return
	}
	free := sync.OnceFunc(func() { <-p.slots })
	if Ours(host) && port == "443" {
		p.take(w, host, free)
		return
	}
	defer free()
	if p.cfg.Dial == nil {
		p.cfg.Log.Debug("refused to connect", slog.String("host", host))
		http.Error(w, "this proxy reaches the hosts of its list only", http.StatusForbidden)
		return
	}
	p.carry(w, r, net.JoinHostPort(host, port))
}

// take makes the connection one to a host of ours.
func (p *Proxy) take(w http.ResponseWriter, host string, free func()) {
	a := p.cfg.Authority()
	if a == nil {
		free()
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the keep is sealed", http.StatusServiceUnavailable)
		return
	}
	conn, err := p.hijack(w)
	if err != nil {
		free()
		return
	}
	p.ready.hand(tls.Server(&tunnel{Conn: conn, ended: func() { p.forget(conn.Conn); free() }}, a.config(host)))
}

// hijack takes the connection over and says that the tunnel is there.
func (p *Proxy) hijack(w http.ResponseWriter) (*buffered, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no tunnel can be made of this connection", http.StatusInternalServerError)
		return nil, err
	}
	if err = conn.SetDeadline(time.Time{}); err == nil {
		_, err = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	}
	if err == nil && !p.remember(conn) {
		err = http.ErrServerClosed
	}
	if err != nil {
		_ = conn.Close() // nobody is there
		return nil, err
	}
	return &buffered{Conn: conn, r: rw.Reader}, nil
}

// answer hands a request on that is for a host of ours; a tunnel to one of them leads nowhere else.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, port, err := net.SplitHostPort(host); err == nil && port == "443" {
		host = h
	}
	if !Ours(host) {
		http.Error(w, "this host is not answered here", http.StatusMisdirectedRequest)
		return
	}
	p.cfg.Handler.ServeHTTP(w, r)
}

func (p *Proxy) remember(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	p.open[c] = struct{}{}
	return true
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// end closes every tunnel and lets no other begin.
func (p *Proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for c := range p.open {
		_ = c.Close() // whoever reads from it sees why
	}
	_ = p.ready.Close() // never fails
}

// buffered is a connection whose first bytes were read ahead.
type buffered struct {
	net.Conn
	r *bufio.Reader // owned by the one reader of the connection
}

func (b *buffered) Read(p []byte) (int, error) {
	if b.r == nil {
		return b.Conn.Read(p)
	}
	if b.r.Buffered() > 0 {
		return b.r.Read(p)
	}
	b.r = nil
	return b.Conn.Read(p)
}

// tunnel is a connection that says when it is over.
type tunnel struct {
	net.Conn
	once  sync.Once
	ended func()
}

func (t *tunnel) Close() error {
	t.once.Do(t.ended)
	return t.Conn.Close()
}

// handed is a listener of connections that were accepted elsewhere.
type handed struct {
	conns chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func newHanded() *handed { return &handed{conns: make(chan net.Conn), over: make(chan struct{})} }

func (h *handed) hand(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.over:
		_ = c.Close() // there is nobody to serve it
	}
}

// Accept answers *tls.Conn, in which the server finds HTTP/2.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.over:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.over) })
	return nil
}

// Addr is nobody's: connections come from elsewhere.
func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }
