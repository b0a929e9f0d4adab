// Package keepholdtest runs a keep inside a test: the real server, in memory, on a free port of this machine, for as long
// as the test lasts.
//
// Start is what a test calls first. Its Keep tells the address, a token that may do everything, and what else a client
// needs; Put lays secrets down, TokenFor makes a token that may do less, Setenv lets the code under test find the keep by
// the environment. Where there is no test, in TestMain for instance, Open does the same, and Close ends it.
//
//	func TestCheckout(t *testing.T) {
//		keep := keepholdtest.Start(t, keepholdtest.Options{
//			Secrets: map[string]map[string]any{"secret/shop/db": {"password": "correct horse"}},
//		})
//		keep.Setenv(t)
//		…
//	}
//
// Any client of HashiCorp Vault or OpenBao works with it. Each keep is its own: tests may run at the same time, but
// Setenv, as testing.T.Setenv, is not for parallel ones.
//
// The package follows semantic versioning with the module. What a fresh keep holds besides what was asked for (mounts,
// policies) is no promise.
package keepholdtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/server"
)

// Options of a keep. The zero Options are a keep with an empty Space "secret", a kv version 2 as Vault's clients know it.
type Options struct {
	// Secrets by their names, "SPACE/PATH", each a map of its fields. Spaces that are not there are made.
	Secrets map[string]map[string]any
}

// Keep is a running keep.
type Keep struct {
	Addr    string // http://127.0.0.1:PORT
	TLSAddr string // https://127.0.0.1:PORT, the same port, with a certificate of CAFile
	CAFile  string // PEM; gone when the keep is closed
	Token   string // may do everything

	client *http.Client
	spaces map[string]bool
	stop   context.CancelFunc
	ended  chan error
}

// Start runs a keep until the test ends. What goes wrong ends the test.
func Start(t testing.TB, o Options) *Keep {
	t.Helper()
	k, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Errorf("keepholdtest: %v", err)
		}
	})
	return k
}

// Open runs a keep until it is closed.
func Open(o Options) (*Keep, error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	ctx, stop := context.WithCancel(context.Background())
	k := &Keep{
		Token: "keepholdtest-" + hex.EncodeToString(random[:]), client: &http.Client{Transport: &http.Transport{}},
		spaces: map[string]bool{"secret": true}, stop: stop, ended: make(chan error, 1),
	}
	d, err := server.OpenDev(ctx, server.DevConfig{Listen: []string{"127.0.0.1:0"}, Token: k.Token, Version: "test"})
	if err != nil {
		stop()
		return nil, fmt.Errorf("keepholdtest: %w", err)
	}
	k.Addr, k.CAFile = d.Addr, d.CAFile
	k.TLSAddr = "https" + strings.TrimPrefix(d.Addr, "http")
	go func() { k.ended <- d.Run(ctx) }() // ends with ctx; Close waits for it
	for name, fields := range o.Secrets {
		if err := k.Put(name, fields); err != nil {
			_ = k.Close() // the error that counts is the first one
			return nil, err
		}
	}
	return k, nil
}

// Close ends the keep; nothing of it stays.
func (k *Keep) Close() error {
	k.client.CloseIdleConnections()
	k.stop()
	return <-k.ended
}

// Put writes a secret, "SPACE/PATH", a new version if it is there. The first segment names the Space, which is made if need be.
func (k *Keep) Put(name string, fields map[string]any) error {
	space, path, ok := strings.Cut(name, "/")
	if !ok || path == "" {
		return fmt.Errorf("keepholdtest: %q is not SPACE/PATH", name)
	}
	if !k.spaces[space] {
		if err := k.ask(http.MethodPost, "sys/mounts/"+escape(space), map[string]any{"type": "kv-v2"}, nil); err != nil {
			return err
		}
		k.spaces[space] = true
	}
	return k.ask(http.MethodPost, escape(space)+"/data/"+escape(path), map[string]any{"data": fields}, nil)
}

// Get reads the newest version of a secret, "SPACE/PATH".
func (k *Keep) Get(name string) (map[string]any, error) {
	space, path, _ := strings.Cut(name, "/")
	var answer struct {
		Data struct {
			Data map[string]any `json:"data"`
		} `json:"data"`
	}
	err := k.ask(http.MethodGet, escape(space)+"/data/"+escape(path), nil, &answer)
	return answer.Data.Data, err
}

// TokenFor makes a token that may do what a policy says, in Vault's own words: path "secret/data/shop/*" { capabilities =
// ["read"] }.
func (k *Keep) TokenFor(policy string) (string, error) {
	name := "keepholdtest-" + rand.Text()
	if err := k.ask(http.MethodPut, "sys/policies/acl/"+strings.ToLower(name), map[string]any{"policy": policy}, nil); err != nil {
		return "", err
	}
	var answer struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	err := k.ask(http.MethodPost, "auth/token/create", map[string]any{"policies": []string{strings.ToLower(name)}}, &answer)
	return answer.Auth.Token, err
}

// Env is the environment by which clients find the keep: "VAULT_ADDR=…" and the like.
func (k *Keep) Env() []string {
	return []string{"VAULT_ADDR=" + k.Addr, "VAULT_TOKEN=" + k.Token, "VAULT_CACERT=" + k.CAFile,
		"KEEPHOLD_ADDR=" + k.Addr, "KEEPHOLD_TOKEN=" + k.Token, "KEEPHOLD_CACERT=" + k.CAFile}
}

// Setenv sets Env for the rest of the test.
func (k *Keep) Setenv(t testing.TB) {
	t.Helper()
	for _, line := range k.Env() {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}

// ask sends one request as root. An answer that is an error becomes one, with the server's own text.
func (k *Keep) ask(method, path string, body, answer any) error {
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			return fmt.Errorf("keepholdtest: %w", err)
		}
	}
	rq, err := http.NewRequestWithContext(context.Background(), method, k.Addr+"/v1/"+path, &b)
	if err != nil {
		return fmt.Errorf("keepholdtest: %w", err)
	}
	rq.Header.Set("X-Vault-Token", k.Token)
	resp, err := k.client.Do(rq)
	if err != nil {
		return fmt.Errorf("keepholdtest: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // everything of use was read
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // whatever it is, it is shown
		return fmt.Errorf("keepholdtest: %s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("keepholdtest: %s %s: %w", method, path, err)
	}
	return nil
}

func escape(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
