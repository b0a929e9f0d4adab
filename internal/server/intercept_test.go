package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/server"
)

const reachFile = `
[[listener]]
address = "127.0.0.1:0"
[storage]
path = %q
[seal]
kind = "keyfile"
key_file = %q
[intercept]
address = %q
credential_file = %q
[[metadata]]
address = %q
identity = "robot"
[[metadata]]
address = %q
identity = "host"
`

// reached is a server with an intercepting listener and a metadata server of each kind.
type reached struct{ dir, intercept, google, azure string }

// newReached makes the keep, with what its clients find in it.
func newReached(t *testing.T) *reached {
	t.Helper()
	g := &reached{dir: t.TempDir(), intercept: freeAddr(t), google: freeAddr(t), azure: freeAddr(t)}
	k, err := server.OpenKeep(server.KeepConfig{Dir: filepath.Join(g.dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.UnsealByKeyFile(t.Context(), filepath.Join(g.dir, "key")); err != nil {
		t.Fatal(err)
	}
	local, err := k.Desk.Local()
	if err != nil {
		t.Fatal(err)
	}
	do(t, k, local, registry.MakeSpace{Space: secret.Space{Name: "gcp/p", Home: secret.GCP}})
	do(t, k, local, registry.MakeSpace{Space: secret.Space{Name: "azure/v", Home: secret.Azure}})
	do(t, k, local, machine.Create{Name: "robot", Kind: machine.GCPAccount, Home: "p"})
	do(t, k, local, machine.Create{Name: "host", Kind: machine.AzureUser, Home: "adfs"})
	if err := k.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, "credential"), []byte("shop:0123456789abcdef0123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

func do[T any](t *testing.T, k *server.Keep, c auth.Caller, act custody.Act[T]) {
	t.Helper()
	if _, err := custody.Do(t.Context(), k.Desk, c, act); err != nil {
		t.Fatal(err)
	}
}

// freeAddr is an address that nobody has taken.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// run serves until the answer is called.
func (g *reached) run(t *testing.T) (stop func()) {
	t.Helper()
	text := fmt.Sprintf(reachFile, filepath.Join(g.dir, "store"), filepath.Join(g.dir, "key"), g.intercept, filepath.Join(g.dir, "credential"), g.google, g.azure)
	f, err := server.Parse("test.toml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(t.Context(), f, "test", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(g.caFile()); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the authority's certificate does not come")
		}
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (g *reached) caFile() string { return filepath.Join(g.dir, "store", "tls", "intercept-ca.pem") }

// client goes through the listener and trusts its authority alone.
func (g *reached) client(t *testing.T, user *url.Userinfo) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(g.caFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	proxy := &url.URL{Scheme: "http", User: user, Host: g.intercept}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
}

// get asks with a header and answers the status and the body's members.
func get(t *testing.T, c *http.Client, at, header, value string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(header, value)
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{"text": string(b)}
	_ = json.Unmarshal(b, &out) // some answers are text
	return a.StatusCode, out
}

// TestIdentityOfTheMachine: a program that knows nothing but the vendor's addresses gets a token of the machine's identity
// and is known by it behind the listener.
func TestIdentityOfTheMachine(t *testing.T) {
	g := newReached(t)
	defer g.run(t)()
	through := g.client(t, url.UserPassword("shop", "0123456789abcdef0123"))

	const account = "/computeMetadata/v1/instance/service-accounts/default/"
	if status, _ := get(t, http.DefaultClient, "http://"+g.google+account+"token", "X", "y"); status != http.StatusForbidden {
		t.Errorf("without Metadata-Flavor: %d, want 403", status)
	}
	if _, a := get(t, http.DefaultClient, "http://"+g.google+account+"email", "Metadata-Flavor", "Google"); a["text"] != "robot@p.iam.gserviceaccount.com" {
		t.Errorf("email: %v", a["text"])
	}
	_, a := get(t, http.DefaultClient, "http://"+g.google+account+"token", "Metadata-Flavor", "Google")
	token, _ := a["access_token"].(string)
	// The identity has no policies: it is known, and may do nothing.
	if status, b := get(t, through, "https://secretmanager.googleapis.com/v1/projects/p/secrets/s", "Authorization", "Bearer "+token); status != http.StatusForbidden {
		t.Errorf("with the token: %d %v, want 403", status, b)
	}
	if status, _ := get(t, through, "https://secretmanager.googleapis.com/v1/projects/p/secrets/s", "Authorization", "Bearer x"+token); status != http.StatusUnauthorized {
		t.Errorf("with another token: %d, want 401", status)
	}

	const imds = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
	if status, _ := get(t, http.DefaultClient, "http://"+g.azure+imds, "X", "y"); status != http.StatusUnauthorized {
		t.Errorf("without Metadata: %d, want 401", status)
	}
	_, a = get(t, http.DefaultClient, "http://"+g.azure+imds, "Metadata", "true")
	token, _ = a["access_token"].(string)
	if status, b := get(t, through, "https://v.vault.azure.net/secrets/s?api-version=7.4", "Authorization", "Bearer "+token); status != http.StatusForbidden {
		t.Errorf("with the token: %d %v, want 403", status, b)
	}
}

func TestSharedListener(t *testing.T) {
	g := newReached(t)
	stop := g.run(t)
	pem, err := os.ReadFile(g.caFile())
	if err != nil {
		t.Fatal(err)
	}
	own := url.UserPassword("shop", "0123456789abcdef0123")
	for host, want := range map[string]string{"example.com": "Forbidden", "s3.amazonaws.com": "Forbidden", "127.0.0.1": "Forbidden"} {
		if _, err := g.client(t, own).Get("https://" + host + "/"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", host, err, want)
		}
	}
	for _, user := range []*url.Userinfo{nil, url.UserPassword("shop", "wrong")} {
		if _, err := g.client(t, user).Get("https://sts.amazonaws.com/"); err == nil || !strings.Contains(err.Error(), "Proxy Authentication Required") {
			t.Errorf("%v: %v, want 407", user, err)
		}
	}
	stop()
	db, err := os.ReadFile(filepath.Join(g.dir, "store", "keephold.db"))
	if err != nil || bytes.Contains(db, []byte("PRIVATE KEY")) || bytes.Contains(db, pem[30:90]) {
		t.Errorf("the authority lies in the store as it is (%v)", err)
	}
	if err := os.Remove(g.caFile()); err != nil {
		t.Fatal(err)
	}
	defer g.run(t)()
	again, err := os.ReadFile(g.caFile())
	if err != nil || !bytes.Equal(again, pem) {
		t.Errorf("another authority after a restart (%v)", err)
	}
}

func TestInterceptConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"[intercept]\naddress = \"127.0.0.1\"\n":                                           "is not HOST:PORT",
		"[intercept]\naddress = \"0.0.0.0:8210\"\n":                                        "is not loopback",
		"[intercept]\naddress = \"0.0.0.0:8210\"\nanywhere = true\n":                       "needs credential_file",
		"[intercept]\ncredential_file = \"x\"\n":                                           "address is missing",
		"[intercept]\naddresx = \"127.0.0.1:1\"\n":                                         "did you mean",
		"[[metadata]]\naddress = \"10.0.0.1:80\"\nidentity = \"x\"\n":                      "is not loopback",
		"[[metadata]]\naddress = \"127.0.0.1:80\"\n":                                       "identity is missing",
		"[intercept]\naddress = \"127.0.0.1:8210\"\n":                                      "",
		"[intercept]\naddress = \"0.0.0.0:1\"\nanywhere = true\ncredential_file = \"c\"\n": "",
	} {
		_, err := server.Parse("x.toml", []byte(text), nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
