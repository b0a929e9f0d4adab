package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keephold/keephold/internal/server"
)

// keep is a real server for a test, and a token that may do everything there.
type keep struct {
	addr, token, caFile string
	roleID, secretID    string
	http                *http.Client
	stop                func()
}

// startDev runs a development server in this process.
func startDev() (*keep, error) {
	ctx, cancel := context.WithCancel(context.Background())
	d, err := server.OpenDev(ctx, server.DevConfig{Listen: []string{"127.0.0.1:0"}, Version: "test"})
	if err != nil {
		cancel()
		return nil, err
	}
	k := &keep{addr: d.Addr, token: string(d.Token.Reveal()), roleID: d.RoleID, secretID: string(d.SecretID.Reveal()), http: http.DefaultClient}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	k.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	return k, nil
}

func newKeep(t *testing.T) *keep {
	t.Helper()
	k, err := startDev()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.stop)
	return k
}

// newTLSKeep runs a server from a configuration, with a CA of its own.
func newTLSKeep(t *testing.T) *keep {
	t.Helper()
	dir := t.TempDir()
	f := server.Default()
	f.Storage.Path, f.Audit.Dir = dir, filepath.Join(dir, "audit")
	f.Seal = server.SealFile{Kind: "keyfile", KeyFile: filepath.Join(dir, "key")}
	f.Listener = []server.ListenerFile{{Address: "127.0.0.1:0", Names: []string{"localhost"}}}
	ctx, cancel := context.WithCancel(context.Background())
	o, err := server.Open(ctx, f, "test", io.Discard)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	_, port, _ := strings.Cut(strings.TrimPrefix(o.Addrs[0], "https://"), ":")
	return &keep{addr: "https://localhost:" + port, caFile: o.CAFile}
}

// do asks the server by hand, as an administrator would.
func (k *keep) do(method, path string, body any) (map[string]any, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, k.addr+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", k.token)
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	var out map[string]any
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &out)
	}
	if err == nil && resp.StatusCode >= 300 {
		err = &statusError{resp.StatusCode, string(text)}
	}
	return out, err
}

type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return http.StatusText(e.status) + ": " + e.text }

func (k *keep) must(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	out, err := k.do(method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return out
}

// fill makes a Space and stores settings in it.
func (k *keep) fill(space string, values map[string]string) error {
	_, err := k.do(http.MethodPost, "sys/mounts/"+space, map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	for name, text := range values {
		if err == nil {
			_, err = k.do(http.MethodPut, "keephold/value/"+space+"/"+name, map[string]string{"text": text})
		}
	}
	return err
}
