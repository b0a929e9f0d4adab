package intercept

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
)

// carry connects the client with a host that is not ours and looks at nothing that passes.
func (p *Proxy) carry(w http.ResponseWriter, r *http.Request, addr string) {
	ctx, cancel := context.WithTimeout(r.Context(), dialTime)
	far, err := p.cfg.Dial(ctx, "tcp", addr)
	cancel()
	if err != nil {
		p.cfg.Log.Debug("cannot connect", slog.String("address", addr), slog.String("error", err.Error()))
		http.Error(w, "the host cannot be reached", http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }() // both directions are over
	near, err := p.hijack(w)
	if err != nil {
		return
	}
	defer func() { p.forget(near.Conn); _ = near.Close() }()
	if !p.remember(far) {
		return
	}
	defer p.forget(far)
	over := make(chan struct{})
	go func() { // it ends when either side closes
		defer close(over)
		pass(far, near)
	}()
	pass(near.Conn, far)
	<-over
}

// pass copies until the source has no more, and says so to the destination. What fails in the middle ends both directions.
func pass(to net.Conn, from io.Reader) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err == nil && ok && half.CloseWrite() == nil {
		return
	}
	_ = to.Close() // the other direction sees it
	if c, ok := from.(io.Closer); ok {
		_ = c.Close()
	}
}
