package azurekv

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// The hosts that clients with the vendor's addresses built in reach through the intercepting listener.
const (
	VendorDomain = "vault.azure.net"
	VendorLogin  = "login.microsoftonline.com"
)

// TenantHeader is how a listener of one program says which tenant that program was given. It is no credential: it is named
// in the challenge, for clients that refuse to sign in to any other, and says nothing about who they are.
const TenantHeader = "X-Keephold-Azure-Tenant"

// kinds are the identities that may sign in here.
var kinds = []machine.Kind{machine.AzureSystem, machine.AzureUser}

// login is the address of the tenant's token service, as the challenge names it.
func (f *Front) login(r *http.Request) string {
	host := r.Host
	if name, _, _ := strings.Cut(strings.ToLower(host), ":"); strings.HasSuffix(name, "."+VendorDomain) {
		host = VendorLogin
	}
	return "https://" + host + "/" + f.tenant(r)
}

// tenant is the one that a request's client is told of.
func (f *Front) tenant(r *http.Request) string {
	if t := r.Header.Get(TenantHeader); isTenant(t) {
		return t
	}
	return f.cfg.Tenant
}

// isTenant says that s has the form of a tenant: an id, or a domain's name.
func isTenant(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.')
	})
}

// SignIn answers the token services: discovery, client credentials, and the managed identity of App Service.
func (f *Front) SignIn() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", f.openID)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", f.openID)
	mux.HandleFunc("GET /{tenant}/discovery/keys", f.keys)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", f.keys)
	mux.HandleFunc("GET /common/discovery/instance", f.instance)
	mux.HandleFunc("POST /{tenant}/oauth2/token", f.token)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", f.token)
	mux.HandleFunc("GET /msi/token", f.managed)
	return mux
}

// openID is the discovery document (OpenID Connect Discovery 1.0). Tokens are opaque, so there are no keys to publish.
func (f *Front) openID(w http.ResponseWriter, r *http.Request) {
	base := "https://" + r.Host + "/" + r.PathValue("tenant")
	token := base + "/oauth2/v2.0/token"
	if r.PathValue("tenant") == "adfs" {
		token = base + "/oauth2/token"
	}
	say(w, http.StatusOK, map[string]any{
		"issuer":                 strings.TrimSuffix(base+strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"+r.PathValue("tenant")), "/.well-known/openid-configuration"), "/"),
		"authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": token, "jwks_uri": base + "/discovery/v2.0/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"pairwise"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic", "private_key_jwt"},
	})
}

func (f *Front) keys(w http.ResponseWriter, _ *http.Request) {
	say(w, http.StatusOK, map[string]any{"keys": []string{}})
}

// instance tells a client that asks whether the authority it was given is one of the vendor's clouds.
func (f *Front) instance(w http.ResponseWriter, r *http.Request) {
	say(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + r.Host + "/" + f.tenant(r) + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []map[string]any{{"preferred_network": r.Host, "preferred_cache": r.Host, "aliases": []string{r.Host}}},
	})
}

// refusal is an error of OAuth 2.0 (RFC 6749, section 5.2) with the vendor's number.
type refusal struct {
	status int
	Code   string `json:"error"`
	Text   string `json:"error_description"`
	Codes  []int  `json:"error_codes,omitempty"`
}

func (e *refusal) Error() string { return e.Code }

func badRequest(text string) *refusal {
	return &refusal{http.StatusBadRequest, "invalid_request", "AADSTS900144: " + text, []int{900144}}
}

// errClient reads the same for a client that never was and for a wrong secret.
var errClient = &refusal{http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided.", []int{7000215}}

// maxForm bounds the body of a sign-in.
const maxForm = 64 << 10

// token is the grant of client credentials (RFC 6749, section 4.4).
func (f *Front) token(w http.ResponseWriter, r *http.Request) {
	issued, resource, err := f.grant(r)
	if err != nil {
		f.refuse(w, err)
		return
	}
	left := int64(time.Until(issued.Expires).Round(time.Second).Seconds())
	say(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": left, "ext_expires_in": left, "access_token": string(issued.Text.Reveal()), "resource": resource,
		"expires_on": strconv.FormatInt(issued.Expires.Unix(), 10),
	})
}

func (f *Front) grant(r *http.Request) (machine.Issued, string, error) {
	form, err := readForm(r)
	if err != nil {
		return machine.Issued{}, "", err
	}
	id, key := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, key = unescape(user), unescape(password)
	}
	resource, assertion := resourceOf(form), form.Get("client_assertion")
	switch {
	case form.Get("grant_type") != "client_credentials":
		return machine.Issued{}, "", &refusal{http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.", []int{70003}}
	case id == "":
		return machine.Issued{}, "", badRequest("The request body must contain the following parameter: 'client_id'.")
	case key == "" && assertion == "":
		return machine.Issued{}, "", &refusal{http.StatusUnauthorized, "invalid_client", "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'.", []int{7000218}}
	case key != "" && assertion != "":
		return machine.Issued{}, "", badRequest("The request body must contain one of the parameters 'client_assertion' and 'client_secret'.")
	case assertion != "" && form.Get("client_assertion_type") != assertionType:
		return machine.Issued{}, "", badRequest("The request body must contain the following parameter: 'client_assertion_type', " + assertionType + ".")
	case resource == "":
		return machine.Issued{}, "", badRequest("The request body must contain the following parameter: 'scope', RESOURCE/.default.")
	}
	var claim auth.Claim = machine.Presented{Public: id, Secret: auth.NewProof([]byte(key)), Kinds: kinds}
	if assertion != "" {
		claim = jwt.Taking{Public: id, Kinds: kinds, Token: auth.NewProof([]byte(assertion)), From: wire.Peer(r), Now: time.Now(), Keys: f.cfg.Issuers}
	}
	issued, err := f.issue(r, claim, resource)
	return issued, resource, assertionFault(err)
}

// issue proves who signs in and gives it an access token for one resource. Who asks at the address of a tenant has to be of
// it; that is said to nobody who did not prove who they are.
func (f *Front) issue(r *http.Request, claim auth.Claim, resource string) (machine.Issued, error) {
	caller := f.desk.Authenticate(r.Context(), auth.Credential{
		Claim: claim,
		From:  auth.From{Addr: wire.Peer(r), UserAgent: r.UserAgent(), RequestID: newRequestID(), Dialect: secret.Azure},
	})
	if t := r.PathValue("tenant"); t != "" && caller.Refusal() == nil && !f.isOf(caller, t, f.tenant(r)) {
		return machine.Issued{}, &refusal{http.StatusBadRequest, "invalid_request", "AADSTS90002: Tenant not found. The tenant of this server is " + f.cfg.Tenant + ".", []int{90002}}
	}
	return custody.Do(r.Context(), f.desk, caller, machine.Issue{
		TTL: f.cfg.TokenTTL, Shorter: true, Kinds: kinds, Meta: map[string]string{audience: resource, "tenant": f.cfg.Tenant},
	})
}

// isOf says that a tenant is the one of this server, the one that the client's listener speaks of, or the caller's own.
func (f *Front) isOf(c auth.Caller, tenant, told string) bool {
	own := slices.ContainsFunc(c.Identity().Meta, func(p secret.Pair) bool { return p.Key == "home" && strings.EqualFold(p.Value, tenant) })
	return own || strings.EqualFold(tenant, f.cfg.Tenant) || strings.EqualFold(tenant, told)
}

// readForm reads a body of parameters, none of them twice.
func readForm(r *http.Request) (url.Values, error) {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(t), "application/x-www-form-urlencoded") {
		return nil, badRequest("The body must be a form.")
	}
	b, err := wire.Body(r, maxForm)
	if err != nil {
		return nil, badRequest("The body could not be read.")
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, badRequest("The body could not be read.")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, badRequest("The parameter " + strconv.Quote(name) + " stands twice.")
		}
	}
	return form, nil
}

// resourceOf is what the token is asked for: the scope RESOURCE/.default, or the resource of the older form.
func resourceOf(form url.Values) string {
	for s := range strings.FieldsSeq(form.Get("scope")) {
		if r, ok := strings.CutSuffix(s, "/.default"); ok {
			return canonical(r)
		}
	}
	return canonical(form.Get("resource"))
}

func canonical(resource string) string { return strings.ToLower(strings.TrimRight(resource, "/")) }

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// managed is the managed-identity endpoint of App Service
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference). The header that the
// vendor's host makes up is here the identity's client id and its secret, joined by a dot.
func (f *Front) managed(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	resource := canonical(q.Get("resource"))
	id, key, ok := strings.Cut(r.Header.Get("X-Identity-Header"), ".")
	wanted := []string{q.Get("client_id"), q.Get("mi_res_id"), q.Get("principal_id"), q.Get("object_id")}
	switch {
	case !ok:
		f.refuse(w, errClient)
		return
	case resource == "":
		f.refuse(w, badRequest("The query must contain the following parameter: 'resource'."))
		return
	case slices.ContainsFunc(wanted, func(s string) bool { return s != "" && s != id }):
		f.refuse(w, &refusal{http.StatusBadRequest, "invalid_request", "No user-assigned identity with that id is behind this header.", nil})
		return
	}
	issued, err := f.issue(r, machine.Presented{Public: id, Secret: auth.NewProof([]byte(key)), Kinds: kinds}, resource)
	if err != nil {
		f.refuse(w, err)
		return
	}
	say(w, http.StatusOK, map[string]any{
		"access_token": string(issued.Text.Reveal()), "expires_on": strconv.FormatInt(issued.Expires.Unix(), 10), "resource": q.Get("resource"),
		"token_type": "Bearer", "client_id": id,
	})
}

// IdentityHeader is what a client of the managed-identity endpoint presents.
func IdentityHeader(clientID string, key secret.Value) secret.Value {
	return secret.NewValue(append([]byte(clientID+"."), key.Reveal()...))
}

func (f *Front) refuse(w http.ResponseWriter, err error) {
	var out *refusal
	switch {
	case errors.As(err, &out):
	case errors.Is(err, secret.ErrDenied), errors.Is(err, secret.ErrSignIn):
		out = errClient
	case errors.Is(err, secret.ErrLimited):
		out = errLimited
	case errors.Is(err, secret.ErrSealed), errors.Is(err, secret.ErrNotInit), errors.Is(err, secret.ErrUnavailable), errors.Is(err, secret.ErrBusy):
		out = &refusal{http.StatusServiceUnavailable, "temporarily_unavailable", "AADSTS90033: A transient error has occurred. Please try again.", []int{90033}}
	default:
		f.cfg.Log.Error("sign-in failed", slog.String("error", err.Error()))
		out = &refusal{http.StatusInternalServerError, "server_error", "AADSTS90033: internal error", []int{90033}}
	}
	say(w, out.status, out)
}

// errLimited is a sign-in beyond the bound.
var errLimited = &refusal{http.StatusTooManyRequests, "temporarily_unavailable", "AADSTS90055: Too many requests.", []int{90055}}

// Throttled answers a sign-in beyond the bound, before anything of it is read, as the vendor does: its clients wait and try again.
func Throttled(w http.ResponseWriter, _ *http.Request) { say(w, errLimited.status, errLimited) }

func say(w http.ResponseWriter, status int, v any) {
	b, _ := json.Marshal(v) // maps of strings always marshal
	head(w, status)
	_, _ = w.Write(b) // a client that went away has no use for the error
}
