package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/seal"
)

// askSealed sends one request to a server that has not begun to listen.
func askSealed(t *testing.T, o *Opened, method, path, token, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("X-Vault-Token", token)
	}
	w := httptest.NewRecorder()
	o.http.Handler.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
	}
	return w.Code, out
}

func openSealed(t *testing.T, dir string, s SealFile) (*Opened, error) {
	t.Helper()
	f := Default()
	f.Storage.Path, f.Audit.Dir, f.Seal = dir, filepath.Join(dir, "audit"), s
	f.Listener = []ListenerFile{{Address: "127.0.0.1:0", Plaintext: true}}
	return Open(context.Background(), f, "test", io.Discard)
}

// stop ends a server that was never run.
func (o *Opened) stop(t *testing.T) {
	t.Helper()
	closeAll(o.cfg.Listeners)
	if err := o.cfg.Keep.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestServerUnsealsBySelf(t *testing.T) {
	for _, kind := range []string{seal.KindKeyFile, seal.KindPassphrase} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			s := SealFile{Kind: kind, KeyFile: filepath.Join(dir, "key")}
			if kind == seal.KindPassphrase {
				if _, err := openSealed(t, dir, s); err == nil {
					t.Fatal("opened without the file of the passphrase")
				}
				if err := os.WriteFile(s.KeyFile, []byte("correct horse battery staple\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				if _, err := openSealed(t, dir, s); err == nil || !strings.Contains(err.Error(), "others may read") {
					t.Fatalf("a passphrase that others may read: %v", err)
				}
				if err := os.Chmod(s.KeyFile, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o, err := openSealed(t, dir, s)
			if err != nil {
				t.Fatal(err)
			}
			status, made := askSealed(t, o, "PUT", "/v1/sys/init", "", `{"recovery_shares":2,"recovery_threshold":2}`)
			if status != http.StatusOK || len(made["recovery_keys"].([]any)) != 2 {
				t.Fatalf("init: %d", status)
			}
			token := made["root_token"].(string)
			if status, _ := askSealed(t, o, "PUT", "/v1/sys/rotate/root", token, ""); status != http.StatusNoContent {
				t.Errorf("rotate/root: %d", status)
			}
			o.stop(t)

			if o, err = openSealed(t, dir, s); err != nil {
				t.Fatal(err)
			}
			if _, got := askSealed(t, o, "GET", "/v1/sys/seal-status", "", ""); got["sealed"] != false || got["type"] != kind {
				t.Errorf("after a start: %v", got)
			}
			if status, _ := askSealed(t, o, "GET", "/v1/sys/key-status", token, ""); status != http.StatusOK {
				t.Errorf("key-status: %d", status)
			}
			o.stop(t)
			if _, err := openSealed(t, dir, SealFile{Kind: seal.KindShamir}); err == nil {
				t.Error("opened with the wrong kind of seal configured")
			}
		})
	}
}
