package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keephold/keephold/internal/cli"
	"github.com/keephold/keephold/internal/server"
)

// seat is a developer whose project is on a server that can go away and come back.
type seat struct {
	t     *testing.T
	addr  string // what the developer knows: a proxy
	root  string
	token string
	away  atomic.Bool
	vars  map[string]string
}

func newSeat(t *testing.T) *seat {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d, err := server.OpenDev(ctx, server.DevConfig{Listen: []string{"127.0.0.1:0"}, Version: "test"})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	target, err := url.Parse(d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &seat{t: t, root: string(d.Token.Reveal())}
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			panic(http.ErrAbortHandler) // the connection ends without an answer
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s.addr = front.URL
	home := t.TempDir()
	s.vars = map[string]string{"HOME": home}
	t.Chdir(t.TempDir())

	s.vars["KEEPHOLD_TOKEN"] = s.root
	s.must("init", "--yes", "--name", "shop", "--store", s.addr)
	s.in("hunter2", "set", "API_TOKEN")
	s.admin("PUT", "sys/policies/acl/reader", `{"policy":"path \"shop/dev/data/*\" { capabilities = [\"read\"] } path \"shop/dev/data/\" { capabilities = [\"read\"] }"}`)
	s.token = s.newToken()
	s.vars["KEEPHOLD_TOKEN"] = s.token
	return s
}

func (s *seat) newToken() string {
	s.t.Helper()
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		}
	}
	if err := json.Unmarshal(s.admin("POST", "auth/token/create", `{"policies":["reader"],"ttl":"2h"}`), &made); err != nil {
		s.t.Fatal(err)
	}
	return made.Auth.Token
}

// admin asks the server by hand.
func (s *seat) admin(method, path, body string) []byte {
	s.t.Helper()
	req, err := http.NewRequest(method, s.addr+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", s.root)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, b, err)
	}
	return b
}

func (s *seat) run(stdin string, args ...string) (int, string, string) {
	var out, talk bytes.Buffer
	code := cli.Run(context.Background(), cli.Env{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &talk, Getenv: func(name string) string { return s.vars[name] }, Version: "test",
	}, args)
	return code, out.String(), talk.String()
}

func (s *seat) in(stdin string, args ...string) string {
	s.t.Helper()
	code, out, talk := s.run(stdin, args...)
	if code != 0 {
		s.t.Fatalf("%v: exit %d\n%s", args, code, talk)
	}
	return out
}

func (s *seat) must(args ...string) string { s.t.Helper(); return s.in("", args...) }

func (s *seat) leases() int {
	found, err := filepath.Glob(filepath.Join(s.vars["HOME"], ".cache", "keephold", "leases", "*.lease"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(found)
}

func (s *seat) untold() int {
	found, err := filepath.Glob(filepath.Join(s.vars["HOME"], ".local", "share", "keephold", "offline", "*.read"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(found)
}

// TestOfflineReadsAreTold: what was read while the server was away stands in its log once it is back, before anything else is
// asked of it.
func TestOfflineReadsAreTold(t *testing.T) {
	s := newSeat(t)
	s.must("get", "API_TOKEN")
	s.away.Store(true)
	for range 3 {
		if got := s.must("get", "API_TOKEN", "-n"); got != "hunter2" {
			t.Fatalf("away: got %q", got)
		}
	}
	if n := s.untold(); n != 3 {
		t.Fatalf("%d reads wait to be told, want 3", n)
	}
	s.away.Store(false)
	s.must("get", "API_TOKEN")
	if n := s.untold(); n != 0 {
		t.Errorf("%d reads still wait to be told", n)
	}
	log := string(s.admin("GET", "keephold/audit?space=shop/dev&path=API_TOKEN&kind=read", ""))
	if n := strings.Count(log, `"read.offline"`); n != 3 || strings.Contains(log, "hunter2") {
		t.Errorf("the log tells of %d offline reads, want 3:\n%s", n, log)
	}
	if last := strings.LastIndex(log, `"read.offline"`); last > strings.LastIndex(log, `"action":"read"`) {
		t.Error("the server was asked for values before it was told")
	}
}

// TestRevokedLeaseIsDropped: a token that was revoked loses what it had read, as soon as the server can say so.
func TestRevokedLeaseIsDropped(t *testing.T) {
	s := newSeat(t)
	s.must("get", "API_TOKEN")
	if s.leases() == 0 {
		t.Fatal("nothing was kept")
	}
	s.admin("POST", "auth/token/revoke", `{"token":"`+s.token+`"}`)
	s.away.Store(true)
	s.must("get", "API_TOKEN") // nobody can know yet
	s.away.Store(false)
	if code, out, _ := s.run("", "get", "API_TOKEN"); code != 77 || out != "" {
		t.Fatalf("exit %d, %q", code, out)
	}
	if n := s.leases(); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	for _, away := range []bool{true, false} {
		s.away.Store(away)
		if code, out, _ := s.run("", "get", "API_TOKEN", "--offline"); code != 69 || out != "" {
			t.Errorf("away %v: exit %d, %q", away, code, out)
		}
	}
	if s.untold() != 1 {
		t.Errorf("%d reads wait, want 1: a refused token tells nothing", s.untold())
	}
	s.vars["KEEPHOLD_TOKEN"] = s.newToken()
	s.must("get", "API_TOKEN")
	if s.untold() != 0 {
		t.Error("the read was not told after a new sign-in")
	}
}

// A server that is sealed, or answers anything else, is not away: somebody may have meant it.
func TestAnswersAreNotBridged(t *testing.T) {
	s := newSeat(t)
	s.must("get", "API_TOKEN")
	s.admin("PUT", "sys/seal", "")
	if code, out, _ := s.run("", "get", "API_TOKEN"); code != 75 || out != "" {
		t.Errorf("sealed: exit %d, %q", code, out)
	}
}

// A token that came with another server's address is not for this one.
func TestTokenStaysWithItsServer(t *testing.T) {
	s := newSeat(t)
	s.vars["KEEPHOLD_ADDR"] = "https://other.example:8200"
	if code, _, _ := s.run("", "get", "API_TOKEN"); code != 77 {
		t.Errorf("exit %d, want 77: the token was sent to a server that it was not for", code)
	}
	s.vars["KEEPHOLD_ADDR"] = s.addr
	s.must("get", "API_TOKEN")
	s.vars["KEEPHOLD_ADDR"], s.vars["VAULT_TOKEN"] = "", s.token
	delete(s.vars, "KEEPHOLD_TOKEN")
	if code, _, _ := s.run("", "get", "API_TOKEN"); code != 77 {
		t.Errorf("exit %d, want 77: VAULT_TOKEN is no project's", code)
	}
}
