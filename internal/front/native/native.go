// Package native speaks the house's own HTTP API, /v1/keephold/…: what no vendor's API has. docs/api.md describes it,
// and it is a compatibility promise.
package native

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// Prefix is where this front hangs.
const Prefix = "/v1/keephold/"

// Config of a Front. Desk is needed.
type Config struct {
	Desk    *custody.Desk
	Local   func() (auth.Caller, error) // who asks without a token, in process; nil: nobody
	Log     *slog.Logger
	MaxBody int64             // bytes; 0 is 1 MiB
	Depth   int               // of JSON; 0 is 64
	Limiter *registry.Limiter // of requests, one for all fronts; nil makes one
}

// Front is the native API's handler.
type Front struct {
	cfg  Config
	desk *custody.Desk
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Front, error) {
	if cfg.Desk == nil {
		return nil, errors.New("native front: a desk is needed")
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
	if cfg.Limiter == nil {
		l, err := registry.NewLimiter()
		if err != nil {
			return nil, err
		}
		cfg.Limiter = l
	}
	return &Front{cfg: cfg, desk: cfg.Desk}, nil
}

// request is one decoded request, complete when it is made.
type request struct {
	front  *Front
	http   *http.Request
	caller auth.Caller
	ns     secret.NamespaceID
	path   string // behind the route's own name
	body   map[string]json.RawMessage

	unhurried func() // for who was admitted: the answer may take longer than others may
}

// route is a row of the literal table: what is asked for, and the rows of policy's table that it takes.
type route struct {
	method string
	name   string // the first segment below Prefix
	policy []policy.Operation
	do     func(*request) (any, error)
}

func routes() []route {
	return []route{
		{http.MethodGet, "value", []policy.Operation{"vault.kv2.read"}, readValue},
		{http.MethodPut, "value", []policy.Operation{"vault.kv2.create", "vault.kv2.update"}, writeValue},
		{http.MethodPut, "labels", []policy.Operation{"native.label.move"}, moveLabels},
		{http.MethodGet, "search", []policy.Operation{"native.search", "native.search.item"}, search},
		{http.MethodGet, "tree", []policy.Operation{"native.tree", "native.tree.item"}, tree},
		{http.MethodPut, "move", []policy.Operation{"native.move.from", "native.copy.from", "native.copy.to", "vault.kv2.metadata.update"}, move},
		{http.MethodPut, "copy", []policy.Operation{"native.copy.from", "native.copy.to", "vault.kv2.list"}, copySecrets},
		{http.MethodPut, "why", []policy.Operation{"native.explain-self"}, why},
		{http.MethodPut, "explain", []policy.Operation{"native.explain"}, explain},
		{http.MethodPut, "who-can", []policy.Operation{"native.who-can"}, whoCan},
		{http.MethodGet, "grants", []policy.Operation{"native.grant.list", "native.grant.read"}, readGrants},
		{http.MethodPut, "grants", []policy.Operation{"native.grant.update"}, writeGrant},
		{http.MethodDelete, "grants", []policy.Operation{"native.grant.delete"}, dropGrants},
		{http.MethodGet, "exposures", []policy.Operation{"native.exposure.list"}, readExposures},
		{http.MethodPut, "exposures", []policy.Operation{"native.exposure.update"}, expose},
		{http.MethodDelete, "exposures", []policy.Operation{"native.exposure.delete"}, conceal},
		{http.MethodGet, "identities", []policy.Operation{"native.identity.list", "native.identity.read"}, readIdentities},
		{http.MethodPut, "identities", []policy.Operation{"native.identity.create"}, createIdentity},
		{http.MethodPut, "identities-rotate", []policy.Operation{"native.identity.rotate"}, rotateIdentity},
		{http.MethodPut, "identities-trust", []policy.Operation{"native.identity.trust"}, entrustIdentity},
		{http.MethodPut, "identities-session", []policy.Operation{"native.identity.lend"}, lendIdentity},
		{http.MethodDelete, "identities", []policy.Operation{"native.identity.delete"}, deleteIdentity},
		{http.MethodPut, "spaces", []policy.Operation{"native.space.make"}, makeSpace},
		{http.MethodGet, "audit", []policy.Operation{"native.audit.read"}, readAudit},
		{http.MethodGet, "audit-tail", []policy.Operation{"native.audit.read"}, tailAudit},
		{http.MethodGet, "audit-proof", []policy.Operation{"native.audit.verify"}, proveAudit},
		{http.MethodGet, "audit-key", []policy.Operation{"native.audit.verify"}, readAuditKey},
		{http.MethodGet, "verify", []policy.Operation{"native.verify"}, verify},
		{http.MethodPut, "offline-reads", []policy.Operation{"native.offline.report"}, recordOffline},
		{http.MethodGet, "env", []policy.Operation{"vault.kv2.folder.read", "vault.kv2.folder.item"}, readEnv},
		{http.MethodGet, "fingerprints", []policy.Operation{"vault.kv2.folder.read", "vault.kv2.folder.item"}, readFingerprints},
		{http.MethodPut, "known", []policy.Operation{"vault.kv2.folder.read", "vault.kv2.folder.item"}, readKnown},
	}
}

// written is an answer that is JSON already, whole.
type written []byte

// ServeHTTP answers one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := f.serve(w, r)
	if err != nil {
		f.fail(w, err)
		return
	}
	if t, ok := answer.(tail); ok {
		t.send(w)
		return
	}
	b, written := answer.(written)
	if !written {
		if b, err = json.Marshal(map[string]any{"data": answer}); err != nil {
			f.fail(w, err)
			return
		}
	}
	head(w, http.StatusOK)
	_, _ = w.Write(append(b, '\n')) // a client that went away has no use for the error
}

func (f *Front) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	rq := &request{front: f, http: r, unhurried: func() { lift(w) }, path: strings.TrimSuffix(path, "/")}
	var do func(*request) (any, error)
	known := false
	for _, row := range routes() {
		if row.name != name {
			continue
		}
		known = true
		if row.method == r.Method || row.method == http.MethodPut && r.Method == http.MethodPost {
			do = row.do
		}
	}
	if err := rq.identify(name); err != nil {
		return nil, err
	}
	if rq.caller.Refusal() != nil { // nothing here is open to everybody; the Desk records who knocked
		return nil, f.desk.Ask(r.Context(), rq.caller, record.Need{Action: "native", Resource: strings.TrimSuffix("keephold/"+name, "/"), Capability: policy.Read})
	}
	switch {
	case do != nil:
	case known:
		return nil, auth.Tell(secret.ErrUnsupported, "%s is not for %s", name, r.Method)
	default:
		return nil, auth.Tell(secret.ErrUnsupported, "the native API has no %q", name)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodDelete {
		b, err := wire.Body(r, f.cfg.MaxBody)
		if errors.Is(err, wire.ErrTooLarge) {
			return nil, auth.Tell(secret.ErrTooLarge, "request body too large: at most %d bytes are read", f.cfg.MaxBody)
		}
		if err == nil {
			rq.body, err = wire.Object(b, f.cfg.Depth)
		}
		if err != nil {
			return nil, auth.Tell(secret.ErrInvalid, "cannot read the body: %v", err)
		}
	}
	return do(rq)
}

// identify finds the namespace and the caller. In process, who presents no token is the owner of the keep.
func (rq *request) identify(name string) error {
	f, from := rq.front, wire.Peer(rq.http)
	if table := f.desk.Table(); table != nil {
		ns, ok := table.NamespaceByPath(rq.http.Header.Get("X-Vault-Namespace"))
		if !ok {
			return auth.Tell(secret.ErrNotFound, "no such namespace")
		}
		rq.ns = ns
		if _, err := f.cfg.Limiter.Admit(table, ns, rq.limited(name), from); err != nil {
			return err
		}
	}
	token := wire.Token(rq.http.Header)
	if token == "" && f.cfg.Local != nil {
		c, err := f.cfg.Local()
		rq.caller = c.In(rq.ns)
		return err
	}
	rq.caller = f.desk.Authenticate(rq.http.Context(), auth.Credential{
		Token: auth.NewProof([]byte(token)),
		From:  auth.From{Addr: from, UserAgent: rq.http.UserAgent(), Dialect: secret.Vault, Namespace: rq.ns},
	})
	return nil
}

// limited is the path whose limit counts this request: what asks for secrets counts with the Space that they are in, in
// whichever dialect it is asked.
func (rq *request) limited(name string) string {
	switch name {
	case "value", "labels", "env", "fingerprints", "known", "tree":
		return rq.path
	}
	return "keephold/" + name
}

// ref is the secret that the path names: the longest existing Space wins.
func (rq *request) ref() (secret.Ref, error) { return rq.refTo(rq.path) }

func (rq *request) refTo(path string) (secret.Ref, error) {
	if _, err := secret.ParsePath(path); err != nil {
		return secret.Ref{}, err
	}
	ref := secret.Ref{Namespace: rq.ns, Space: path}
	table := rq.front.desk.Table()
	if table == nil {
		return ref, secret.ErrSealed
	}
	sp, rest, ok := table.ResolveSpace(rq.ns, path)
	if !ok {
		return ref, nil // the Desk refuses it, or says that there is no such Space
	}
	ref.Space = sp.Name
	if rest == "" {
		return ref, nil
	}
	var err error
	ref.Path, err = secret.ParsePath(rest)
	return ref, err
}

func head(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}
