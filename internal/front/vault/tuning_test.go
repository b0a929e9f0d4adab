package vault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// signedIn is the answer's token type, "" when it was refused.
func (k *keep) signedIn(path, body string) (kind string, code int) {
	k.t.Helper()
	w := k.call("POST", path, body, "")
	var a struct {
		Auth struct {
			Type string `json:"token_type"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil && w.Code == http.StatusOK {
		k.t.Fatal(err)
	}
	return a.Auth.Type, w.Code
}

func (k *keep) tune(body string, want int) {
	k.t.Helper()
	k.root(want, "POST", "sys/auth/userpass/tune", body)
}

// TestMountTokenType: what a mount is tuned to reaches the tokens it gives. "default-…" holds where the user says nothing,
// "service" and "batch" always.
func TestMountTokenType(t *testing.T) {
	k := newKeep(t)
	k.methods()
	for _, user := range []string{"service", "batch"} {
		k.root(http.StatusNoContent, "POST", "auth/userpass/users/"+user, fmt.Sprintf(`{"password":"correct horse","token_type":%q}`, user))
	}
	for _, c := range []struct{ mount, user, want string }{
		{"default-service", "bob", "service"}, {"default-service", "batch", "batch"},
		{"default-batch", "bob", "batch"}, {"default-batch", "service", "service"},
		{"service", "batch", "service"}, {"batch", "service", "batch"}, {"batch", "bob", "batch"},
	} {
		k.tune(fmt.Sprintf(`{"token_type":%q}`, c.mount), http.StatusNoContent)
		if got, code := k.signedIn("auth/userpass/login/"+c.user, `{"password":"correct horse"}`); got != c.want {
			t.Errorf("mount %s, user %s: got %q (%d), want %q", c.mount, c.user, got, code, c.want)
		}
	}
	k.root(http.StatusNoContent, "POST", "auth/userpass/users/periodic", `{"password":"correct horse","token_period":"1h"}`)
	if got, code := k.signedIn("auth/userpass/login/periodic", `{"password":"correct horse"}`); code != http.StatusBadRequest {
		t.Errorf("a periodic token of a batch mount: got %q (%d)", got, code)
	}
}

// TestMountLockout: a mount's own lock-out is the one that counts, and reads back.
func TestMountLockout(t *testing.T) {
	k := newKeep(t)
	k.methods()
	try := func(password string) int {
		_, code := k.signedIn("auth/userpass/login/bob", fmt.Sprintf(`{"password":%q}`, password))
		return code
	}
	k.tune(`{"user_lockout_config":{"lockout_threshold":"2","lockout_duration":"1h","lockout_counter_reset":"1h"}}`, http.StatusNoContent)
	shown := fmt.Sprint(k.root(http.StatusOK, "GET", "sys/auth/userpass/tune", ""))
	if !strings.Contains(shown, "lockout_threshold:2") || !strings.Contains(shown, "lockout_duration:3600") {
		t.Errorf("tuning: %s", shown)
	}
	if try("wrong"); try("correct horse") != http.StatusOK {
		t.Error("locked out after one failure of two")
	}
	try("wrong")
	try("wrong")
	if try("correct horse") != http.StatusBadRequest {
		t.Error("not locked out after two failures")
	}
	k.tune(`{"user_lockout_config":{"lockout_disable":true}}`, http.StatusNoContent)
	if try("correct horse") != http.StatusOK {
		t.Error("locked out where that is disabled")
	}
	for _, bad := range []string{`{"lockout_threshold":"-1"}`, `{"lockout_duration":"9000h"}`, `{"lockout_threshold":"x"}`} {
		k.tune(`{"user_lockout_config":`+bad+`}`, http.StatusBadRequest)
	}
}
