package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keephold/keephold/client"
)

func open(t *testing.T, k *keep, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(k.addr, append([]client.Option{client.WithToken(k.token)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRead(t *testing.T) {
	k := newKeep(t)
	k.must(t, "POST", "secret/data/app/db", map[string]any{"data": map[string]any{"user": "shop", "password": "hunter2", "port": 5432}})
	if err := k.fill("shop/dev", map[string]string{"A": "one"}); err != nil {
		t.Fatal(err)
	}
	k.must(t, "PUT", "keephold/value/shop/dev/A", map[string]string{"text": "two"})
	k.must(t, "PUT", "keephold/value/shop/dev/BIN", map[string]string{"bytes": "AP8="})
	c := open(t, k)
	ctx := context.Background()

	got, err := c.Space("secret").Read(ctx, "app/db")
	if err != nil {
		t.Fatal(err)
	}
	if got.Fields["password"].Text() != "hunter2" || got.Fields["port"].Text() != "5432" || got.Version != 1 || got.Created.IsZero() {
		t.Errorf("a map: %+v", got)
	}
	for number, want := range map[uint64]string{0: "two", 1: "one", 2: "two"} {
		got, err := c.Space("shop/dev").ReadVersion(ctx, "A", number)
		if err != nil || got.Value.Text() != want {
			t.Errorf("version %d: got %q, %v, want %q", number, got.Value.Text(), err, want)
		}
	}
	if got, err := c.Space("shop/dev").Read(ctx, "BIN"); err != nil || string(got.Value.Bytes()) != "\x00\xff" {
		t.Errorf("binary: %q, %v", got.Value.Bytes(), err)
	}
	if _, err := c.Space("shop/dev").Read(ctx, "NONE"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("no such secret: %v", err)
	}
	names, err := c.Space("secret").List(ctx, "")
	if err != nil || fmt.Sprint(names) != "[app/]" {
		t.Errorf("list: %v, %v", names, err)
	}
	if names, err := c.Space("secret").List(ctx, "app"); err != nil || fmt.Sprint(names) != "[db]" {
		t.Errorf("list app: %v, %v", names, err)
	}
}

func TestValuesAreRemembered(t *testing.T) {
	k := newKeep(t)
	if err := k.fill("shop/dev", map[string]string{"A": "1", "B": "2"}); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	counting := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked.Add(1)
		return http.DefaultTransport.RoundTrip(r)
	})}
	c := open(t, k, client.WithHTTPClient(counting), client.WithFresh(time.Hour))
	ctx := context.Background()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v, err := c.Space("shop/dev").Values(ctx)
			if err != nil || v.Len() != 2 {
				t.Errorf("values: %v", err)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("eight readers: %d requests, want 1", n)
	}
	k.must(t, "PUT", "keephold/value/shop/dev/A", map[string]string{"text": "new"})
	v, err := c.Space("shop/dev").Values(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := v.Lookup("A"); a.Text() != "1" || v.Version("A") != 1 {
		t.Errorf("fresh values were asked for again")
	}
	v, err = c.Space("shop/dev").Refresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := v.Lookup("A"); a.Text() != "new" || v.Version("A") != 2 || fmt.Sprint(v.Names()) != "[A B]" {
		t.Errorf("after a refresh: %q, version %d, %v", a.Text(), v.Version("A"), v.Names())
	}
}

func TestServerIsAway(t *testing.T) {
	for _, stale := range []time.Duration{0, time.Hour} {
		t.Run(stale.String(), func(t *testing.T) {
			k := newKeep(t)
			if err := k.fill("shop/dev", map[string]string{"A": "1"}); err != nil {
				t.Fatal(err)
			}
			s := open(t, k, client.WithFresh(0), client.WithStale(stale)).Space("shop/dev")
			if _, err := s.Values(context.Background()); err != nil {
				t.Fatal(err)
			}
			k.stop()
			v, err := s.Values(context.Background())
			if stale == 0 {
				if !errors.Is(err, client.ErrUnavailable) {
					t.Errorf("got %v, want unavailable", err)
				}
				return
			}
			if err != nil || v.Len() != 1 {
				t.Errorf("with a bridge: %v", err)
			}
		})
	}
}

// A refusal is not bridged, whatever is in memory.
func TestRefusalDropsMemory(t *testing.T) {
	k := newKeep(t)
	if err := k.fill("shop/dev", map[string]string{"A": "1"}); err != nil {
		t.Fatal(err)
	}
	made := k.must(t, "POST", "auth/token/create", map[string]any{"policies": []string{"root"}})
	token := made["auth"].(map[string]any)["client_token"].(string)
	c, err := client.New(k.addr, client.WithToken(token), client.WithFresh(0), client.WithStale(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Space("shop/dev")
	if _, err := s.Values(context.Background()); err != nil {
		t.Fatal(err)
	}
	k.must(t, "POST", "auth/token/revoke", map[string]string{"token": token})
	if _, err := s.Values(context.Background()); !errors.Is(err, client.ErrDenied) {
		t.Errorf("with a revoked token: %v, want denied", err)
	}
	k.stop()
	if _, err := s.Values(context.Background()); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("after a refusal and without a server: %v, want unavailable: the memory was to be dropped", err)
	}
}

func TestSignIn(t *testing.T) {
	k := newKeep(t)
	k.must(t, "POST", "secret/data/a", map[string]any{"data": map[string]string{"x": "1"}})
	ctx := context.Background()

	t.Run("approle, and again after its token was revoked", func(t *testing.T) {
		var token atomic.Value
		spy := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			token.Store(r.Header.Get("X-Vault-Token"))
			return http.DefaultTransport.RoundTrip(r)
		})}
		c, err := client.New(k.addr, client.WithAppRole(k.roleID, k.secretID), client.WithHTTPClient(spy))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.Space("secret").Read(ctx, "a"); err != nil {
				t.Fatal(err)
			}
			k.must(t, "POST", "auth/token/revoke", map[string]string{"token": token.Load().(string)})
		}
		if _, err := client.New(k.addr, client.WithAppRole("", "x")); err == nil {
			t.Error("an empty role id was taken")
		}
		wrong, err := client.New(k.addr, client.WithAppRole(k.roleID, "no-such-secret-id"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wrong.Space("secret").Read(ctx, "a"); err == nil || strings.Contains(err.Error(), "no-such-secret-id") {
			t.Errorf("a wrong secret id: %v", err)
		}
	})
	t.Run("token file that is replaced", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte("no-token\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := client.New(k.addr, client.WithTokenFile(file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Space("secret").Read(ctx, "a"); !errors.Is(err, client.ErrDenied) {
			t.Errorf("a wrong token: %v", err)
		}
		if err := os.WriteFile(file, []byte(k.token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Space("secret").Read(ctx, "a"); err != nil {
			t.Errorf("after the file was replaced: %v", err)
		}
	})
	t.Run("environment", func(t *testing.T) {
		if _, err := client.FromEnvironment(); err == nil {
			t.Error("made without KEEPHOLD_ADDR")
		}
		t.Setenv("KEEPHOLD_ADDR", k.addr)
		if _, err := client.FromEnvironment(); err == nil {
			t.Error("made without a credential")
		}
		t.Setenv("KEEPHOLD_TOKEN", k.token)
		c, err := client.FromEnvironment()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Space("secret").Read(ctx, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestOwnCA(t *testing.T) {
	k := newTLSKeep(t)
	c, err := client.New(k.addr, client.WithToken("none"), client.WithCAFile(k.caFile))
	if err != nil {
		t.Fatal(err)
	}
	// The server has no keys yet: an answer of its own says that the connection stands.
	var refusal *client.Error
	if _, err := c.Space("secret").Read(context.Background(), "a"); !errors.As(err, &refusal) {
		t.Errorf("with the CA: %v, want an answer of the server", err)
	}
	c, err = client.New(k.addr, client.WithToken("none"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Space("secret").Read(context.Background(), "a"); !errors.Is(err, client.ErrUnavailable) || errors.As(err, &refusal) {
		t.Errorf("without the CA: %v, want unreachable", err)
	}
}

func TestAddresses(t *testing.T) {
	for addr, good := range map[string]bool{
		"https://keep.example:8200": true, "http://127.0.0.1:8200": true, "http://localhost:1": true, "http://[::1]:8200/": true,
		"http://keep.example:8200": false, "keep.example": false, "ftp://x": false, "": false, "https://user:pw@keep.example": false,
	} {
		if _, err := client.New(addr, client.WithToken("t")); (err == nil) != good {
			t.Errorf("%q: %v, want good %v", addr, err, good)
		} else if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: the error shows the password: %v", addr, err)
		}
	}
	if _, err := client.New("http://keep.example:8200", client.WithToken("t"), client.WithPlaintext()); err != nil {
		t.Error(err)
	}
	if _, err := client.New("https://keep.example"); err == nil {
		t.Error("made without a credential")
	}
}

// A token does not follow a redirect, and an answer that is not ours is named as such, without its text.
func TestStrangers(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("X-Vault-Token") != "")
	}))
	defer other.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"html": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<p>hunter2</p>")) },
		"half": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"data":{"values":{"A":"hunter2"`))
		},
		"wrongtype": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"data":{"values":["hunter2"]}}`))
		},
	} {
		s := httptest.NewServer(answer)
		c, err := client.New(s.URL, client.WithToken("t"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Space("a").Values(context.Background()); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
	if leaked.Load() {
		t.Error("the token followed a redirect")
	}
}

func TestValuesDoNotPrint(t *testing.T) {
	k := newKeep(t)
	if err := k.fill("shop/dev", map[string]string{"PASSWORD": "hunter2"}); err != nil {
		t.Fatal(err)
	}
	var cfg struct {
		Password client.Value `keephold:"PASSWORD"`
	}
	s := open(t, k).Space("shop/dev")
	if err := s.Bind(context.Background(), &cfg); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", slog.Any("cfg", cfg), slog.Any("value", cfg.Password))
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", cfg, cfg, cfg, cfg.Password, cfg.Password, cfg.Password), string(j), log.String()} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e") || !strings.Contains(text, "[redacted]") {
			t.Errorf("printed: %s", text)
		}
	}
	if cfg.Password.Text() != "hunter2" {
		t.Errorf("got %q", cfg.Password.Text())
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
