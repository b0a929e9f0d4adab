//go:build unix

package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// discard is an http.ResponseWriter that costs nothing itself.
type discard struct {
	header http.Header
	status int
	bytes  int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(s int)   { d.status = s }
func (d *discard) Write(b []byte) (int, error) {
	d.bytes += len(b)
	if d.status == 0 {
		d.status = http.StatusOK
	}
	return len(b), nil
}

// reader serves one secret's read over and over, without a network.
type reader struct {
	handler http.Handler
	request *http.Request
	writer  discard
}

func newReader(tb testing.TB) *reader {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	d, err := OpenDev(ctx, DevConfig{Listen: []string{"127.0.0.1:0"}, Token: "hvs.load-0123456789abcdefghijklmnop"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		stop()
		if err := d.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	if err := furnishSecrets(ctx, d.cfg.Keep.Desk, 10); err != nil {
		tb.Fatal(err)
	}
	path := "/v1/secret/data/" + secretPath(7)
	return &reader{handler: d.http.Handler, writer: discard{header: http.Header{}}, request: &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: path}, RequestURI: path, RemoteAddr: "127.0.0.1:40000", Host: "127.0.0.1:8200",
		Header: http.Header{"X-Vault-Token": {string(d.Token.Reveal())}, "User-Agent": {"Go-http-client/1.1"}, "X-Vault-Request": {"true"}},
	}}
}

func (r *reader) read(tb testing.TB) {
	clear(r.writer.header)
	r.writer.status = 0
	r.handler.ServeHTTP(&r.writer, r.request)
	if r.writer.status != http.StatusOK {
		tb.Fatal(fmt.Errorf("status %d", r.writer.status))
	}
}

func BenchmarkRead(b *testing.B) {
	r := newReader(b)
	r.read(b)
	b.ReportAllocs()
	for b.Loop() {
		r.read(b)
	}
}
