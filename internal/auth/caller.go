// Package auth knows who is asking. It turns a credential into a Caller, which nothing else can make, and keeps the
// tokens that stand for a Caller between two requests.
package auth

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// From says where a request came from and in which dialect; it goes into every audit record.
type From struct {
	Addr      netip.Addr // the peer; zero for a local call in process
	UserAgent string
	RequestID string
	Dialect   secret.Dialect
	Namespace secret.NamespaceID // the namespace the request names
}

// Terms are what a request adds to who asks: the conditions of policies look at them.
type Terms struct {
	Params  map[string]json.RawMessage // top-level parameters of the body, as the Vault dialect sees them
	WrapTTL time.Duration              // 0: the answer is not to be wrapped
}

// Identity is a Caller without its powers: what may be shown and recorded.
type Identity struct {
	ID          string // stable id: the entity's, else derived from the token's accessor
	DisplayName string
	Method      string // "token", "approle", "userpass", "local", "internal"
	Accessor    string
	Entity      string
	Namespace   secret.NamespaceID
	Policies    []string
	Meta        []secret.Pair
}

// Caller is who is asking, from where and on which terms. Only this package makes one. The zero Caller, and one that
// carries a refusal, may do nothing; it still travels to the Desk, so that the refusal is recorded in the one place
// where refusals are recorded.
type Caller struct {
	identity Identity
	token    *Token // nil for a Caller without a stored token
	set      *policy.Set
	from     From
	terms    Terms
	refusal  error
	spent    bool // the use of a limited token that this request takes

	authority *Authority // who made it
}

// Identity returns who the Caller is.
func (c Caller) Identity() Identity { return c.identity }

// From returns where the request came from.
func (c Caller) From() From { return c.from }

// Terms returns the terms of the request.
func (c Caller) Terms() Terms { return c.terms }

// On returns the same Caller asking on the given terms.
func (c Caller) On(t Terms) Caller { c.terms = t; return c }

// Refusal is why this Caller may do nothing, or nil.
func (c Caller) Refusal() error { return c.refusal }

// Token is the Caller's token record, or nil. It is shared: read it only.
func (c Caller) Token() *Token { return c.token }

// Powers is the compiled set of the Caller's policies; nil may do nothing.
func (c Caller) Powers() *policy.Set { return c.set }

// Sudo says whether the Caller's policies grant sudo on a resource of the namespace it asks in.
func (c Caller) Sudo(v record.View, resource string) bool {
	if c.authority == nil || c.refusal != nil {
		return false
	}
	if path, _ := c.authority.cfg.NamespacePath(c.from.Namespace); path != "" {
		resource = path + "/" + resource
	}
	return c.set.Decide(policy.Request{Resource: resource, Capability: policy.Sudo, Params: c.terms.Params, WrapTTL: c.terms.WrapTTL, Now: v.Now()}).Allowed
}

// AllowsWeakIDs says that custom role-ids and secret-ids need not be hard to guess: a dev keep.
func (c Caller) AllowsWeakIDs() bool { return c.authority != nil && c.authority.cfg.AllowWeakIDs }

// Limits are the system's bounds on lifetimes.
func (c Caller) Limits() Limits {
	if c.authority == nil {
		return Limits{SystemTTL, SystemTTL}
	}
	return c.authority.cfg.Limits
}

// In returns the same Caller asking in namespace ns; for Callers that a Warrant made, whom no request names one.
func (c Caller) In(ns secret.NamespaceID) Caller {
	if c.token == nil {
		c.from.Namespace = ns
	}
	return c
}
