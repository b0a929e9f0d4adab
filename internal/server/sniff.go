package server

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// eitherListener serves TLS and plaintext on one address, told apart by the first byte: a TLS record of a handshake begins
// with 22, which no HTTP request does (RFC 8446, section 5.1).
type eitherListener struct {
	net.Listener
	config *tls.Config
	plain  bool // serve plaintext too

	ready chan net.Conn
	ended chan struct{}
	once  sync.Once
	err   error // set before ended is closed
}

// firstByte is how long a client may take to send anything at all.
const firstByte = 10 * time.Second

// listenEither wraps l; closing it ends what was started.
func listenEither(l net.Listener, config *tls.Config, plain bool) *eitherListener {
	e := &eitherListener{Listener: l, config: config, plain: plain, ready: make(chan net.Conn), ended: make(chan struct{})}
	go e.accept()
	return e
}

// accept hands each connection to a goroutine of its own, so that a silent one keeps nobody waiting. It ends when the
// listener is closed.
func (e *eitherListener) accept() {
	for {
		c, err := e.Listener.Accept()
		if err != nil {
			var n net.Error
			if errors.As(err, &n) && n.Timeout() {
				continue
			}
			e.end(err)
			return
		}
		go e.tell(c)
	}
}

func (e *eitherListener) tell(c net.Conn) {
	var b [1]byte
	_ = c.SetReadDeadline(time.Now().Add(firstByte)) // a connection that cannot have one ends at the read
	if _, err := c.Read(b[:]); err != nil {
		_ = c.Close() // nothing was said
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	var out net.Conn = &peeked{Conn: c, first: b[:]}
	switch {
	case b[0] == 22:
		out = tls.Server(out, e.config)
	case !e.plain:
		_ = c.Close() // secrets do not cross a network unencrypted
		return
	}
	select {
	case e.ready <- out:
	case <-e.ended:
		_ = c.Close()
	}
}

func (e *eitherListener) end(err error) {
	e.once.Do(func() { e.err = err; close(e.ended) })
}

// Accept answers a *tls.Conn for TLS, so that the server finds HTTP/2 in it.
func (e *eitherListener) Accept() (net.Conn, error) {
	select {
	case c := <-e.ready:
		return c, nil
	case <-e.ended:
		return nil, e.err
	}
}

// Close ends accept.
func (e *eitherListener) Close() error {
	err := e.Listener.Close()
	e.end(net.ErrClosed)
	return err
}

// peeked gives back the byte that was looked at.
type peeked struct {
	net.Conn
	first []byte // owned by the one reader of the connection
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}
