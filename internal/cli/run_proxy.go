package cli

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// upstream reaches the hosts that are not ours as the program would have by itself: directly, or through the proxy that its
// environment named before it was led here.
func upstream(pairs []string) func(context.Context, string, string) (net.Conn, error) {
	e := newEnviron(pairs)
	either := func(upper, lower string) string {
		if v := e.get(upper); v != "" {
			return v
		}
		return e.get(lower)
	}
	cfg := httpproxy.Config{HTTPSProxy: either("HTTPS_PROXY", "https_proxy"), NoProxy: either("NO_PROXY", "no_proxy")}
	proxyFor := cfg.ProxyFunc()
	var d net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		proxy, err := proxyFor(&url.URL{Scheme: "https", Host: addr})
		if err != nil {
			return nil, err
		}
		if proxy == nil {
			return d.DialContext(ctx, network, addr)
		}
		if proxy.Scheme != "http" {
			return nil, fmt.Errorf("a proxy by %s cannot be gone through", proxy.Scheme)
		}
		return through(ctx, &d, proxy, addr)
	}
}

// through asks a proxy for a tunnel.
func through(ctx context.Context, d *net.Dialer, proxy *url.URL, addr string) (net.Conn, error) {
	host := proxy.Host
	if proxy.Port() == "" {
		host = net.JoinHostPort(proxy.Hostname(), "80")
	}
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end) // a connection that cannot have one ends with the program
	}
	err = r.Write(conn)
	var answer *http.Response
	buffered := bufio.NewReader(conn)
	if err == nil {
		answer, err = http.ReadResponse(buffered, r) //nolint:bodyclose // an answer to CONNECT has none: the tunnel follows
	}
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the proxy %s answers %s", host, answer.Status)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close() // no tunnel was made
		return nil, err
	}
	return &ahead{Conn: conn, r: buffered}, nil
}

// ahead is a connection of which more was read than the proxy's answer.
type ahead struct {
	net.Conn
	r *bufio.Reader
}

func (a *ahead) Read(p []byte) (int, error) { return a.r.Read(p) }
