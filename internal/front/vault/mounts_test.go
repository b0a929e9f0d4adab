package vault_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// methods mounts AppRole and userpass with somebody in each, and answers a role-id and a secret-id of the role.
func (k *keep) methods() (roleID, secretID string) {
	k.t.Helper()
	k.root(http.StatusNoContent, "POST", "sys/auth/approle", `{"type":"approle"}`)
	k.root(http.StatusNoContent, "POST", "sys/auth/userpass", `{"type":"userpass"}`)
	k.root(http.StatusNoContent, "POST", "auth/approle/role/web", `{"token_policies":"default"}`)
	k.root(http.StatusNoContent, "POST", "auth/userpass/users/bob", `{"password":"correct horse"}`)
	roleID, _ = at(k.root(http.StatusOK, "GET", "auth/approle/role/web/role-id", ""), "data.role_id").(string)
	secretID, _ = at(k.root(http.StatusOK, "POST", "auth/approle/role/web/secret-id", ""), "data.secret_id").(string)
	if roleID == "" || secretID == "" {
		k.t.Fatal("no role-id or secret-id")
	}
	return roleID, secretID
}

// Advisory class: user enumeration. Whatever of a credential is wrong, status, headers and body are the same bytes.
func TestAdvisoryFailedSignInsReadAlike(t *testing.T) {
	k := newKeep(t)
	roleID, secretID := k.methods()
	cases := map[string][][2]string{
		"approle": {
			{"auth/approle/login", fmt.Sprintf(`{"role_id":%q,"secret_id":"wrong"}`, roleID)},
			{"auth/approle/login", fmt.Sprintf(`{"role_id":"unknown","secret_id":%q}`, secretID)},
			{"auth/approle/login", `{"role_id":"unknown","secret_id":"wrong"}`},
			{"auth/approle/login", fmt.Sprintf(`{"role_id":%q,"secret_id":%q}`, roleID, strings.Repeat("x", 5000))},
		},
		"userpass": {
			{"auth/userpass/login/bob", `{"password":"wrong"}`},
			{"auth/userpass/login/unknown", `{"password":"wrong"}`},
			{"auth/userpass/login/no@name", `{"password":"wrong"}`},
		},
	}
	for range 6 { // more than lock a user out: that must not show either
		cases["userpass"] = append(cases["userpass"], [2]string{"auth/userpass/login/bob", `{"password":"wrong"}`})
	}
	cases["userpass"] = append(cases["userpass"], [2]string{"auth/userpass/login/bob", `{"password":"correct horse"}`}) // locked out by now
	for name, tries := range cases {
		t.Run(name, func(t *testing.T) {
			var first string
			for i, try := range tries {
				w := k.call("POST", try[0], try[1], "")
				got := fmt.Sprint(w.Code, w.Header(), w.Body)
				if i == 0 {
					first = got
				}
				if got != first || w.Code != http.StatusBadRequest {
					t.Errorf("%s %s: got %s, want %s", try[0], try[1], got, first)
				}
			}
		})
	}
}

// Advisory class: a token issued beside an error. An answer that refuses holds its errors and nothing else, wrapped or not.
func TestAdvisoryNoTokenBesideAnError(t *testing.T) {
	k := newKeep(t)
	roleID, _ := k.methods()
	limited := k.tokenFor("maker", `path "auth/token/create" { capabilities = ["update"] }`)
	for _, c := range []struct{ path, body, token string }{
		{"auth/token/create", `{"ttl":"soon"}`, k.vars["ROOT"]},
		{"auth/token/create", `{"policies":["root"]}`, limited},
		{"auth/token/create", `{"no_parent":true}`, limited},
		{"auth/token/create-orphan", `{}`, limited},
		{"auth/token/create/unknown", `{}`, k.vars["ROOT"]},
		{"auth/token/renew", `{"token":"khs_unknown"}`, k.vars["ROOT"]},
		{"auth/token/renew-self", `{"increment":"x"}`, limited},
		{"auth/approle/login", fmt.Sprintf(`{"role_id":%q,"secret_id":"wrong"}`, roleID), ""},
		{"auth/userpass/login/bob", `{"password":"wrong"}`, ""},
		{"auth/approle/role/unknown/secret-id", `{}`, k.vars["ROOT"]},
	} {
		for _, header := range []string{"X-None: x", "X-Vault-Wrap-TTL: 60s"} {
			w := k.call("POST", c.path, c.body, c.token, header)
			m := decoded(t, w.Body.Bytes())
			if w.Code < 400 || len(m) != 1 || m["errors"] == nil || strings.Contains(w.Body.String(), "khs_") || strings.Contains(w.Body.String(), "khw_") {
				t.Errorf("%s %s (%s): %d %s", c.path, c.body, header, w.Code, w.Body)
			}
		}
	}
}

// Advisory class: an accessor of another owner is accepted.
func TestAdvisoryAccessorOfAnotherNamespace(t *testing.T) {
	k := newKeep(t)
	for _, ns := range []string{"a", "b"} {
		k.root(http.StatusOK, "POST", "sys/namespaces/"+ns, "")
	}
	made := k.root(http.StatusOK, "POST", "a/auth/token/create", `{"policies":["default"],"no_parent":true}`)
	accessor := fmt.Sprintf(`{"accessor":%q}`, at(made, "auth.accessor"))
	text, _ := at(made, "auth.client_token").(string)
	for _, ns := range []string{"", "b/"} {
		for _, verb := range []string{"lookup-accessor", "renew-accessor"} {
			if got := k.root(http.StatusBadRequest, "POST", ns+"auth/token/"+verb, accessor); fmt.Sprint(got["errors"]) != "[invalid accessor]" {
				t.Errorf("%s%s: %v", ns, verb, got)
			}
		}
		k.root(http.StatusNoContent, "POST", ns+"auth/token/revoke-accessor", accessor)
	}
	if w := k.call("GET", "a/auth/token/lookup-self", "", text); w.Code != http.StatusOK {
		t.Errorf("revoked from another namespace: %d %s", w.Code, w.Body)
	}
	if w := k.call("GET", "b/auth/token/lookup-self", "", text); w.Code != http.StatusForbidden {
		t.Errorf("used in another namespace: %d %s", w.Code, w.Body)
	}
}

// A secret-id belongs to its role: nobody reaches it by way of another, by itself or by its accessor.
func TestAdvisorySecretIDOfAnotherRole(t *testing.T) {
	k := newKeep(t)
	_, secretID := k.methods()
	k.root(http.StatusNoContent, "POST", "auth/approle/role/other", `{}`)
	keys, _ := at(k.root(http.StatusOK, "LIST", "auth/approle/role/web/secret-id", ""), "data.keys").([]any)
	if len(keys) != 1 {
		t.Fatalf("accessors: %v", keys)
	}
	byText, byAccessor := fmt.Sprintf(`{"secret_id":%q}`, secretID), fmt.Sprintf(`{"secret_id_accessor":%q}`, keys[0])
	k.root(http.StatusNoContent, "POST", "auth/approle/role/other/secret-id/lookup", byText)
	k.root(http.StatusNoContent, "POST", "auth/approle/role/other/secret-id/destroy", byText)
	k.root(http.StatusNotFound, "POST", "auth/approle/role/other/secret-id-accessor/lookup", byAccessor)
	k.root(http.StatusNotFound, "POST", "auth/approle/role/other/secret-id-accessor/destroy", byAccessor)
	k.root(http.StatusOK, "POST", "auth/approle/role/web/secret-id/lookup", byText)
}

// A token's text is shown to who presented it: never by its accessor.
func TestAdvisoryTokenTextIsNotShownByAccessor(t *testing.T) {
	k := newKeep(t)
	made := k.root(http.StatusOK, "POST", "auth/token/create", `{"policies":["default"],"ttl":"1h"}`)
	text, _ := at(made, "auth.client_token").(string)
	accessor := fmt.Sprintf(`{"accessor":%q}`, at(made, "auth.accessor"))
	for _, verb := range []string{"lookup-accessor", "renew-accessor"} {
		w := k.call("POST", "auth/token/"+verb, accessor, k.vars["ROOT"])
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d %s", verb, w.Code, w.Body)
		}
	}
	if got := at(k.root(http.StatusOK, "POST", "auth/token/lookup", fmt.Sprintf(`{"token":%q}`, text)), "data.id"); got != text {
		t.Errorf("lookup shows %v to who presented it", got)
	}
}
