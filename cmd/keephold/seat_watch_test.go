//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keephold/keephold/internal/server"
)

// startKept is start for who wants to look at all output afterwards, too.
func (s *seat) startKept(args ...string) *session {
	s.t.Helper()
	p := &session{t: s.t, cmd: s.command(args...), said: new(output), past: new(output)}
	both := io.MultiWriter(p.said, p.past)
	p.cmd.Stdout, p.cmd.Stderr = both, both
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// TestRotationUnderRedact rotates a secret under a program that goes on: it is told by a signal, reads the new value and writes
// both. The new one is masked from then on, and the old one still.
func TestRotationUnderRedact(t *testing.T) {
	s := newSeat(t, seatSettings)
	const rotated = "rotated-7c2e-canary-value"
	p := s.startKept("run", "--redact", "--no-pty", "--watch", "--watch-interval", "100ms", "--reload-signal", "HUP", "--secrets-dir", "--secrets-on-disk", "--",
		"sh", "-c", `old=$(cat "$API_TOKEN_FILE"); trap 'new=$(cat "$API_TOKEN_FILE"); echo "old $old, new $new, ${#old} and ${#new}"' HUP
echo "first $old."; while :; do sleep 0.05; done`)
	p.want("first •••API_TOKEN•••.")
	if _, talk, code := s.try(rotated, "set", "API_TOKEN", "-q"); code != 0 {
		t.Fatal(talk)
	}
	p.want(fmt.Sprintf("old •••API_TOKEN•••, new •••API_TOKEN•••, %d and %d", len(seatToken), len(rotated)))
	for _, value := range []string{seatToken, rotated} {
		if strings.Contains(p.past.String(), value) {
			t.Errorf("%s was written in plain text:\n%s", value, p.past)
		}
	}
}

// TestRotationUnderRedactRestarts does the same to a program that is started again.
func TestRotationUnderRedactRestarts(t *testing.T) {
	s := newSeat(t, seatSettings)
	const rotated = "rotated-7c2e-canary-value"
	p := s.startKept("run", "--redact", "--no-pty", "--watch", "--watch-interval", "100ms", "--", "sh", "-c", `echo "${#API_TOKEN} of $API_TOKEN."; exec sleep 100000`)
	p.want(fmt.Sprintf("%d of •••API_TOKEN•••.", len(seatToken)))
	if _, talk, code := s.try(rotated, "set", "API_TOKEN", "-q"); code != 0 {
		t.Fatal(talk)
	}
	p.want(fmt.Sprintf("%d of •••API_TOKEN•••.", len(rotated)))
	if text := p.past.String(); strings.Contains(text, seatToken) || strings.Contains(text, rotated) {
		t.Errorf("a value was written in plain text:\n%s", text)
	}
}

// TestWatchWaitsUntilValuesSettle: a program is started again once for changes that follow each other, with the last of them.
// The value changes before each of five looks at it, so no clock decides what the watcher sees.
func TestWatchWaitsUntilValuesSettle(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	d, err := server.OpenDev(ctx, server.DevConfig{Listen: []string{"127.0.0.1:0"}, Version: "test"})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	to, err := url.Parse(d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	token := string(d.Token.Reveal())
	const changes = 5
	var changed atomic.Int64
	changed.Store(changes) // nothing changes before the program runs
	change := func(path string) error {
		n := changed.Load()
		if n >= changes || !strings.HasPrefix(path, "/v1/keephold/env/") {
			return nil
		}
		changed.Add(1)
		at := d.Addr + strings.Replace(path, "/env/", "/value/", 1) + "/API_TOKEN"
		rq, err := http.NewRequestWithContext(ctx, http.MethodPut, at, strings.NewReader(fmt.Sprintf(`{"text":"state-%d"}`, n+1)))
		if err != nil {
			return err
		}
		rq.Header.Set("X-Vault-Token", token)
		resp, err := http.DefaultClient.Do(rq)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", at, resp.Status)
		}
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := change(r.URL.EscapedPath()); err != nil {
			t.Error(err)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)

	s := emptySeat(t, "API_TOKEN=state-0\n")
	s.env = append(s.env, "KEEPHOLD_ADDR="+front.URL, "KEEPHOLD_TOKEN="+token)
	s.must("init", "--yes", "-q", "--store", front.URL)
	s.must("import", ".env", "-q")
	p := s.startKept("run", "--watch", "--watch-interval", "100ms", "--", "sh", "-c", `echo "starts with $API_TOKEN."; exec sleep 100000`)
	p.want("starts with state-0.")
	changed.Store(0)
	p.want(fmt.Sprintf("starts with state-%d.", changes))
	if got := strings.Count(p.past.String(), "starts with"); got != 2 {
		t.Errorf("it was started %d times, want 2:\n%s", got, p.past)
	}
}
