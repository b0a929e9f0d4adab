package lane

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A connection of HTTP/2 (RFC 9113) stays here when its first request is a call, and goes to net/http when it is any other. A
// call is
//
//	:method POST, :scheme, :path, :authority; content-type application/grpc[+proto]
//
// for a path that Config.Call takes, with the other fields of a plain request. Clients may wait for the server's SETTINGS before they
// ask for anything, so they are sent before it is known who will serve the connection. Whoever gets it sends his own, which
// replace them; what the client says to the first ones, an empty SETTINGS with ACK, is left out of what he reads.
//
// When a request that is not a call comes later, the connection says GOAWAY and ends with the calls that it has. Its client sends
// that request again on a connection of its own (section 6.8), which then begins with it.
const (
	maxOpening   = 8 << 10 // before the first request's frame
	maxHeadList  = 16 << 10
	maxFrameSize = 16 << 10 // that we read, the least that may be (section 4.2)
	frameHead    = 9
)

// opening looks at what a connection of HTTP/2 begins with. Its zero value has seen nothing.
type opening struct{ at int } // bytes of whole frames, and of the preface

// look says whether in begins with a call, as soon as that can be said. It looks at each byte once.
func (o *opening) look(in []byte, isCall func(string) bool) verdict {
	if o.at == 0 {
		n := min(len(in), len(http2.ClientPreface))
		if string(in[:n]) != http2.ClientPreface[:n] {
			return odd
		}
		if n < len(http2.ClientPreface) {
			return partial
		}
		o.at = n
	}
	for {
		rest := in[o.at:]
		if len(rest) < frameHead {
			return partial
		}
		size := frameHead + frameSize(rest)
		kind := http2.FrameType(rest[3])
		first, settings := o.at == len(http2.ClientPreface), kind == http2.FrameSettings
		switch {
		case size > frameHead+maxFrameSize, o.at > maxOpening, first && !(settings && rest[4] == 0):
			return odd
		case len(rest) < size:
			return partial
		case kind == http2.FrameHeaders:
			return begins(rest[:size], isCall)
		case !settings && kind != http2.FrameWindowUpdate && kind != http2.FramePriority:
			return odd
		}
		o.at += size
	}
}

func frameSize(head []byte) int { return int(binary.BigEndian.Uint32(head) >> 8) }

// begins reads the frame of a first request.
func begins(frame []byte, isCall func(string) bool) verdict {
	f, err := newFramer(bytes.NewReader(frame)).ReadFrame()
	if head, ok := f.(*http2.MetaHeadersFrame); ok && err == nil && isPlainCall(head, isCall) {
		return plain
	}
	return odd
}

func newFramer(r io.Reader) *http2.Framer {
	f := http2.NewFramer(io.Discard, r)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.MaxHeaderListSize = maxHeadList
	f.SetMaxReadFrameSize(maxFrameSize)
	f.SetReuseFrames()
	return f
}

// isPlainCall says that a request is answered here. The library has seen to it that names and values are well formed and that
// pseudo-headers come first, each once.
func isPlainCall(f *http2.MetaHeadersFrame, isCall func(string) bool) bool {
	if f.Truncated || f.PseudoValue("method") != http.MethodPost || !isHost([]byte(f.PseudoValue("authority"))) || len(f.PseudoFields()) != 4 {
		return false
	}
	if scheme := f.PseudoValue("scheme"); scheme != "http" && scheme != "https" {
		return false
	}
	if path := f.PseudoValue("path"); !isTarget([]byte(path)) || !isCall(path) {
		return false
	}
	typed := false
	for _, h := range f.RegularFields() {
		switch h.Name {
		case "content-type":
			typed = !typed && (h.Value == "application/grpc" || h.Value == "application/grpc+proto")
			if !typed {
				return false
			}
		case "te":
			if h.Value != "trailers" {
				return false
			}
		case "host", "cookie", "content-length", "connection", "transfer-encoding", "trailer", "upgrade", "expect", "proxy-connection", "keep-alive":
			return false // framing, the connection, and what net/http rewrites
		default:
			if h.Value != "" && !isText([]byte(h.Value)) {
				return false
			}
		}
	}
	return typed
}

// serveFrames answers calls on a connection of HTTP/2, or hands it over.
func (c *conn) serveFrames() {
	switch err := c.openFrames(); {
	case err == nil:
		ch := newChannel(c)
		c.in = nil
		c.channel.Store(ch)
		ch.serve()
	case errors.Is(err, errOver):
		c.server.forget(c)
		c.server.give(&acked{Conn: &reopened{Conn: c.net, unread: c.in}, tls: c.req.TLS, pass: len(http2.ClientPreface)})
		return
	}
	c.end()
}

// openFrames waits for the first request of a connection of HTTP/2. It is errOver when net/http is to serve it.
func (c *conn) openFrames() error {
	if err := c.greetFrames(); err != nil {
		return err
	}
	var o opening
	for {
		switch o.look(c.in, c.server.cfg.Call) {
		case plain:
			return nil
		case odd:
			return errOver
		}
		if o.at > 0 {
			c.stage.set(c.server.now.Load(), c.server.cfg.IdleTime, 1) // connected, and nothing to ask yet
			if c.server.closing.Load() {
				return http.ErrServerClosed
			}
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// isFrames says that what was read begins like HTTP/2 with prior knowledge.
func isFrames(in []byte) bool {
	n := min(len(in), len(http2.ClientPreface))
	return n > len("PRI * ") && string(in[:n]) == http2.ClientPreface[:n]
}

// acked is a connection on which SETTINGS have been sent: the client's ACK of them is left out of what is read. It does not show
// that there is TLS below, so that net/http takes the preface for what it is; ConnContext tells it of that.
type acked struct {
	net.Conn
	tls *tls.ConnectionState

	pass    int    // bytes to be handed on as they are
	pending []byte // of a frame's head
	over    bool   // the ACK has come
	head    [frameHead]byte
}

func (a *acked) Read(b []byte) (int, error) {
	for {
		switch {
		case len(a.pending) > 0:
			n := copy(b, a.pending)
			a.pending = a.pending[n:]
			return n, nil
		case a.over:
			return a.Conn.Read(b)
		case a.pass > 0:
			n, err := a.Conn.Read(b[:min(len(b), a.pass)])
			a.pass -= n
			return n, err
		}
		if _, err := io.ReadFull(a.Conn, a.head[:]); err != nil {
			return 0, err
		}
		if a.pass = frameSize(a.head[:]); a.pass == 0 && http2.FrameType(a.head[3]) == http2.FrameSettings && a.head[4] == byte(http2.FlagSettingsAck) {
			a.over = true
			continue
		}
		a.pending = a.head[:]
	}
}

type tlsKey struct{}

// ConnContext is the ConnContext of the http.Server that serves Others.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if a, ok := c.(*acked); ok && a.tls != nil {
		return context.WithValue(ctx, tlsKey{}, a.tls)
	}
	return ctx
}

// WithTLS is the Handler of that server: h is told of TLS on every connection that has it.
func WithTLS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok && r.TLS == nil {
			r.TLS = state
		}
		h.ServeHTTP(w, r)
	})
}

// canonical is http.CanonicalHeaderKey, which remembers what a connection's client asks with.
func canonical(names map[string]string, lower string) string {
	if name, ok := names[lower]; ok {
		return name
	}
	name := http.CanonicalHeaderKey(lower)
	if len(names) < maxNames {
		names[lower] = name
	}
	return name
}
