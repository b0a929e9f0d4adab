// Package vault speaks the HTTP API of HashiCorp Vault and OpenBao, so that their unchanged clients work. It decodes a
// request, asks the Desk once, and encodes the answer; it decides nothing.
package vault

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// Config of a Front. Desk is needed.
type Config struct {
	Desk    *custody.Desk
	Local   func() (auth.Caller, error) // who asks without a token, in process; nil: nobody
	Log     *slog.Logger                // internal errors, never a value; nil discards
	MaxBody int64                       // bytes; 0 is 1 MiB
	Depth   int                         // of JSON; 0 is 64
	Version string                      // of the program, for health and seal-status
	Node    string
	Storage string // kind of the store, for seal-status
	Started time.Time
	Metrics http.Handler  // what sys/metrics answers; nil: no such path
	Audit   []AuditDevice // where records go besides the server's own log
	Restore Restore       // nil: snapshots are not taken back here

	Passwords *userpass.Hasher // one in a process; nil makes one
	Issuers   *jwt.Keys        // whose tokens are trusted; one in a process, nil makes one
	Lockout   userpass.Lockout
	Limiter   *registry.Limiter // of requests, one for all fronts; nil makes one
}

// Front is the Vault dialect's handler for everything under /v1/.
type Front struct {
	cfg   Config
	desk  *custody.Desk
	sys   []route
	mount map[string][]route // by type of the sign-in mount

	remounts *lru.Cache[string, migration]
	quotas   *registry.Limiter
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Front, error) {
	if cfg.Desk == nil {
		return nil, errors.New("vault front: a desk is needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Issuers == nil {
		cfg.Issuers = new(jwt.Keys)
	}
	if cfg.Passwords == nil {
		cfg.Passwords = userpass.NewHasher(runtime.GOMAXPROCS(0))
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.Depth == 0 {
		cfg.Depth = 64
	}
	remounts, err := lru.New[string, migration](rememberedRemounts)
	if err != nil {
		return nil, err
	}
	if cfg.Limiter == nil {
		if cfg.Limiter, err = registry.NewLimiter(); err != nil {
			return nil, err
		}
	}
	return &Front{cfg: cfg, desk: cfg.Desk, sys: systemRoutes(), mount: mountRoutes(), remounts: remounts, quotas: cfg.Limiter}, nil
}

// op is what the vendor calls an operation. POST and PUT mean the same, and so do LIST and GET with ?list=true.
type op uint8

const (
	read op = 1 << iota
	write
	remove
	list
	patch
	scan
)

// request is one decoded request. It is complete when it is made.
type request struct {
	front  *Front
	ctx    context.Context
	http   *http.Request
	caller auth.Caller
	token  auth.Proof
	op     op
	ns     secret.NamespaceID
	path   string // below /v1/ and the namespace, without slashes at the ends
	lost   bool   // the header names a namespace that there is none of
	folder bool   // the path was written with a '/' at its end
	rest   string // what a mount or a route leaves of the path
	args   map[string]string
	ref    secret.Ref // what verb is about
	verb   func(*request, secret.Ref) (answer, error)
	body   []byte
	fields fields
	wrap   time.Duration
	id     string
	quota  *registry.Share // what a limit leaves to the client, when it is to be told
	writer http.ResponseWriter
}

// ServeHTTP answers one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := requests.Get().(*request)
	defer func() {
		*rq = request{}
		requests.Put(rq)
	}()
	rq.writer = w
	if err := f.decode(rq, r); err != nil {
		f.fail(w, rq, err)
		return
	}
	do, err := f.route(rq)
	if err != nil {
		f.fail(w, rq, err)
		return
	}
	a, err := do(rq)
	if err == nil && rq.wrap > 0 && a.wrappable() {
		a, err = rq.wrapAnswer(a)
	}
	if err != nil && a.data == nil {
		f.fail(w, rq, err)
		return
	}
	if a.stream != nil {
		f.stream(w, rq, a)
		return
	}
	f.answer(w, rq, a)
}

// mergePatchType is the one form of PATCH, RFC 7396.
const mergePatchType = "application/merge-patch+json"

// requests holds *request; nothing keeps one beyond its answer. A pool has no state that anybody could observe.
var requests = sync.Pool{New: func() any { return new(request) }}

func (f *Front) decode(rq *request, r *http.Request) (err error) {
	rq.front, rq.ctx, rq.http, rq.id = f, r.Context(), r, newRequestID()
	if rq.op, err = operation(r); err != nil {
		return err
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return errNoRoute(r.URL.Path)
	}
	if err := f.locate(rq, path); err != nil {
		return err
	}
	from := wire.Peer(r)
	if t := f.desk.Table(); t != nil {
		if rq.quota, err = f.quotas.Admit(t, rq.ns, rq.path, from); err != nil {
			return err
		}
	}
	rq.token = auth.NewProof([]byte(wire.Token(r.Header)))
	if rq.wrap, err = wrapTTL(first(r.Header["X-Vault-Wrap-Ttl"])); err != nil {
		return err
	}
	if (rq.op&(write|patch) != 0 || rq.op == remove && r.ContentLength > 0) && !carriesSnapshot(rq.path) {
		if err := rq.readBody(r); err != nil {
			return err
		}
	}
	if rq.token.IsZero() && f.cfg.Local != nil {
		local, err := f.cfg.Local()
		rq.caller = local.In(rq.ns).On(auth.Terms{Params: rq.fields.raw, WrapTTL: rq.wrap})
		return err
	}
	rq.caller = f.desk.Authenticate(rq.ctx, auth.Credential{
		Token: rq.token,
		From:  auth.From{Addr: from, UserAgent: r.UserAgent(), RequestID: rq.id, Dialect: secret.Vault, Namespace: rq.ns},
		Terms: auth.Terms{Params: rq.fields.raw, WrapTTL: rq.wrap},
	})
	if t := r.Header.Get("Content-Type"); rq.op == patch && !strings.HasPrefix(t, mergePatchType) {
		return rq.refused(&statusError{http.StatusUnsupportedMediaType, "PATCH requires Content-Type of " + mergePatchType + ", provided " + t})
	}
	return nil
}

// first is Header.Get for a name that is canonical already.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// locate finds the namespace, by header and by path, and refuses every path that is not canonical before anything is
// decided about it.
func (f *Front) locate(rq *request, path string) error {
	table := f.desk.Table()
	if table != nil {
		header := strings.Trim(first(rq.http.Header["X-Vault-Namespace"]), "/")
		if in, ok := table.NamespaceByPath(header); ok {
			rq.ns, path = table.ResolveBelow(in, path)
		} else {
			rq.lost = true
		}
	}
	rq.folder = strings.HasSuffix(path, "/")
	if rq.path = strings.TrimSuffix(path, "/"); rq.path == "" {
		return errNoRoute(path)
	}
	_, err := secret.ParsePath(rq.path)
	return err
}

func operation(r *http.Request) (op, error) {
	switch r.Method {
	case http.MethodGet:
		if v := r.URL.RawQuery; v != "" && (strings.Contains(v, "list=") || strings.Contains(v, "scan=")) {
			q := r.URL.Query()
			if isTrue(q.Get("list")) {
				return list, nil
			}
			if isTrue(q.Get("scan")) {
				return scan, nil
			}
		}
		return read, nil
	case http.MethodHead:
		return read, nil
	case http.MethodPost, http.MethodPut:
		return write, nil
	case http.MethodPatch:
		return patch, nil
	case http.MethodDelete:
		return remove, nil
	case "LIST":
		return list, nil
	case "SCAN":
		return scan, nil
	}
	return 0, errOperation
}

func isTrue(s string) bool { return s == "true" || s == "1" || s == "t" || s == "True" || s == "TRUE" }

func (rq *request) readBody(r *http.Request) error {
	limit := rq.front.cfg.MaxBody
	b, err := wire.Body(r, limit)
	if errors.Is(err, wire.ErrTooLarge) {
		return auth.Tell(secret.ErrTooLarge, "request body too large: at most %d bytes are read", limit)
	}
	if err != nil {
		return auth.Tell(secret.ErrInvalid, "%v", err)
	}
	rq.body = b
	rq.fields, err = parseFields(b, rq.front.cfg.Depth)
	return err
}

// wrapTTL reads "60", "60s", "5m".
func wrapTTL(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := parseDuration(s)
	if err != nil || d < 0 {
		return 0, auth.Tell(secret.ErrInvalid, "error parsing X-Vault-Wrap-TTL: %q is no duration", s)
	}
	return d, nil
}
