package gcpsm

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/gcpsa"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

const (
	tokenPath   = "/token"
	vendorToken = "https://oauth2.googleapis.com/token" // where key files of the vendor's own point
	jwtBearer   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenLife   = time.Hour
	maxForm     = 16 << 10
)

// tokenMeta is what an access token of this dialect says that it is good for.
func tokenMeta() map[string]string { return map[string]string{"for": "gcp"} }

// serveToken exchanges an assertion for an access token (RFC 7523, section 2.1; https://developers.google.com/identity/
// protocols/oauth2/service-account). The token's text is its content, sealed: nothing is stored.
func (f *Front) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		oauthError(w, http.StatusMethodNotAllowed, "invalid_request", "use POST")
		return
	}
	body, err := wire.Body(r, maxForm)
	if err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["grant_type"]) != 1 || len(form["assertion"]) != 1 {
		oauthError(w, http.StatusBadRequest, "invalid_request", "Required parameter is missing or stands twice: grant_type, assertion")
		return
	}
	if form.Get("grant_type") != jwtBearer {
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+clip(form.Get("grant_type")))
		return
	}
	c, a := f.assertion(r, form.Get("assertion"))
	if err := c.Refusal(); err != nil {
		err = f.desk.Ask(r.Context(), c, record.Need{Action: "gcp.token", Resource: "gcp/token", Capability: policy.Read})
		f.tokenFault(w, c, err)
		return
	}
	if a.Target != "" {
		oauthError(w, http.StatusBadRequest, "invalid_request", "ID tokens are not issued here")
		return
	}
	issued, err := custody.Do(r.Context(), f.desk, c, machine.Issue{TTL: tokenLife, Meta: tokenMeta(), Kinds: []machine.Kind{machine.GCPAccount}, Shorter: true})
	if err != nil {
		f.tokenFault(w, c, err)
		return
	}
	b, err := accessToken(string(issued.Text.Reveal()), issued.Expires.Sub(f.cfg.Now()))
	if err != nil {
		f.tokenFault(w, c, err)
		return
	}
	respond(w, http.StatusOK, b)
}

// accessToken is a token as clients read it (RFC 6749, section 5.1). They take it for dead a little before it is.
func accessToken(text string, left time.Duration) ([]byte, error) {
	return json.Marshal(struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
		Type    string `json:"token_type"`
	}{text, max(int64(left/time.Second), 0), "Bearer"})
}

// assertion identifies the caller by what was signed for this token service.
func (f *Front) assertion(r *http.Request, text string) (auth.Caller, *gcpsa.Assertion) {
	cred := auth.Credential{From: auth.From{Addr: wire.Peer(r), UserAgent: r.UserAgent(), Dialect: secret.GCP}}
	a, err := f.prover.Read(text)
	if err != nil {
		return auth.Refused(cred, err), nil
	}
	accept := gcpsa.ForToken("http://"+r.Host+r.URL.Path, "https://"+r.Host+r.URL.Path, vendorToken)
	cred.Claim = gcpsa.Claim{Assertion: a, Prover: f.prover, Accept: accept}
	return f.desk.Authenticate(r.Context(), cred), a
}

func (f *Front) tokenFault(w http.ResponseWriter, c auth.Caller, err error) {
	if why := c.Refusal(); why != nil && errors.Is(why, secret.ErrDenied) && errors.Is(err, secret.ErrDenied) {
		oauthError(w, http.StatusBadRequest, "invalid_grant", gcpsa.Why(why))
		return
	}
	e := f.told(nil, err)
	oauthError(w, statuses[e.code].http, "temporarily_unavailable", e.text)
}

// oauthError is RFC 6749, section 5.2.
func oauthError(w http.ResponseWriter, status int, code, text string) {
	b, _ := json.Marshal(struct {
		Error string `json:"error"`
		Text  string `json:"error_description"`
	}{code, text}) // strings always marshal
	respond(w, status, b)
}
