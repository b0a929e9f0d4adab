package custody

import (
	"context"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/recipient"
	"github.com/keephold/keephold/internal/seal/shamir"
	"github.com/keephold/keephold/internal/secret"
)

// RootPlan says how the new root token will be hidden from whoever presents the last share: under a one-time pad that
// only the starter knows, or encrypted to a public key.
type RootPlan struct {
	OTP secret.Value
	To  *recipient.Recipient
}

// RootStatus is how far the making of a root token has come. Nonce is empty for those who may not know it.
type RootStatus struct {
	Nonce       string
	Started     bool
	Progress    int
	Required    int
	Complete    bool
	Fingerprint string
}

// RootMade is the new root token, with the plan by which it has to be hidden.
type RootMade struct {
	Token secret.Value
	Plan  RootPlan
}

type rootAttempt struct {
	plan   RootPlan
	nonce  string
	begun  time.Time
	set    seal.Nonce
	gather *shamir.Gather
}

const rootResource = "sys/generate-root/attempt"

var (
	errNoRoot      = auth.Tell(secret.ErrInvalid, "no root generation in progress")
	errRootAlready = auth.Tell(secret.ErrInvalid, "root generation already in progress")
	errRootProof   = auth.Tell(secret.ErrDenied, "to start, present one valid key share, or a token with sudo on %s", rootResource)
)

func (r *ceremony) endRoot() {
	if r.root != nil {
		r.root.gather.Reset()
		r.root = nil
	}
}

// rootNow is the running attempt, or nil. The caller holds r.mu.
func (r *ceremony) rootNow(now time.Time) *rootAttempt {
	if r.root != nil && now.Sub(r.root.begun) >= rootLife {
		r.endRoot()
	}
	return r.root
}

func (a *rootAttempt) status(config *seal.Config) RootStatus {
	s := RootStatus{Required: config.Threshold}
	if config.Kind != seal.KindShamir {
		s.Required = config.Recovery.Threshold
	}
	if a == nil {
		return s
	}
	s.Nonce, s.Started, s.Progress = a.nonce, true, a.gather.Progress().Have
	if a.plan.To != nil {
		s.Fingerprint = a.plan.To.Fingerprint()
	}
	return s
}

// RootStart begins to make a root token. It takes one valid share of the unseal or recovery key, or leave with sudo:
// a stranger cannot occupy the one attempt there is. The nonce in the answer is needed for every further step.
func (d *Desk) RootStart(ctx context.Context, c auth.Caller, proof []byte, plan RootPlan) (RootStatus, error) {
	defer clear(proof)
	n := record.Need{Action: "generate-root.start", Resource: rootResource, Capability: policy.Update, Sudo: true}
	var t *turn
	var err error
	if proof == nil {
		t, err = d.admit(ctx, c, n, what{})
	} else if t = d.unasked(c, n); t.o == nil {
		err = secret.ErrSealed
	}
	if err != nil {
		return RootStatus{}, err
	}
	s, leave, err := d.lockRite(ctx, t)
	if err != nil {
		return RootStatus{}, t.done(err)
	}
	defer leave()
	if proof != nil && !s.config.KnowsShare(proof) && !s.config.Recovery.KnowsShare(proof) {
		return RootStatus{}, d.rootMiss(ctx, t, errRootProof)
	}
	if d.rite.rootNow(d.now()) != nil {
		return RootStatus{}, t.done(errRootAlready)
	}
	if !d.rite.starts.AllowN(d.now(), 1) {
		return RootStatus{}, t.refuse(ctx, fmt.Errorf("%w: root generation was started too often", secret.ErrLimited), "rate limit")
	}
	a := &rootAttempt{plan: plan, nonce: newNonce(), begun: d.now(), set: holderSet(s.config)}
	if a.gather, err = d.holders(ctx, t.o, s.config, rootLife); err != nil {
		return RootStatus{}, t.done(err)
	}
	if err := t.done(nil); err != nil {
		return RootStatus{}, err
	}
	d.rite.root = a
	return a.status(s.config), nil
}

func holderSet(config *seal.Config) seal.Nonce {
	if config.Kind == seal.KindShamir {
		return config.Nonce
	}
	return config.Recovery.Nonce
}

// rootMiss refuses a wrong share or nonce. Too many of them are answered with a limit.
func (d *Desk) rootMiss(ctx context.Context, t *turn, err error) error {
	if !d.rite.misses.AllowN(d.now(), 1) {
		err = fmt.Errorf("%w: too many refused attempts at root generation", secret.ErrLimited)
	}
	return t.refuse(ctx, err, "generate-root")
}

// RootStatus tells how far an attempt has come. The nonce is told only to callers with sudo; to others the starter
// tells it.
func (d *Desk) RootStatus(ctx context.Context, c auth.Caller) (RootStatus, error) {
	t := d.unasked(c, record.Need{Action: "generate-root.status", Resource: rootResource, Capability: policy.Read})
	if t.o == nil {
		return RootStatus{}, secret.ErrSealed
	}
	s, leave, err := d.lockRite(ctx, t)
	if err != nil {
		return RootStatus{}, t.done(err)
	}
	defer leave()
	status := d.rite.rootNow(d.now()).status(s.config)
	if !d.mayRoot(t, policy.Read) {
		status.Nonce = ""
	}
	return status, t.done(nil)
}

// mayRoot says whether the caller's token has sudo on root generation.
func (d *Desk) mayRoot(t *turn, capability policy.Capability) bool {
	if t.caller.Refusal() != nil {
		return false
	}
	n := record.Need{Resource: rootResource, Capability: capability, Sudo: true}
	return t.caller.Powers().Decide(t.request(n, what{})).Allowed
}

// RootCancel ends an attempt. It takes the nonce, or sudo.
func (d *Desk) RootCancel(ctx context.Context, c auth.Caller, nonce string) error {
	n := record.Need{Action: "generate-root.cancel", Resource: rootResource, Capability: policy.Delete, Sudo: true}
	var t *turn
	var err error
	if nonce == "" {
		t, err = d.admit(ctx, c, n, what{})
	} else if t = d.unasked(c, n); t.o == nil {
		err = secret.ErrSealed
	}
	if err != nil {
		return err
	}
	_, leave, err := d.lockRite(ctx, t)
	if err != nil {
		return t.done(err)
	}
	defer leave()
	a := d.rite.rootNow(d.now())
	if nonce != "" && (a == nil || !same(nonce, a.nonce)) {
		return d.rootMiss(ctx, t, errNonce)
	}
	if err := t.done(nil); err != nil {
		return err
	}
	d.rite.endRoot()
	return nil
}

// RootUpdate presents one share. When it was the last one needed, the token is made and answered, and the attempt ends.
func (d *Desk) RootUpdate(ctx context.Context, c auth.Caller, nonce string, share []byte) (RootStatus, *RootMade, error) {
	defer clear(share)
	t := d.unasked(c, record.Need{Action: "generate-root.update", Resource: "sys/generate-root/update", Capability: policy.Update})
	if t.o == nil {
		return RootStatus{}, nil, secret.ErrSealed
	}
	s, leave, err := d.lockRite(ctx, t)
	if err != nil {
		return RootStatus{}, nil, t.done(err)
	}
	defer leave()
	a := d.rite.rootNow(d.now())
	switch {
	case a == nil:
		return RootStatus{}, nil, d.rootMiss(ctx, t, errNoRoot)
	case !same(nonce, a.nonce):
		return RootStatus{}, nil, d.rootMiss(ctx, t, errNonce)
	case a.set != holderSet(s.config): // a rekey came between
		d.rite.endRoot()
		return RootStatus{}, nil, t.done(errNoRoot)
	}
	key, p, err := a.gather.Add(share)
	if err != nil {
		return RootStatus{}, nil, d.rootMiss(ctx, t, auth.Tell(secret.ErrInvalid, "root generation share refused: %v (%d refused so far)", err, p.Refused))
	}
	status := a.status(s.config)
	if key == nil {
		t.link("progress", fmt.Sprintf("%d of %d", p.Have, p.Need))
		return status, nil, t.done(nil)
	}
	clear(key)
	issued, changes, err := rootToken().Plan(ctx, t.o.self, t.o.view)
	if err == nil {
		t.link("progress", "complete")
		t.link("accessor", d.log.HMAC(issued.Accessor))
		err = t.change(ctx, changes)
	}
	if err != nil {
		return RootStatus{}, nil, t.done(err)
	}
	d.rite.endRoot()
	status.Progress, status.Complete = status.Required, true
	return status, &RootMade{Token: issued.Token, Plan: a.plan}, nil
}
