package verify_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/keephold/keephold/internal/scan/verify"
)

// TestAsk asks a local server in each vendor's place about a live secret, a dead one, and one that it will not judge.
func TestAsk(t *testing.T) {
	tests := map[string]struct {
		rule   string
		secret func(*http.Request) string
		replies
	}{
		"github": {"github-token", bearer, replies{"live": {200, `{}`}, "dead": {401, `{}`}, "late": {403, `rate limit`}}},
		"gitlab": {"gitlab-token", func(r *http.Request) string { return r.Header.Get("Private-Token") }, replies{"live": {200, `{}`}, "dead": {401, `{}`}, "late": {429, ``}}},
		"npm":    {"npm-token", bearer, replies{"live": {200, `{}`}, "dead": {401, `{}`}, "late": {500, ``}}},
		"slack":  {"slack-bot-token", bearer, replies{"live": {200, `{"ok":true}`}, "dead": {200, `{"ok":false,"error":"token_revoked"}`}, "late": {200, `{"ok":false,"error":"ratelimited"}`}}},
		"stripe": {"stripe-key", func(r *http.Request) string { name, _, _ := r.BasicAuth(); return name }, replies{"live": {403, `{}`}, "dead": {401, `{}`}, "late": {302, ``}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				answer := tt.replies[tt.secret(r)]
				w.Header().Set("Location", "http://elsewhere.invalid/")
				w.WriteHeader(answer.status)
				_, _ = w.Write([]byte(answer.body))
			}))
			defer srv.Close()
			v, err := verify.New([]string{name + "=" + srv.URL})
			if err != nil {
				t.Fatal(err)
			}
			for secret, want := range map[string]verify.Answer{"live": verify.Live, "dead": verify.Dead, "late": verify.Unknown} {
				for range 2 { // the second answer is remembered
					if who, got := v.Ask(context.Background(), tt.rule, secret); got != want || who != name {
						t.Errorf("%s: %s says %q, want %s", secret, who, got, want)
					}
				}
			}
			if asked.Load() != 3 {
				t.Errorf("asked %d times, want 3", asked.Load())
			}
			srv.Close()
			if _, got := v.Ask(context.Background(), tt.rule, "other"); got != verify.Unknown {
				t.Errorf("of a server that is gone: %s", got)
			}
		})
	}
	v, err := verify.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if who, got := v.Ask(context.Background(), "generic-secret", "x"); who != "" || got != "" {
		t.Errorf("asked %q about a rule of nobody: %q", who, got)
	}
}

type replies map[string]struct {
	status int
	body   string
}

func bearer(r *http.Request) string {
	const prefix = "Bearer "
	h := r.Header.Get("Authorization")
	return h[min(len(prefix), len(h)):]
}

func TestNewRefuses(t *testing.T) {
	for _, e := range []string{"nobody=https://x.test", "github", "github=", "github=ftp://x.test", "github=https://user:pw@x.test", "github=https://"} {
		if _, err := verify.New([]string{e}); err == nil {
			t.Errorf("%q was taken", e)
		}
	}
}
