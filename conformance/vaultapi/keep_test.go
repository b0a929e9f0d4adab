// Package vaultapi asks a running keep through the official Go client of Vault, unchanged.
package vaultapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// keep is a running server and its root client.
type keep struct {
	addr, ca string
	root     *api.Client
}

// client is a client with a token; "" for none.
func (k *keep) client(t testing.TB, token string) *api.Client {
	t.Helper()
	cfg := api.DefaultConfig()
	cfg.Address, cfg.MaxRetries = k.addr, 0
	if k.ca != "" {
		if err := cfg.ConfigureTLS(&api.TLSConfig{CACert: k.ca}); err != nil {
			t.Fatal(err)
		}
	}
	cfg.HttpClient.Transport = recorder{cfg.HttpClient.Transport}
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(token)
	return c
}

// do asks for what the client has no method for, and wants it done.
func (k *keep) do(t testing.TB, method, path string, body any) *api.Secret {
	t.Helper()
	s, err := do(k.root, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return s
}

func do(c *api.Client, method, path string, body any) (*api.Secret, error) {
	rq := c.NewRequest(method, "/v1/"+path)
	if body != nil {
		if err := rq.SetJSONBody(body); err != nil {
			return nil, err
		}
	}
	resp, err := c.RawRequest(rq) //nolint:staticcheck // there is no other way to a path without a method of its own
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	s, err := api.ParseSecret(resp.Body)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return s, err
}

// everywhere runs a test against `keephold dev` and against `keephold server` with TLS and a CA of its own.
func everywhere(t *testing.T, test func(*testing.T, *keep)) {
	t.Run("dev", func(t *testing.T) { test(t, dev(t)) })
	t.Run("tls", func(t *testing.T) { test(t, opened(t)) })
}

func program(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	bin := os.Getenv("KEEPHOLD_BIN")
	if bin == "" {
		t.Fatal("KEEPHOLD_BIN names no program")
	}
	c := exec.Command(bin, args...)
	c.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "VAULT_") && !strings.HasPrefix(v, "KEEPHOLD_") {
			c.Env = append(c.Env, v)
		}
	}
	return c
}

func run(t testing.TB, c *exec.Cmd) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Process.Signal(syscall.SIGTERM), c.Wait()); err != nil {
			t.Errorf("the server did not stop cleanly: %v", err)
		}
	})
}

func dev(t *testing.T) *keep {
	t.Helper()
	c := program(t, "dev", "--json", "--listen", "127.0.0.1:0")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	var ready struct{ Addr, Token string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	k := &keep{addr: ready.Addr}
	k.root = k.client(t, ready.Token)
	return k
}

// sealed is a server on a fresh store that nobody has initialized.
func sealed(t *testing.T) *keep { return server(t, "kind = \"shamir\"") }

// bySelf is a server that unseals by a key file, initialized with recovery keys.
func bySelf(t *testing.T) (*keep, *api.InitResponse) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if out, err := program(t, "operator", "init", "--help").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	k := server(t, fmt.Sprintf("kind = \"keyfile\"\nkey_file = %q", key))
	made := got(k.root.Sys().Init(&api.InitRequest{RecoveryShares: 3, RecoveryThreshold: 2}))(t)
	k.root.SetToken(made.RootToken)
	return k, made
}

func server(t *testing.T, seal string) *keep {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "keephold-server.toml")
	text := fmt.Sprintf("[[listener]]\naddress = %q\nnames = [\"localhost\"]\n[storage]\nkind = \"bbolt\"\npath = %q\n[seal]\n%s\n[audit]\ndir = %q\n[limits]\nsign_in_rate = \"1000/s\"\n",
		addr, filepath.Join(dir, "store"), seal, filepath.Join(dir, "audit"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := program(t, "server", "--config", config)
	talk, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	ca := make(chan string, 1)
	go func() { // ends with the program
		for s := bufio.NewScanner(talk); s.Scan(); {
			if _, path, ok := strings.Cut(s.Text(), "KEEPHOLD_CACERT="); ok {
				ca <- path
			}
		}
	}()
	k := &keep{addr: "https://" + addr}
	select {
	case k.ca = <-ca:
	case <-time.After(2 * time.Minute):
		t.Fatal("the server does not say where its CA is")
	}
	k.root = k.client(t, "")
	return k
}

// opened is a server with three shares, unsealed by two, and secret/ mounted.
func opened(t *testing.T) *keep {
	t.Helper()
	k := sealed(t)
	k.initialize(t, 3, 2)
	must(t, k.root.Sys().Mount("secret", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	must(t, k.root.Sys().EnableAuthWithOptions("approle", &api.EnableAuthOptions{Type: "approle"}))
	return k
}

func (k *keep) initialize(t *testing.T, shares, threshold int) *api.InitResponse {
	t.Helper()
	made := got(k.root.Sys().Init(&api.InitRequest{SecretShares: shares, SecretThreshold: threshold}))(t)
	k.root.SetToken(made.RootToken)
	for i, share := range made.Keys[:threshold] {
		status, err := k.root.Sys().Unseal(share)
		if err != nil || status.Sealed != (i < threshold-1) {
			t.Fatalf("unseal %d: %+v, %v", i, status, err)
		}
	}
	return made
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is must for calls that answer something: got(call())(t).
func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// refused wants an answer of that status.
func refused(t testing.TB, status int, err error) {
	t.Helper()
	var e *api.ResponseError
	if !errors.As(err, &e) || e.StatusCode != status {
		t.Fatalf("got %v, want status %d", err, status)
	}
}
