// Package azurekv speaks the REST API of Azure Key Vault's secrets, and of the services that its clients sign in with, so
// that their unchanged SDKs work. It decodes a request, asks the Desk once, and encodes the answer; it decides nothing.
//
// Source: https://learn.microsoft.com/rest/api/keyvault/secrets/, and for the tokens
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
package azurekv

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// Config of a Front. Desk is needed.
type Config struct {
	Desk     *custody.Desk
	Log      *slog.Logger  // internal errors, never a value; nil discards
	MaxBody  int64         // bytes; 0 is 1 MiB
	Depth    int           // of JSON; 0 is 64
	Domains  []string      // vaults are hosts below these, "vault.keephold.internal"
	Vault    string        // the one that answers on a host of no domain, such as a bare address; "" is none
	Tenant   string        // of the identities; "" is "adfs", which the SDKs need no discovery for
	TokenTTL time.Duration // of access tokens; 0 is an hour
	Issuers  *jwt.Keys     // of client assertions; nil trusts none
}

// Front is the handler of the vaults; SignIn answers the handler of the token services.
type Front struct {
	cfg  Config
	desk *custody.Desk
	rows []row
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Front, error) {
	if cfg.Desk == nil {
		return nil, errors.New("azure front: a desk is needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.Depth == 0 {
		cfg.Depth = 64
	}
	if cfg.Tenant == "" {
		cfg.Tenant = "adfs"
	}
	if cfg.TokenTTL == 0 {
		cfg.TokenTTL = time.Hour
	}
	if cfg.Issuers == nil {
		cfg.Issuers = new(jwt.Keys)
	}
	f := &Front{cfg: cfg, desk: cfg.Desk}
	for _, r := range routes() {
		f.rows = append(f.rows, row{r, strings.Split(r.pattern, "/")})
	}
	return f, nil
}

// request is one decoded request to a vault. It is complete when it is made.
type request struct {
	front   *Front
	http    *http.Request
	id      string
	caller  auth.Caller
	space   secret.Ref // of the vault, without a path
	home    secret.Dialect
	days    int    // how long what is deleted can be recovered
	locked  bool   // what is deleted cannot be purged
	name    string // as the client spelled it
	version string
	query   query
	body    map[string]json.RawMessage
}

// route is a row of the literal table: what is asked for, and the rows of policy's table that it takes. In a pattern
// {name} and {version} stand for one segment.
type route struct {
	method  string
	pattern string
	policy  []policy.Operation
	do      func(*request) (any, error)
}

func routes() []route {
	return []route{
		{http.MethodPut, "secrets/{name}", []policy.Operation{"azure.SetSecret", "azure.SetSecret.new"}, setSecret},
		{http.MethodGet, "secrets/{name}", []policy.Operation{"azure.GetSecret"}, getSecret},
		{http.MethodGet, "secrets/{name}/versions", []policy.Operation{"azure.GetSecretVersions"}, listVersions},
		{http.MethodGet, "secrets/{name}/{version}", []policy.Operation{"azure.GetSecret"}, getSecret},
		{http.MethodPatch, "secrets/{name}", updateOperations(), updateSecret},
		{http.MethodPatch, "secrets/{name}/{version}", updateOperations(), updateSecret},
		{http.MethodGet, "secrets", []policy.Operation{"azure.GetSecrets", "azure.GetSecrets.item"}, listSecrets},
		{http.MethodDelete, "secrets/{name}", []policy.Operation{"azure.DeleteSecret"}, deleteSecret},
		{http.MethodGet, "deletedsecrets", []policy.Operation{"azure.GetDeletedSecrets", "azure.GetDeletedSecrets.item"}, listDeleted},
		{http.MethodGet, "deletedsecrets/{name}", []policy.Operation{"azure.GetDeletedSecret"}, getDeleted},
		{http.MethodPost, "deletedsecrets/{name}/recover", []policy.Operation{"azure.RecoverDeletedSecret"}, recoverDeleted},
		{http.MethodDelete, "deletedsecrets/{name}", []policy.Operation{"azure.PurgeDeletedSecret"}, purgeDeleted},
		{http.MethodPost, "secrets/{name}/backup", []policy.Operation{"azure.BackupSecret"}, backupSecret},
		{http.MethodPost, "secrets/restore", []policy.Operation{"azure.RestoreSecret"}, restoreSecret},
	}
}

func updateOperations() []policy.Operation {
	return []policy.Operation{"azure.UpdateSecret", "azure.UpdateSecret.disable", "azure.UpdateSecret.enable"}
}

// row is a route with its pattern in segments.
type row struct {
	route
	segments []string
}

// match finds the first row for a method and a path. known says that the path has rows for other methods.
func (f *Front) match(method, path string) (found *row, name, version string, known bool) {
	segments := strings.Split(path, "/")
	for i := range f.rows {
		r := &f.rows[i]
		name, version, ok := r.match(segments)
		if !ok {
			continue
		}
		if r.method == method {
			return r, name, version, true
		}
		known = true
	}
	return nil, "", "", known
}

func (r *row) match(segments []string) (name, version string, ok bool) {
	if len(r.segments) != len(segments) {
		return "", "", false
	}
	for i, p := range r.segments {
		switch {
		case p == "{name}":
			name = segments[i]
		case p == "{version}":
			version = segments[i]
		case p != segments[i]:
			return "", "", false
		}
	}
	return name, version, true
}

// ServeHTTP answers one request to a vault.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{front: f, http: r, id: newRequestID()}
	h := w.Header()
	h.Set("X-Ms-Request-Id", rq.id)
	h.Set("X-Ms-Keyvault-Region", "local")
	h.Set("X-Ms-Keyvault-Service-Version", "1.9.0.0")
	if id := r.Header.Get("X-Ms-Client-Request-Id"); id != "" && len(id) <= 128 {
		h.Set("X-Ms-Client-Request-Id", id)
	}
	answer, err := rq.serve()
	if err != nil {
		f.fail(w, rq, err)
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	b, err := json.Marshal(answer)
	if err != nil {
		f.fail(w, rq, err)
		return
	}
	head(w, http.StatusOK)
	_, _ = w.Write(b) // a client that went away has no use for the error
}

func (rq *request) serve() (any, error) {
	// Who asks comes first: nothing of an unknown client's request is read, and every one gets the same challenge.
	if err := rq.identify(); err != nil {
		return nil, err
	}
	var err error
	if rq.query, err = parseQuery(rq.http.URL.RawQuery); err != nil {
		return nil, err
	}
	row, name, version, known := rq.front.match(rq.http.Method, strings.Trim(rq.http.URL.Path, "/"))
	switch {
	case row != nil:
	case known:
		return nil, errMethod
	default:
		return nil, errNoPath
	}
	rq.name, rq.version = name, version
	if row.method != http.MethodGet && row.method != http.MethodDelete {
		b, err := wire.Body(rq.http, rq.front.cfg.MaxBody)
		if errors.Is(err, wire.ErrTooLarge) {
			return nil, auth.Tell(secret.ErrTooLarge, "The request body is too large: at most %d bytes are read.", rq.front.cfg.MaxBody)
		}
		if err == nil {
			rq.body, err = wire.Object(b, rq.front.cfg.Depth)
		}
		if err != nil {
			return nil, auth.Tell(secret.ErrInvalid, "The request body could not be read: %v.", err)
		}
	}
	return row.do(rq)
}

// identify finds the vault and who asks.
func (rq *request) identify() error {
	f, r := rq.front, rq.http
	table := f.desk.Table()
	if table == nil {
		return secret.ErrSealed
	}
	vault, resource := f.place(r.Host)
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if text = strings.TrimSpace(text); !ok || text == "" {
		return errNoToken // the first request of every client; it is answered the challenge
	}
	proof := auth.NewProof([]byte(text))
	rq.caller = f.desk.Authenticate(r.Context(), auth.Credential{
		Claim: machine.Bearer{Text: proof, Want: []secret.Pair{{Key: audience, Value: resource}}},
		From:  auth.From{Addr: wire.Peer(r), UserAgent: r.UserAgent(), RequestID: rq.id, Dialect: secret.Azure},
	})
	// A vault of another tenant is one that does not exist: the Desk refuses it like that, and records who asked.
	rq.space = secret.Ref{Namespace: rq.caller.From().Namespace, Space: "azure/" + vault}
	rq.days = defaultDays
	if ns, sp, ok := table.ResolveFace(secret.Azure, vault); ok && ns == rq.space.Namespace {
		rq.space.Space = sp.Name
		rq.home, rq.locked = sp.Home, sp.Settings.PurgeProtected
		if d := int(sp.Settings.DeletionWindow / day); d > 0 {
			rq.days = min(max(d, 7), 90)
		}
	}
	if refusal := rq.caller.Refusal(); refusal != nil {
		if err := f.desk.Ask(r.Context(), rq.caller, record.Need{Action: "azure", Resource: rq.space.Space, Capability: policy.Read}); err != nil {
			refusal = err
		}
		if errors.Is(refusal, secret.ErrDenied) {
			return errBadToken
		}
		return refusal
	}
	return nil
}

// place tells from the Host which vault is meant, and the resource that tokens for it are made out to: the domain above the
// host, as the SDKs check it (https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses).
func (f *Front) place(host string) (vault, resource string) {
	host = strings.ToLower(host)
	resource = "https://" + host
	first, above, ok := strings.Cut(host, ".")
	if ok && !strings.HasPrefix(host, "[") {
		resource = "https://" + above
	}
	bare, _, _ := strings.Cut(above, ":")
	for _, d := range f.cfg.Domains {
		if bare == d {
			return first, resource
		}
	}
	return f.cfg.Vault, resource
}

const (
	audience    = "aud"
	day         = 24 * time.Hour
	defaultDays = 90
)

func head(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	t := hex.EncodeToString(b[:])
	return t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:]
}
