package azurekv_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody/custodytest"
	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

const host = "shop.vault.example:8200"

// vault is the Azure face of a keep with the vault azure/shop and the identity "app", which may do everything in it.
type vault struct {
	*custodytest.Keep
	front  *azurekv.Front
	signIn http.Handler
	app    machine.Credential
	token  string
}

const full = `path "azure/shop/*" { capabilities = ["create", "read", "update", "delete", "list"] }`

func newVault(t testing.TB) *vault {
	t.Helper()
	v := &vault{Keep: custodytest.Open(t, nil, secret.Space{Name: "azure/shop", Home: secret.Azure})}
	v.Policy("full", full)
	var err error
	if v.front, err = azurekv.New(azurekv.Config{Desk: v.Desk, Domains: []string{"vault.example"}, Vault: "shop"}); err != nil {
		t.Fatal(err)
	}
	v.signIn = v.front.SignIn()
	v.app = v.identity("app", "full")
	v.token = v.sign(v.app, "https://vault.example:8200")
	return v
}

func (v *vault) identity(name string, policies ...string) machine.Credential {
	return custodytest.Do(v.Keep, machine.Create{Name: name, Kind: machine.AzureUser, Home: "adfs", Policies: policies})
}

// sign gets an access token by client credentials.
func (v *vault) sign(c machine.Credential, resource string) string {
	v.T.Helper()
	status, body := v.grant(url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.Identity.Public}, "client_secret": {string(c.Secret.Reveal())}, "scope": {resource + "/.default openid"},
	}.Encode())
	token, _ := body["access_token"].(string)
	if status != http.StatusOK || token == "" {
		v.T.Fatalf("sign-in: got %d %v", status, body)
	}
	return token
}

func (v *vault) grant(form string) (int, map[string]any) {
	r := httptest.NewRequest(http.MethodPost, "https://"+host+"/adfs/oauth2/token", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return serve(v.T, v.signIn, r)
}

// call asks the vault at path, which may have a query of its own.
func (v *vault) call(method, path, body string) (int, map[string]any) {
	v.T.Helper()
	return v.callAs(v.token, method, path, body)
}

func (v *vault) callAs(token, method, path, body string) (int, map[string]any) {
	v.T.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	r := httptest.NewRequest(method, "https://"+host+path+sep+"api-version=7.4", strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return serve(v.T, v.front, r)
}

func serve(t testing.TB, h http.Handler, r *http.Request) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var m map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
			t.Fatalf("%s %s: %q: %v", r.Method, r.URL, w.Body, err)
		}
	}
	return w.Code, m
}

// errorOf is the code of an error with the one inside: "Forbidden/SecretDisabled".
func errorOf(body map[string]any) string {
	e, _ := body["error"].(map[string]any)
	code, _ := e["code"].(string)
	if inner, ok := e["innererror"].(map[string]any); ok {
		code += "/" + inner["code"].(string)
	}
	return code
}

// TestChallenge pins what the SDKs parse: one space behind the comma, a tenant in the path, the domain above the host.
func TestChallenge(t *testing.T) {
	v := newVault(t)
	for name, token := range map[string]string{"none": "", "unknown": "xyz", "for another resource": v.sign(v.app, "https://vault.azure.net")} {
		r := httptest.NewRequest(http.MethodPut, "https://"+host+"/secrets/a?api-version=7.4", strings.NewReader("{"))
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		v.front.ServeHTTP(w, r)
		want := `Bearer authorization="https://shop.vault.example:8200/adfs", resource="https://vault.example:8200"`
		if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || got != want {
			t.Errorf("%s: got %d %q, want 401 %q", name, w.Code, got, want)
		}
	}
}

func TestErrorsOfTheVendor(t *testing.T) {
	v := newVault(t)
	long := strings.Repeat("x", 25601)
	none := v.sign(v.identity("nobody"), "https://vault.example:8200")
	for _, name := range []string{"off", "gone"} {
		if status, _ := v.call(http.MethodPut, "/secrets/"+name, `{"value":"x"}`); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	v.call(http.MethodPatch, "/secrets/off", `{"attributes":{"enabled":false}}`)
	v.call(http.MethodDelete, "/secrets/gone", "")
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{http.MethodGet, "/secrets/none", "", 404, "SecretNotFound"},
		{http.MethodGet, "/secrets/off", "", 403, "Forbidden/SecretDisabled"},
		{http.MethodGet, "/secrets/off/0123456789abcdef0123456789abcdef", "", 404, "SecretNotFound"},
		{http.MethodGet, "/secrets/gone", "", 404, "SecretNotFound"},
		{http.MethodDelete, "/secrets/gone", "", 404, "SecretNotFound"},
		{http.MethodPut, "/secrets/gone", `{"value":"x"}`, 409, "Conflict/ObjectIsDeletedButRecoverable"},
		{http.MethodGet, "/deletedsecrets/off", "", 404, "SecretNotFound"},
		{http.MethodPost, "/deletedsecrets/none/recover", "", 404, "SecretNotFound"},
		{http.MethodDelete, "/deletedsecrets/none", "", 404, "SecretNotFound"},
		{http.MethodPut, "/secrets/a_b", `{"value":"x"}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/" + strings.Repeat("a", 128), `{"value":"x"}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/a", `{"value":"` + long + `"}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/a", `{}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/a", `{"value":1}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/a", `{"value":"x","value":"y"}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/a", `{"value":"x","attributes":{"exp":1,"nbf":2}}`, 400, "BadParameter"},
		{http.MethodPut, "/secrets/a", `{"value":"x","tags":{"":"y"}}`, 400, "BadParameter"},
		{http.MethodGet, "/secrets?maxresults=26", "", 400, "BadParameter"},
		{http.MethodGet, "/secrets?$skiptoken=%25", "", 400, "BadParameter"},
		{http.MethodPost, "/secrets/restore", `{"value":"AAAA"}`, 400, "BadParameter"},
		{http.MethodGet, "/keys/a", "", 404, "NotSupported"},
		{http.MethodPost, "/secrets/a", `{}`, 405, "NotSupported"},
	} {
		if status, body := v.call(c.method, c.path, c.body); status != c.status || errorOf(body) != c.code {
			t.Errorf("%s %.60s: got %d %s, want %d %s", c.method, c.path, status, errorOf(body), c.status, c.code)
		}
	}
	if status, body := v.callAs(none, http.MethodGet, "/secrets/off", ""); status != 403 || errorOf(body) != "Forbidden/ForbiddenByPolicy" {
		t.Errorf("without a policy: got %d %s", status, errorOf(body))
	}
	r := httptest.NewRequest(http.MethodGet, "https://"+host+"/secrets/off", nil)
	r.Header.Set("Authorization", "Bearer "+v.token)
	if status, body := serve(t, v.front, r); status != 400 || errorOf(body) != "BadParameter" {
		t.Errorf("without an api-version: got %d %v", status, body)
	}
}

func TestPurgeProtection(t *testing.T) {
	v := newVault(t)
	custodytest.Do(v.Keep, registry.TuneSpace{Name: "azure/shop", Change: func(s *secret.SpaceSettings) error {
		s.PurgeProtected, s.DeletionWindow = true, 7*24*60*60*1e9
		return nil
	}})
	v.call(http.MethodPut, "/secrets/a", `{"value":"x"}`)
	_, body := v.call(http.MethodDelete, "/secrets/a", "")
	if a := body["attributes"].(map[string]any); a["recoveryLevel"] != "Recoverable" || a["recoverableDays"] != 7.0 {
		t.Errorf("attributes: got %v", a)
	}
	if status, body := v.call(http.MethodDelete, "/deletedsecrets/a", ""); status != 403 {
		t.Errorf("purged in spite of the protection: got %d %v", status, body)
	}
}

func TestSignInRefusals(t *testing.T) {
	v := newVault(t)
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {v.app.Identity.Public}, "client_secret": {string(v.app.Secret.Reveal())}, "scope": {"https://r/.default"}}
	with := func(name, value string) string {
		form := url.Values{}
		for k, w := range good {
			form[k] = w
		}
		form.Set(name, value)
		if value == "" {
			form.Del(name)
		}
		return form.Encode()
	}
	for _, c := range []struct {
		form   string
		status int
		code   string
	}{
		{good.Encode(), 200, ""},
		{with("client_secret", "wrong"), 401, "invalid_client"},
		{with("client_id", "unknown"), 401, "invalid_client"},
		{with("client_secret", ""), 401, "invalid_client"},
		{with("client_id", ""), 400, "invalid_request"},
		{with("scope", ""), 400, "invalid_request"},
		{with("grant_type", "password"), 400, "unsupported_grant_type"},
		{with("client_assertion", "a.b.c"), 400, "invalid_request"},                                                  // beside a secret
		{strings.Replace(with("client_assertion", "a.b.c"), "client_secret", "not_read", 1), 400, "invalid_request"}, // without its type
		{strings.Replace(with("client_assertion", "a.b.c"), "client_secret", "not_read", 1) + "&client_assertion_type=" + url.QueryEscape("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), 401, "invalid_client"},
		{good.Encode() + "&client_id=x", 400, "invalid_request"},
		{"%zz", 400, "invalid_request"},
		{strings.Repeat("x", 65<<10), 400, "invalid_request"},
	} {
		if status, body := v.grant(c.form); status != c.status || c.code != "" && body["error"] != c.code {
			t.Errorf("%.80s: got %d %v, want %d %s", c.form, status, body["error"], c.status, c.code)
		}
	}
	_, wrong := v.grant(with("client_secret", "wrong"))
	_, unknown := v.grant(with("client_id", "unknown"))
	if wrong["error_description"] != unknown["error_description"] {
		t.Errorf("an unknown client reads differently from a wrong secret: %q and %q", unknown["error_description"], wrong["error_description"])
	}
	custodytest.Do(v.Keep, machine.Delete{Name: "app"})
	if status, _ := v.call(http.MethodGet, "/secrets", ""); status != http.StatusUnauthorized {
		t.Errorf("the token of a deleted identity: got %d", status)
	}
}

func TestManagedIdentity(t *testing.T) {
	v := newVault(t)
	header := string(azurekv.IdentityHeader(v.app.Identity.Public, v.app.Secret).Reveal())
	for _, c := range []struct {
		name, header, query string
		status              int
	}{
		{"its own", header, "resource=https://vault.example:8200", 200},
		{"selected", header, "resource=https://vault.example:8200&client_id=" + v.app.Identity.Public, 200},
		{"another selected", header, "resource=https://vault.example:8200&client_id=other", 400},
		{"no resource", header, "", 400},
		{"no header", "", "resource=https://vault.example:8200", 401},
		{"wrong header", header + "x", "resource=https://vault.example:8200", 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/msi/token?api-version=2019-08-01&"+c.query, nil)
		if c.header != "" {
			r.Header.Set("X-IDENTITY-HEADER", c.header)
		}
		status, body := serve(t, v.signIn, r)
		if status != c.status {
			t.Errorf("%s: got %d %v, want %d", c.name, status, body, c.status)
			continue
		}
		if status == http.StatusOK {
			if got, _ := v.callAs(body["access_token"].(string), http.MethodGet, "/secrets", ""); got != http.StatusOK {
				t.Errorf("%s: its token got %d", c.name, got)
			}
		}
	}
}

// TestNoBytesWithoutLeave: whatever is asked, who may only see names gets no value.
func TestNoBytesWithoutLeave(t *testing.T) {
	v := newVault(t)
	const canary = "canary-4711"
	v.call(http.MethodPut, "/secrets/a", `{"value":"`+canary+`"}`)
	v.Policy("names", `path "azure/shop/metadata/*" { capabilities = ["read", "list", "update", "delete"] }`)
	token := v.sign(v.identity("names", "names"), "https://vault.example:8200")
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/secrets"},
		{http.MethodGet, "/secrets/a"},
		{http.MethodGet, "/secrets/a/versions"},
		{http.MethodPatch, "/secrets/a"},
		{http.MethodPost, "/secrets/a/backup"},
		{http.MethodDelete, "/secrets/a"},
		{http.MethodGet, "/deletedsecrets/a"},
	} {
		_, body := v.callAs(token, c.method, c.path, "{}")
		b, err := json.Marshal(body)
		if err != nil || strings.Contains(string(b), canary) {
			t.Errorf("%s %s: answered %s, %v", c.method, c.path, b, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	v := newVault(f)
	for _, s := range []struct{ method, path, body string }{
		{http.MethodPut, "/secrets/a", `{"value":"x","attributes":{"enabled":true,"exp":2},"tags":{"a":"b"},"contentType":"t"}`},
		{http.MethodGet, "/secrets/a/versions", ""},
		{http.MethodPost, "/secrets/restore", `{"value":"AAAA"}`},
		{http.MethodPatch, "/secrets/a/0", `{"attributes":[]}`},
	} {
		f.Add(s.method, s.path, s.body)
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		u, err := url.Parse("https://" + host + "/")
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + strings.TrimPrefix(path, "/")
		u.RawQuery = "api-version=7.4"
		r := httptest.NewRequest(http.MethodGet, "https://"+host+"/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("Authorization", "Bearer "+v.token)
		w := httptest.NewRecorder()
		v.front.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %q %q: got %d %s", method, path, body, w.Code, w.Body)
		}
	})
}

func FuzzGrant(f *testing.F) {
	v := newVault(f)
	f.Add("grant_type=client_credentials&client_id=a&client_secret=b&scope=https%3A%2F%2Fr%2F.default")
	f.Add("a=%zz&&&=;")
	f.Fuzz(func(t *testing.T, form string) {
		r := httptest.NewRequest(http.MethodPost, "https://"+host+"/adfs/oauth2/token", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		v.signIn.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code == http.StatusOK {
			t.Errorf("%q: got %d", form, w.Code)
		}
	})
}
