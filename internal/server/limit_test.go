package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Every way to present a credential that is no token is bounded by address, in each dialect's own words; nothing else is.
func TestSignInsOfEveryDialectAreBounded(t *testing.T) {
	dev, err := OpenDev(t.Context(), DevConfig{Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.cfg.Keep.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	dev.cfg.SignInRate = 0.001 // one, and then none for a quarter of an hour
	const form = "application/x-www-form-urlencoded"
	for _, row := range []struct {
		name, method, path string
		header             map[string]string
		busy               int    // 0: not bounded
		says               string // of the refusal
	}{
		{"approle", "POST", "/v1/auth/approle/login", nil, 429, "too many sign-ins"},
		{"userpass in a namespace", "PUT", "/v1/team/auth/userpass/login/joe", nil, 429, "too many sign-ins"},
		{"sts, signed or not", "POST", "/", map[string]string{"Content-Type": form}, 400, "<Code>Throttling</Code>"},
		{"sts by query", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", nil, 400, "<Code>Throttling</Code>"},
		{"credentials of a container", "GET", "/v1/keephold/aws/credentials/AKIA", nil, 429, "Throttling"},
		{"google's token service", "POST", "/token", map[string]string{"Content-Type": form}, 429, "too many sign-ins"},
		{"azure's token service", "POST", "/adfs/oauth2/token", map[string]string{"Content-Type": form}, 429, `"error":"temporarily_unavailable"`},
		{"a managed identity", "GET", "/metadata/identity/oauth2/token?resource=x", nil, 429, `"error":"temporarily_unavailable"`},
		{"a read of aws", "POST", "/", map[string]string{"X-Amz-Target": "secretsmanager.GetSecretValue"}, 0, ""},
		{"a read of vault", "GET", "/v1/secret/data/app", nil, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h, err := compose(&dev.cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			var w *httptest.ResponseRecorder
			for try := range 3 {
				r := httptest.NewRequest(row.method, row.path, strings.NewReader(""))
				for k, v := range row.header {
					r.Header.Set(k, v)
				}
				w = httptest.NewRecorder()
				h.ServeHTTP(w, r)
				bounded := w.Header().Get("Retry-After") != ""
				if want := row.busy != 0 && try > 0; bounded != want {
					t.Fatalf("try %d: got %d %s, bounded %t, want %t", try, w.Code, w.Body, bounded, want)
				}
			}
			if row.busy != 0 && (w.Code != row.busy || !strings.Contains(w.Body.String(), row.says)) {
				t.Errorf("the refusal: got %d %s, want %d with %q", w.Code, w.Body, row.busy, row.says)
			}
			if row.busy == 0 && w.Code == http.StatusTooManyRequests {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}
