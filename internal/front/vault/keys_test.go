package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/mem"
)

// keyhole is a front on a Desk whose engine outlives it, spoken to by HTTP.
type keyhole struct {
	t      *testing.T
	engine store.Engine
	log    *audit.Log
	desk   *custody.Desk
	front  *Front
	token  string
	clock  time.Time
}

func newKeyhole(t *testing.T, auto custody.AutoSeal) *keyhole {
	t.Helper()
	log, err := audit.Open(audit.Config{Dir: t.TempDir() + "/audit", Origin: "test"})
	if err != nil {
		t.Fatal(err)
	}
	k := &keyhole{t: t, engine: mem.New(), log: log, clock: time.Now()}
	k.open(auto)
	t.Cleanup(func() {
		if err := k.desk.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// open makes the Desk, as a process does that starts.
func (k *keyhole) open(auto custody.AutoSeal) {
	var err error
	k.desk, err = custody.Open(custody.Config{Engine: k.engine, Log: k.log, Installation: "test", Node: "n1", AutoSeal: auto, Now: func() time.Time { return k.clock }})
	if err != nil {
		k.t.Fatal(err)
	}
	if k.front, err = New(Config{Desk: k.desk, Version: "1.2.3"}); err != nil {
		k.t.Fatal(err)
	}
}

// ask sends one request and returns the status and the decoded body.
func (k *keyhole) ask(method, path, body string) (int, map[string]any) {
	k.t.Helper()
	ctx, over := context.WithCancel(context.Background())
	defer over() // as at a real server: what goes on after the answer has no use for the request's context
	r := httptest.NewRequestWithContext(ctx, method, "/v1/"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1234"
	if k.token != "" {
		r.Header.Set("X-Vault-Token", k.token)
	}
	w := httptest.NewRecorder()
	k.front.ServeHTTP(w, r)
	if w.Body.Len() == 0 {
		return w.Code, nil
	}
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		k.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	return w.Code, out
}

// must is ask for what has to succeed.
func (k *keyhole) must(method, path, body string) map[string]any {
	k.t.Helper()
	status, out := k.ask(method, path, body)
	if status >= 300 {
		k.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// refused is ask for what has to fail; it returns the error's text.
func (k *keyhole) refused(want int, method, path, body string) string {
	k.t.Helper()
	status, out := k.ask(method, path, body)
	if status != want {
		k.t.Fatalf("%s %s: got %d %v, want %d", method, path, status, out, want)
	}
	var texts []string
	errs, _ := out["errors"].([]any)
	for _, e := range errs {
		texts = append(texts, e.(string))
	}
	return strings.Join(texts, "; ")
}

func members(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, s := range list {
		out = append(out, s.(string))
	}
	return out
}

func (k *keyhole) key(share string, more ...string) string {
	m := map[string]string{"key": share}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		k.t.Fatal(err)
	}
	return string(b)
}

// initialize makes the keys, unseals, and keeps the root token.
func (k *keyhole) initialize(body string) (shares []string) {
	k.t.Helper()
	made := k.must("PUT", "sys/init", body)
	shares = members(made["keys_base64"])
	k.token = made["root_token"].(string)
	return shares
}

func (k *keyhole) unseal(shares ...string) {
	k.t.Helper()
	for _, s := range shares {
		k.must("PUT", "sys/unseal", k.key(s))
	}
	if k.desk.Sealed() {
		k.t.Fatalf("still sealed after %d shares", len(shares))
	}
}

func TestInitUnsealSeal(t *testing.T) {
	k := newKeyhole(t, custody.AutoSeal{})
	if got := k.must("GET", "sys/init", "")["initialized"]; got != false {
		t.Errorf("initialized before init: %v", got)
	}
	k.refused(http.StatusBadRequest, "PUT", "sys/init", `{"secret_shares":3,"secret_threshold":4}`)
	k.refused(http.StatusBadRequest, "PUT", "sys/init", `{"secret_shares":3,"secret_threshold":1}`)
	k.refused(http.StatusBadRequest, "PUT", "sys/init", `{"secret_shares":3,"secret_threshold":2,"recovery_shares":2}`)
	k.refused(http.StatusBadRequest, "PUT", "sys/init", `{"secret_shares":3,"secret_threshold":2,"pgp_keys":["AA=="]}`)
	shares := k.initialize(`{"secret_shares":3,"secret_threshold":2,"root_token_pgp_key":null}`)
	if len(shares) != 3 || !k.desk.Sealed() {
		t.Fatalf("init: %d shares, sealed %v; want 3 and sealed", len(shares), k.desk.Sealed())
	}
	if text := k.refused(http.StatusBadRequest, "PUT", "sys/init", `{"secret_shares":1,"secret_threshold":1}`); text != "Vault is already initialized" {
		t.Errorf("second init: %q", text)
	}
	k.refused(http.StatusServiceUnavailable, "PUT", "sys/seal", "")

	status := k.must("PUT", "sys/unseal", k.key(shares[0]))
	if status["progress"] != 1.0 || status["t"] != 2.0 || status["n"] != 3.0 || status["nonce"] == "" || status["sealed"] != true {
		t.Errorf("after one share: %v", status)
	}
	again := k.must("PUT", "sys/unseal", k.key(shares[0]))
	if again["progress"] != 1.0 {
		t.Errorf("the same share twice: %v", again)
	}
	wrong := "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"
	if text := k.refused(http.StatusBadRequest, "PUT", "sys/unseal", k.key(wrong)); !strings.Contains(text, "Unseal failed, invalid key") || !strings.Contains(text, "1 refused") {
		t.Errorf("wrong share: %q", text)
	}
	k.refused(http.StatusBadRequest, "PUT", "sys/unseal", k.key("nonsense"))
	k.refused(http.StatusBadRequest, "PUT", "sys/unseal", `{}`)
	k.refused(http.StatusBadRequest, "PUT", "sys/unseal", k.key(shares[1], "migrate", "true"))
	if got := k.must("GET", "sys/seal-status", "")["progress"]; got != 1.0 {
		t.Errorf("a wrong share disturbed the others: progress %v", got)
	}
	if got := k.must("PUT", "sys/unseal", `{"reset":true}`)["progress"]; got != 0.0 {
		t.Errorf("after reset: progress %v", got)
	}
	k.unseal(shares[2], shares[0])
	k.refused(http.StatusBadRequest, "PUT", "sys/unseal", `{"reset":true}`)
	k.must("PUT", "sys/unseal", k.key(shares[1])) // unsealed already: the state is answered

	good := k.token
	k.token = ""
	k.refused(http.StatusForbidden, "PUT", "sys/seal", "")
	k.token = good
	if status, body := k.ask("PUT", "sys/seal", ""); status != http.StatusNoContent || body != nil {
		t.Errorf("seal: %d %v", status, body)
	}
	if !k.desk.Sealed() {
		t.Error("not sealed")
	}
	k.unseal(shares[1], shares[2])
}
