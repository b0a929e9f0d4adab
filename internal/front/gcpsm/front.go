// Package gcpsm speaks Google Cloud Secret Manager, by gRPC and by REST, so that its unchanged clients work. It decodes a
// request, asks the Desk once, and encodes the answer; it decides nothing. The messages are the vendor's.
package gcpsm

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/gcpsa"
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
	Log      *slog.Logger     // internal errors, never a value; nil discards
	Projects map[string]int64 // numbers of projects, which names in answers bear; clients may use either
	Metadata *Metadata        // the metadata server's face; nil: there is none here
	Now      func() time.Time // nil is time.Now; what times of requests are checked against
}

// Front is the Google dialect's handler: gRPC, REST, the token service and the metadata server.
type Front struct {
	cfg     Config
	desk    *custody.Desk
	prover  *gcpsa.Prover
	methods map[string]*method // by RPC
	routes  []route
	ids     map[string]string // project ids by number
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Front, error) {
	if cfg.Desk == nil {
		return nil, errors.New("google front: a desk is needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Front{cfg: cfg, desk: cfg.Desk, prover: gcpsa.NewProver(), methods: map[string]*method{}, routes: routes(), ids: map[string]string{}}
	for _, m := range methods() {
		f.methods[m.name] = m
	}
	for id, number := range cfg.Projects {
		if number > 0 {
			f.ids[decimal(number)] = id
		}
	}
	return f, nil
}

// maxMessage bounds a request, in bytes of protobuf or of JSON: the largest is a version of 64 KiB in base64.
const maxMessage = 256 << 10

// method is one row of the literal table of calls.
type method struct {
	name       string
	permission string             // what the vendor calls it in a refusal
	policy     []policy.Operation // the rows of policy's table that it takes
	request    func() proto.Message
	do         func(*call, proto.Message) (proto.Message, error)
}

// unary makes a row of a function with the vendor's types.
func unary[Q any, P interface {
	*Q
	proto.Message
}, A proto.Message](name, permission string, do func(*call, P) (A, error), ops ...policy.Operation) *method {
	return &method{
		name: name, permission: "secretmanager." + permission, policy: ops,
		request: func() proto.Message { return P(new(Q)) },
		do: func(c *call, m proto.Message) (proto.Message, error) {
			a, err := do(c, m.(P))
			if err != nil {
				return nil, err // not a typed nil
			}
			return a, nil
		},
	}
}

func methods() []*method {
	return []*method{
		unary("ListSecrets", "secrets.list", (*call).listSecrets, "gcp.ListSecrets", "gcp.ListSecrets.item"),
		unary("CreateSecret", "secrets.create", (*call).createSecret, "gcp.CreateSecret"),
		unary("GetSecret", "secrets.get", (*call).getSecret, "gcp.GetSecret"),
		unary("UpdateSecret", "secrets.update", (*call).updateSecret, "gcp.UpdateSecret", "gcp.UpdateSecret.aliases"),
		unary("DeleteSecret", "secrets.delete", (*call).deleteSecret, "gcp.DeleteSecret"),
		unary("AddSecretVersion", "versions.add", (*call).addVersion, "gcp.AddSecretVersion", "gcp.AddSecretVersion.first"),
		unary("ListSecretVersions", "versions.list", (*call).listVersions, "gcp.ListSecretVersions"),
		unary("GetSecretVersion", "versions.get", (*call).getVersion, "gcp.GetSecretVersion"),
		unary("AccessSecretVersion", "versions.access", (*call).access, "gcp.AccessSecretVersion"),
		unary("DisableSecretVersion", "versions.disable", (*call).disable, "gcp.DisableSecretVersion"),
		unary("EnableSecretVersion", "versions.enable", (*call).enable, "gcp.EnableSecretVersion"),
		unary("DestroySecretVersion", "versions.destroy", (*call).destroy, "gcp.DestroySecretVersion"),
		unary("GetIamPolicy", "secrets.getIamPolicy", (*call).getPolicy, "gcp.GetIamPolicy"),
		unary("SetIamPolicy", "secrets.setIamPolicy", (*call).setPolicy, "gcp.SetIamPolicy"),
		unary("TestIamPermissions", "secrets.testIamPermissions", (*call).testPermissions, "gcp.TestIamPermissions"),
		unary("EnableManagedRotation", "secrets.update", (*call).enableRotation, "gcp.UpdateSecret"),
		unary("RotateSecret", "secrets.update", (*call).rotate, "gcp.UpdateSecret"),
	}
}

// call is one request that has been identified. It is complete when it is made.
type call struct {
	front  *Front
	ctx    context.Context
	method *method
	caller auth.Caller
	bare   bool // nothing was presented
}

// ServeHTTP answers one request in whichever form it came.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := r.URL.Path
	switch {
	case isGRPC(r):
		f.serveGRPC(w, r)
	case p == tokenPath:
		f.serveToken(w, r)
	case strings.HasPrefix(p, "/v1/projects/"):
		f.serveREST(w, r)
	case f.cfg.Metadata != nil && (p == "/" || strings.HasPrefix(p, metadataPrefix)):
		f.cfg.Metadata.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// identify makes the call of a request, from its headers alone: nothing of the body is read for a stranger. A caller who is
// refused travels on to the Desk, which records the refusal.
func (f *Front) identify(ctx context.Context, r *http.Request, m *method) *call {
	text := bearer(r.Header)
	cred := auth.Credential{From: auth.From{Addr: wire.Peer(r), UserAgent: r.UserAgent(), Dialect: secret.GCP}}
	c := &call{front: f, ctx: ctx, method: m, bare: text == ""}
	switch {
	case gcpsa.Looks(text):
		a, err := f.prover.Read(text)
		if err != nil {
			c.caller = auth.Refused(cred, err)
			return c
		}
		cred.Claim = gcpsa.Claim{Assertion: a, Prover: f.prover, Accept: gcpsa.ForService(audiences(r))}
	case text == "" || auth.CheckToken(text):
		cred.Token = auth.NewProof([]byte(text))
	default:
		cred.Claim = machine.Bearer{Text: auth.NewProof([]byte(text)), Want: auth.Pairs(tokenMeta())}
	}
	c.caller = f.desk.Authenticate(ctx, cred)
	return c
}

// refused records that a stranger asked, and answers what it is told.
func (c *call) refused() error {
	if c.caller.Refusal() == nil {
		return nil
	}
	return c.front.desk.Ask(c.ctx, c.caller, record.Need{Action: "gcp." + c.method.name, Resource: "gcp/", Capability: policy.Read})
}

// service is what assertions are made out to that are presented to the service itself.
const service = "https://secretmanager.googleapis.com"

// audiences are what assertions for this request may be made out to: the vendor's name, and the one that the client used.
// Another service of the vendor's is not one of them, whatever the request says that it is for.
func audiences(r *http.Request) []string {
	host, _, _ := strings.Cut(r.Host, ":")
	if strings.HasPrefix(r.Host, "[") {
		host, _, _ = strings.Cut(r.Host, "]")
		host += "]"
	}
	if h := strings.ToLower(host); h == "" || h == "googleapis.com" || strings.HasSuffix(strings.TrimSuffix(h, "."), ".googleapis.com") {
		return []string{service}
	}
	return []string{service, "https://" + host, "https://" + r.Host}
}

// bearer is the token of RFC 6750, section 2.1.
func bearer(h http.Header) string {
	v := h["Authorization"]
	if len(v) != 1 || len(v[0]) < 7 || !strings.EqualFold(v[0][:7], "Bearer ") {
		return ""
	}
	return strings.TrimSpace(v[0][7:])
}
