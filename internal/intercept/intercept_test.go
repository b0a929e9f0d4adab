package intercept_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/intercept"
)

// rig is a running proxy and what its clients trust.
type rig struct {
	addr       string
	authority  *intercept.Authority
	credential *intercept.Credential
	roots      *x509.CertPool
}

func start(t *testing.T, change func(*intercept.Config)) *rig {
	t.Helper()
	a, err := intercept.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{authority: a, credential: intercept.NewCredential(), roots: x509.NewCertPool()}
	g.roots.AppendCertsFromPEM(a.PEM())
	cfg := intercept.Config{
		Authority: func() *intercept.Authority { return a }, Credential: g.credential,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "%s %s %s HTTP/%d", r.Method, r.Host, r.URL, r.ProtoMajor)
		}),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := intercept.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.addr = l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return g
}

// client goes through the proxy with this URL of it.
func (g *rig) client(proxy string, roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:           func(*http.Request) (*url.URL, error) { return url.Parse(proxy) },
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}, Timeout: 30 * time.Second}
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	return string(b)
}

func TestHostsOfTheListAreAnsweredHere(t *testing.T) {
	g := start(t, nil)
	c := g.client(g.credential.URL(g.addr), g.roots)
	for _, u := range []string{
		"https://secretsmanager.eu-west-1.amazonaws.com/", "https://sts.amazonaws.com/", "https://sts.us-east-1.amazonaws.com/x?y=z%2Fa",
		"https://secretmanager.googleapis.com/v1/projects/p", "https://oauth2.googleapis.com/token", "https://my-vault.vault.azure.net/secrets/a",
		"https://login.microsoftonline.com/common/discovery/instance",
	} {
		r, err := c.Get(u)
		if err != nil {
			t.Fatalf("%s: %v", u, err)
		}
		at, _ := url.Parse(u)
		if got, want := body(t, r), fmt.Sprintf("GET %s %s HTTP/2", at.Host, at.RequestURI()); got != want {
			t.Errorf("%s: got %q, want %q", u, got, want)
		}
	}
}

func TestTheCredentialIsAskedFor(t *testing.T) {
	g := start(t, nil)
	for _, proxy := range []string{"http://" + g.addr, "http://keephold:wrong@" + g.addr, strings.Replace(g.credential.URL(g.addr), "keephold:", "other:", 1)} {
		_, err := g.client(proxy, g.roots).Get("https://sts.amazonaws.com/")
		if err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") {
			t.Errorf("got %v, want a refusal with 407", err)
		}
	}
}

func TestSharedListenerRefusesEveryOtherHost(t *testing.T) {
	g := start(t, nil)
	c := g.client(g.credential.URL(g.addr), g.roots)
	for _, host := range []string{
		"example.com", "s3.us-east-1.amazonaws.com", "secretsmanager.amazonaws.com", "secretsmanager.a.b.amazonaws.com", "vault.azure.net", "a.b.vault.azure.net",
		"secretsmanager.us-east-1.amazonaws.com.evil.example", "evilsecretmanager.googleapis.com", "127.0.0.1", "sts.amazonaws.com:8443",
	} {
		_, err := c.Get("https://" + host + "/")
		if err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: got %v, want a refusal with 403", host, err)
		}
	}
}

func TestOwnListenerCarriesOtherHostsUntouched(t *testing.T) {
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "from afar") }))
	defer far.Close()
	var d net.Dialer
	g := start(t, func(c *intercept.Config) { c.Dial = d.DialContext })
	roots := x509.NewCertPool()
	roots.AddCert(far.Certificate())
	r, err := g.client(g.credential.URL(g.addr), roots).Get(far.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, r); got != "from afar" {
		t.Errorf("got %q", got)
	}
	if !r.TLS.PeerCertificates[0].Equal(far.Certificate()) {
		t.Error("the certificate was not the host's own")
	}
}

// TestBothDirectionsEndApart: a side that has said everything can still be answered.
func TestBothDirectionsEndApart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b, _ := io.ReadAll(c) // to the end that the client said
		_, _ = c.Write(bytes.ToUpper(b))
		_ = c.Close()
	}()
	var d net.Dialer
	g := start(t, func(c *intercept.Config) { c.Dial, c.Credential = d.DialContext, nil })
	conn, r := connect(t, g.addr, l.Addr().String(), "")
	if r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	_, _ = io.WriteString(conn, "hello")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "HELLO" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// connect sends one CONNECT and answers the connection behind the response.
func connect(t *testing.T, addr, target, more string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, target, more)
	r, err := http.ReadResponse(bufio.NewReaderSize(oneByOne{conn}, 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	return conn, r
}

// oneByOne keeps a reader from reading ahead.
type oneByOne struct{ io.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.Reader.Read(p[:1]) }

func TestBadTargets(t *testing.T) {
	g := start(t, func(c *intercept.Config) { c.Credential = nil })
	for _, target := range []string{"sts.amazonaws.com", "sts.amazonaws.com:", "sts.amazonaws.com:0443", "sts.amazonaws.com:99999", "u@sts.amazonaws.com:443", ":443"} {
		if _, r := connect(t, g.addr, target, ""); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: got %s, want 400", target, r.Status)
		}
	}
}

func TestTunnelsAreBounded(t *testing.T) {
	g := start(t, func(c *intercept.Config) { c.Credential, c.Tunnels = nil, 2 })
	var open []net.Conn
	for range 2 {
		c, r := connect(t, g.addr, "sts.amazonaws.com:443", "")
		if r.StatusCode != http.StatusOK {
			t.Fatal(r.Status)
		}
		open = append(open, c)
	}
	if _, r := connect(t, g.addr, "sts.amazonaws.com:443", ""); r.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("got %s, want 503", r.Status)
	}
	for _, c := range open {
		_ = c.Close()
	}
	for { // the server notices that they are gone
		if _, r := connect(t, g.addr, "sts.amazonaws.com:443", ""); r.StatusCode == http.StatusOK {
			return
		}
	}
}

func TestATunnelLeadsToItsHostOnly(t *testing.T) {
	g := start(t, func(c *intercept.Config) { c.Credential = nil })
	conn, _ := connect(t, g.addr, "sts.amazonaws.com:443", "")
	if err := tls.Client(conn, &tls.Config{ServerName: "secretmanager.googleapis.com", RootCAs: g.roots, MinVersion: tls.VersionTLS12}).Handshake(); err == nil {
		t.Error("TLS for another host than the proxy was asked for")
	}
	conn, _ = connect(t, g.addr, "sts.amazonaws.com:443", "")
	c := tls.Client(conn, &tls.Config{ServerName: "sts.amazonaws.com", RootCAs: g.roots, MinVersion: tls.VersionTLS12})
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: internal.example\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %v, %v, want 421", r, err)
	}
}

func TestSealedKeepAnswersNobody(t *testing.T) {
	g := start(t, func(c *intercept.Config) { c.Authority = func() *intercept.Authority { return nil } })
	_, err := g.client(g.credential.URL(g.addr), g.roots).Get("https://sts.amazonaws.com/")
	if err == nil || !strings.Contains(err.Error(), "Service Unavailable") {
		t.Errorf("got %v, want 503", err)
	}
}

// TestAuthorityCanSignForNothingElse: whoever has its key gets no client to believe another name, or an address.
func TestAuthorityCanSignForNothingElse(t *testing.T) {
	a, err := intercept.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.PEM())
	for host, ok := range map[string]bool{
		"sts.amazonaws.com": true, "v.vault.azure.net": true, "example.com": false, "www.googleapis.com": false, "graph.microsoft.com": false, "127.0.0.1": false,
	} {
		leaf := a.Sign(t, host)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		if (err == nil) != ok {
			t.Errorf("%s: verifies with %v, want accepted %v", host, err, ok)
		}
	}
	if _, err := a.Leaf("example.com"); err == nil {
		t.Error("a leaf for a host that is not on the list")
	}
}

func TestAuthorityIsKept(t *testing.T) {
	a, err := intercept.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := intercept.ParseAuthority(text)
	if err != nil || !bytes.Equal(again.PEM(), a.PEM()) {
		t.Fatalf("read back: %v", err)
	}
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS()
	defer other.Close()
	foreign := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw})
	for _, bad := range [][]byte{nil, a.PEM(), foreign, bytes.Replace(text, []byte("BEGIN PRIVATE"), []byte("BEGIN PUBLIC"), 1)} {
		if _, err := intercept.ParseAuthority(bad); err == nil {
			t.Errorf("%.40q was taken for an authority", bad)
		}
	}
}

// TestNothingOfARequestIsLogged: not the path, which names a secret, and not the credential.
func TestNothingOfARequestIsLogged(t *testing.T) {
	var log bytes.Buffer
	var d net.Dialer
	g := start(t, func(c *intercept.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Dial = d.DialContext
		c.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	proxy := g.credential.URL(g.addr)
	password, _, _ := strings.Cut(strings.SplitN(proxy, ":", 3)[2], "@")
	c := g.client(proxy, g.roots)
	for _, u := range []string{"https://sts.amazonaws.com/canary?canary=canary", "https://127.0.0.1:1/canary", "http://127.0.0.1:1/canary"} {
		if r, err := c.Get(u); err == nil {
			_ = r.Body.Close()
		}
	}
	if s := log.String(); strings.Contains(s, "canary") || strings.Contains(s, password) || !strings.Contains(s, "127.0.0.1:1") {
		t.Errorf("the log: %s", s)
	}
}

func TestParseCredential(t *testing.T) {
	for _, bad := range []string{"", "user", ":0123456789abcdef", "user:short", "us\x00er:0123456789abcdef", "user:0123456789abcdéf"} {
		if _, err := intercept.ParseCredential(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	c, err := intercept.ParseCredential("user:0123456789abcdef\n")
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(s, "0123") {
		t.Errorf("it prints as %s", s)
	}
	g := start(t, func(cfg *intercept.Config) { cfg.Credential = c })
	if _, err := g.client("http://user:0123456789abcdef@"+g.addr, g.roots).Get("https://sts.amazonaws.com/"); err != nil {
		t.Error(err)
	}
}
