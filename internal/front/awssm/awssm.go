// Package awssm speaks AWS Secrets Manager and what its clients need of STS, so that unchanged SDKs work
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/). It decodes a request, asks the Desk once, and encodes
// the answer; it decides nothing.
package awssm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/sigv4"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// Config of a Front. Desk is needed.
type Config struct {
	Desk      *custody.Desk
	Log       *slog.Logger // internal errors, never a value; nil discards
	MaxBody   int64        // bytes; 0 is 1 MiB
	Depth     int          // of JSON; 0 is 64
	AnyRegion bool         // a region without a Space is answered by its account's first one; for development
	Issuers   *jwt.Keys    // of web identities; nil trusts none
	Now       func() time.Time
}

// Front is the AWS dialect's handler.
type Front struct {
	cfg  Config
	desk *custody.Desk
	keys *sigv4.Keys
	ops  map[string]operation
	sts  map[string]call
}

// New checks the configuration and starts nothing.
func New(cfg Config) (*Front, error) {
	if cfg.Desk == nil {
		return nil, errors.New("aws front: a desk is needed")
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
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Issuers == nil {
		cfg.Issuers = new(jwt.Keys)
	}
	f := &Front{cfg: cfg, desk: cfg.Desk, keys: sigv4.NewKeys(), ops: map[string]operation{}, sts: map[string]call{}}
	for _, o := range operations() {
		f.ops[o.name] = o
	}
	for _, c := range calls() {
		f.sts[c.name] = c
	}
	return f, nil
}

// operation is a row of the literal table: an action of Secrets Manager, the rows of policy's table that it takes, and who
// answers it.
type operation struct {
	name   string
	policy []policy.Operation
	do     func(*request) (any, error)
}

func operations() []operation {
	p := func(ops ...policy.Operation) []policy.Operation { return ops }
	return []operation{
		{"CreateSecret", p("aws.CreateSecret"), createSecret},
		{"GetSecretValue", p("aws.GetSecretValue"), getSecretValue},
		{"BatchGetSecretValue", p("aws.BatchGetSecretValue", "aws.BatchGetSecretValue.item"), batchGetSecretValue},
		{"PutSecretValue", p("aws.PutSecretValue"), putSecretValue},
		{"UpdateSecret", p("aws.UpdateSecret", "aws.UpdateSecret.metadata"), updateSecret},
		{"DescribeSecret", p("aws.DescribeSecret"), describeSecret},
		{"ListSecrets", p("aws.ListSecrets", "aws.ListSecrets.item"), listSecrets},
		{"ListSecretVersionIds", p("aws.ListSecretVersionIds"), listSecretVersionIDs},
		{"DeleteSecret", p("aws.DeleteSecret", "aws.DeleteSecret.force"), deleteSecret},
		{"RestoreSecret", p("aws.RestoreSecret"), restoreSecret},
		{"UpdateSecretVersionStage", p("aws.UpdateSecretVersionStage"), updateSecretVersionStage},
		{"TagResource", p("aws.TagResource"), tagResource},
		{"UntagResource", p("aws.UntagResource"), untagResource},
		{"GetRandomPassword", p("aws.GetRandomPassword"), getRandomPassword},
		{"GetResourcePolicy", p("aws.GetResourcePolicy"), getResourcePolicy},
		{"PutResourcePolicy", p("aws.PutResourcePolicy"), putResourcePolicy},
		{"DeleteResourcePolicy", p("aws.DeleteResourcePolicy"), deleteResourcePolicy},
		{"ValidateResourcePolicy", p("aws.ValidateResourcePolicy"), validateResourcePolicy},
		{"RotateSecret", p("aws.RotateSecret"), rotateSecret},
		{"CancelRotateSecret", p("aws.CancelRotateSecret"), cancelRotateSecret},
		{"ReplicateSecretToRegions", p("aws.ReplicateSecretToRegions"), replicateSecret},
		{"RemoveRegionsFromReplication", p("aws.RemoveRegionsFromReplication"), removeRegions},
		{"StopReplicationToReplica", p("aws.StopReplicationToReplica"), stopReplication},
	}
}

const target = "secretsmanager."

// request is one decoded request, complete when it is made.
type request struct {
	front   *Front
	ctx     context.Context
	http    *http.Request
	caller  auth.Caller
	id      string
	action  string
	account string
	region  string
	space   string // canonical name of the Space that account and region name
	body    []byte
	members map[string]json.RawMessage
}

// ServeHTTP answers one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{front: f, ctx: r.Context(), http: r, id: auth.NewID()}
	w.Header()["X-Amzn-Requestid"] = []string{rq.id}
	w.Header()["Cache-Control"] = noStore
	switch {
	case strings.HasPrefix(r.URL.Path, ContainerPath):
		rq.container(w)
	case len(r.Header["X-Amz-Target"]) > 0:
		rq.json(w)
	default:
		rq.xml(w)
	}
}

var jsonType, noStore = []string{"application/x-amz-json-1.1"}, []string{"no-store"} // of headers; nobody changes them

// json is the protocol of Secrets Manager.
func (rq *request) json(w http.ResponseWriter) {
	out, err := rq.serveJSON()
	if err != nil {
		rq.fail(w, err)
		return
	}
	var b []byte
	if v, ok := out.(valueAnswer); ok {
		b = v.append(nil)
	} else if b, err = json.Marshal(out); err != nil {
		rq.fail(w, err)
		return
	}
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(b) // a client that went away has no use for the error
}

func (rq *request) serveJSON() (any, error) {
	if err := rq.read(); err != nil {
		return nil, err
	}
	name, ok := strings.CutPrefix(rq.http.Header.Get("X-Amz-Target"), target)
	op, known := rq.front.ops[name]
	rq.action = name
	if err := rq.identify("secretsmanager"); err != nil {
		return nil, err
	}
	if !ok || !known || rq.http.Method != http.MethodPost {
		return nil, &apiError{"UnknownOperationException", "", http.StatusBadRequest}
	}
	var err error
	if rq.members, err = wire.Object(rq.body, rq.front.cfg.Depth); err != nil {
		return nil, &apiError{"SerializationException", "", http.StatusBadRequest}
	}
	return op.do(rq)
}

// read takes the whole body: its hash is signed.
func (rq *request) read() error {
	b, err := wire.Body(rq.http, rq.front.cfg.MaxBody)
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		return &apiError{"RequestEntityTooLargeException", "Request is too large.", http.StatusRequestEntityTooLarge}
	case err != nil:
		return &apiError{"SerializationException", "", http.StatusBadRequest}
	}
	rq.body = b
	return nil
}

// identify proves the signature and finds the Space. A refusal is recorded by the Desk before it is answered.
func (rq *request) identify(service string) error {
	f := rq.front
	claim := claim{keys: f.keys}
	signed, err := sigv4.Parse(rq.http, rq.body)
	switch {
	case err != nil:
		claim.fault = err
	case signed.Service != service:
		claim.fault = &sigv4.Fault{Kind: sigv4.Mismatch, Text: "Credential should be scoped to correct service: '" + service + "'."}
	default:
		claim.signed = signed
		rq.region = signed.Region
	}
	rq.authenticate(claim)
	if rq.caller.Refusal() != nil {
		return f.desk.Ask(rq.ctx, rq.caller, need("authenticate", "aws/sts/identity", policy.Read))
	}
	return nil
}

func (rq *request) authenticate(c auth.Claim) {
	rq.caller = rq.front.desk.Authenticate(rq.ctx, auth.Credential{
		Claim: c, From: auth.From{Addr: wire.Peer(rq.http), UserAgent: rq.http.UserAgent(), RequestID: rq.id, Dialect: secret.AWS},
	})
	rq.account = rq.meta("home")
	rq.space = rq.front.spaceOf(rq.caller.From().Namespace, rq.account, rq.region)
}

// meta is what is known of the caller's identity.
func (rq *request) meta(key string) string {
	for _, p := range rq.caller.Identity().Meta {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// spaceOf is the canonical name of the Space behind an account and region: its own, or that of one which is exposed so.
// Where there is none it is the name that such a Space would have, and the Desk says that there is none.
func (f *Front) spaceOf(ns secret.NamespaceID, account, region string) string {
	name := "aws/" + account + "/" + region
	table := f.desk.Table()
	if table == nil {
		return name
	}
	if in, sp, ok := table.ResolveFace(secret.AWS, account+"/"+region); ok && in == ns {
		return sp.Name
	}
	if f.cfg.AnyRegion {
		for _, sp := range table.Spaces(ns) {
			if sp.Home == secret.AWS && strings.HasPrefix(sp.Name, "aws/"+account+"/") {
				return sp.Name
			}
		}
	}
	return name
}

func (rq *request) fail(w http.ResponseWriter, err error) {
	e := rq.shape(err)
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(e.status)
	b, _ := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"Message,omitempty"`
	}{e.code, e.text}) // strings always marshal
	_, _ = w.Write(b)
}
