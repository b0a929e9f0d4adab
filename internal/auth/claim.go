package auth

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Claim is a proof of who asks that is no token's text: a request signed with a shared key, an assertion signed with a
// private one. A front decodes it, the Authority finds who it names and lets it be proved, and the Caller that comes of it
// is like one with a sealed token: its powers are its policies, nothing is stored for it.
type Claim interface {
	// Presented names what Find answers: the public id, and the session token where there is one. Two claims with the same
	// bytes find the same; what changes with each request does not belong here.
	Presented() []byte
	// Find answers who the claim names. It is asked once; what it answers is kept until one of Standing.Records changes. The
	// error of an unknown name wraps secret.ErrDenied.
	Find(ctx context.Context, v record.View) (*Standing, error)
	// Prove checks the proof against what was found, in constant time and without asking anybody. Its error wraps
	// secret.ErrDenied.
	Prove(s *Standing, now time.Time) error
}

// Standing is what is known of a machine identity before anything is proved. It is shared once it is answered.
type Standing struct {
	Identity   string // stable id
	Name       string // shown and recorded
	Method     string // the kind of identity: "aws-key"
	Namespace  secret.NamespaceID
	Policies   []string
	Meta       []secret.Pair
	Expires    time.Time // zero: never
	Records    []string  // keys of the records that this was derived from
	Principals []string  // what policies attached to resources call it, besides policy.Everyone
	Key        Material
}

// Material is what a proof is checked with. It prints as nothing.
type Material struct {
	ID     string // public id of the key: an access key id, a kid
	Shared []byte // shared secret; nil where there is none
	Public []byte // PKIX public key; nil where there is none
	Digest []byte // SHA-256 of a secret that is presented as it is; nil where there is none
}

func (Material) String() string   { return "[redacted]" }
func (Material) GoString() string { return "[redacted]" }

// claim is Authenticate for a Claim. A machine identity asks in its own namespace, whatever the request says.
func (a *Authority) claim(ctx context.Context, cred *Credential) Caller {
	index := a.cfg.View.Index(append([]byte("claim\x00"), cred.Claim.Presented()...))
	h := a.cache.get(index)
	if h == nil || h.standing == nil {
		var err error
		if h, err = a.findClaim(ctx, index, cred.Claim); err != nil {
			return a.refuse(cred, nil, err)
		}
	}
	cred.From.Namespace = h.token.Namespace
	now := a.cfg.View.Now()
	if err := cred.Claim.Prove(h.standing, now); err != nil {
		return a.refuse(cred, h, err)
	}
	if err := a.admits(h, &cred.From, now); err != nil {
		return a.refuse(cred, h, err)
	}
	if a.outdated(h, now) {
		var err error
		if h, err = a.recompile(ctx, index, h); err != nil {
			return a.refuse(cred, h, err)
		}
	}
	return Caller{identity: h.identity, token: h.token, set: h.set, from: cred.From, terms: cred.Terms, authority: a}
}

func (a *Authority) findClaim(ctx context.Context, index string, c Claim) (*holding, error) {
	f := a.cache.begin()
	h, err := a.deriveClaim(ctx, index, c)
	var records []string
	if err == nil {
		records = h.standing.Records
	}
	a.cache.end(f, index, h, records)
	return h, err
}

func (a *Authority) deriveClaim(ctx context.Context, index string, c Claim) (*holding, error) {
	s, err := c.Find(ctx, a.cfg.View)
	if err != nil {
		return nil, err
	}
	policies, err := CanonicalPolicies(s.Policies, true)
	if err != nil {
		return nil, err
	}
	t := &Token{
		Kind: Batch, Namespace: s.Namespace, Path: "keephold/identities/" + s.Name, Method: s.Method, Display: s.Name, Meta: s.Meta,
		Policies: policies, Epoch: a.cfg.Epoch(), Life: Life{Expires: s.Expires}, NoIdentity: true, index: index,
	}
	if t.Root() {
		return nil, Tell(secret.ErrDenied, "a machine identity cannot be root")
	}
	h := &holding{token: t, deadline: s.Expires, standing: s, identity: t.identity()}
	h.identity.ID = s.Identity
	return h, a.compile(ctx, h)
}
