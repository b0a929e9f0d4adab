package lane

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	leastRoom = 1 << 10 // for a read
	keepRoom  = 8 << 10 // a buffer that grew beyond this is not kept between requests
)

// conn is one connection while it is here. Its goroutine owns everything but stage and net.
type conn struct {
	server *Server
	net    net.Conn
	stage

	in     []byte // what was read and not yet answered
	headed bool   // the head of a request is there, its body is not
	fields fields
	url    url.URL
	body   body
	req    *http.Request // one for all requests of the connection
	reply  reply

	channel atomic.Pointer[channel] // once it is one; the clock looks there
}

func newConn(s *Server, nc net.Conn, ctx context.Context) *conn {
	c := &conn{server: s, net: nc}
	c.req = (&http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	c.req.URL = &c.url
	if a := nc.RemoteAddr(); a != nil {
		c.req.RemoteAddr = a.String()
	}
	c.reply = reply{conn: c, header: http.Header{}}
	c.wait()
	return c
}

// body is the body of a request, all of which is there.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

var errOver = errors.New("not for the fast lane")

// serve answers requests until the connection ends or is handed over.
func (c *conn) serve() {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, by identity, as net/http has it
				c.server.cfg.Log.Error("panic while answering", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			}
			c.end()
		}
	}()
	ok, frames := c.greet()
	if !ok {
		c.server.handOver(c, nil)
		return
	}
	for !frames {
		used, err := c.receive()
		if err == nil {
			err = c.answer()
		}
		if errors.Is(err, errOver) {
			if frames = c.server.cfg.Call != nil && isFrames(c.in); !frames {
				c.server.handOver(c, c.in)
				return
			}
			break
		}
		if err != nil {
			c.end()
			return
		}
		c.consume(used)
	}
	c.serveFrames()
}

func (c *conn) end() {
	c.server.forget(c)
	_ = c.net.Close()
}

// greet is not ok for what is no TLS, or speaks none of our protocols below it: net/http has the words for both. frames is HTTP/2.
// Below TLS 1.3 it stays with net/http, which knows the ciphers that are too weak for it.
func (c *conn) greet() (ok, frames bool) {
	t, isTLS := c.net.(*tls.Conn)
	if !isTLS {
		return true, false
	}
	if t.HandshakeContext(c.req.Context()) != nil {
		return false, false
	}
	state := t.ConnectionState()
	c.req.TLS = &state
	switch state.NegotiatedProtocol {
	case "", "http/1.1":
		return true, false
	case "h2":
		ok = c.server.cfg.Call != nil && state.Version >= tls.VersionTLS13
		return ok, ok
	}
	return false, false
}

// receive reads until a whole request is there and makes c.req of it. It answers how many bytes that took.
func (c *conn) receive() (used int, err error) {
	for looked := false; ; looked = true {
		if len(c.in) > 0 || looked {
			m, v := cut(c.in)
			if v == plain {
				used, v = c.take(m)
			}
			switch v {
			case plain:
				return used, nil
			case odd:
				return 0, errOver
			}
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
}

// take fills c.req when the body is there too.
func (c *conn) take(m message) (used int, v verdict) {
	if !c.fields.read(m.fields) {
		return 0, odd
	}
	target := string(m.target)
	path, query, _ := strings.Cut(target, "?")
	if !c.server.cfg.Quick(m.method, path) {
		return 0, odd
	}
	used = m.size + c.fields.length
	if len(c.in) < used {
		if !c.headed {
			c.headed = true
			c.proceed() // once, however often a piece of the body comes
		}
		return 0, partial
	}
	r := c.req
	r.Method, r.RequestURI, r.Host, r.Header = m.method, target, c.fields.host, c.fields.header
	c.url = url.URL{Path: path, RawQuery: query}
	r.ContentLength, r.Body = int64(c.fields.length), http.NoBody
	if c.fields.length > 0 {
		c.body.Reset(c.in[m.size:used])
		r.Body = &c.body
	}
	return used, plain
}

// fill reads once more.
func (c *conn) fill() error {
	if len(c.in) == 0 {
		c.wait()
		if c.server.closing.Load() {
			return http.ErrServerClosed
		}
	}
	c.in = slices.Grow(c.in, leastRoom)
	n, err := c.net.Read(c.in[len(c.in):cap(c.in)])
	if n == 0 {
		return err
	}
	if len(c.in) == 0 {
		c.begin()
	}
	c.in = c.in[:len(c.in)+n]
	return nil // an error that came with bytes comes again without
}

// consume forgets an answered request, and overwrites it: there may have been a secret in it.
func (c *conn) consume(used int) {
	rest := copy(c.in, c.in[used:])
	clear(c.in[rest:])
	c.in = c.in[:rest]
	c.body.Reset(nil)
	c.headed = false
	if cap(c.in) > keepRoom && rest == 0 {
		c.in = nil
	}
}

// answer has the handler answer c.req and sends that.
func (c *conn) answer() error {
	c.proceed()
	c.server.cfg.Handler.ServeHTTP(&c.reply, c.req)
	return c.reply.send()
}
