package custody

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/store"
)

// describe begins the record of a turn: who, from where, what.
func (t *turn) describe(n record.Need, w what) {
	id, from := t.caller.Identity(), t.caller.From()
	e := &t.event
	e.Time = t.d.now()
	e.Kind = audit.Read
	if w.space == nil {
		e.Kind = audit.Admin
	}
	e.Action = n.Action
	e.Who = audit.Who{ID: id.ID, Name: id.DisplayName, Method: id.Method, Policies: id.Policies, Entity: id.Entity}
	if id.Accessor != "" {
		e.Who.Accessor = t.o.keyed.name(t.d.log, t.o.keys.Load(), id.Accessor)
	}
	e.From = audit.From{UserAgent: from.UserAgent, RequestID: from.RequestID, Dialect: from.Dialect.String()}
	if from.Addr.IsValid() {
		e.From.Addr = from.Addr.String()
	}
	e.What = audit.What{Namespace: string(from.Namespace), Path: w.path, Capability: n.Capability.String()}
	if w.space != nil {
		e.What.Space = w.space.Name
	} else {
		e.What.Path = n.Resource
	}
	e.Decision.Allowed = n.Open
}

// decided adds what policy said.
func (t *turn) decided(d policy.Decision) {
	t.event.Decision.Allowed = d.Allowed
	if d.Rule != nil {
		t.event.Decision.Rule = d.Rule.Origin.Policy + ": " + d.Rule.Origin.Text
	}
}

// signedIn names in the record who a sign-in turned out to be.
func (t *turn) signedIn(i auth.Issued) {
	t.event.Kind = audit.SignIn
	t.event.Who = audit.Who{ID: i.Identity.ID, Name: i.Identity.DisplayName, Method: i.Identity.Method, Policies: i.Policies, Entity: i.Entity}
	if i.Accessor != "" {
		t.event.Who.Accessor = t.d.log.HMAC(i.Accessor)
	}
	t.event.Decision = audit.Decision{Allowed: true}
}

// link adds another fact to the record.
func (t *turn) link(name, value string) {
	t.event.Links = append(t.event.Links, audit.Pair{Name: name, Value: value})
}

func hash(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:])
}

// hashOps is the hash of what an act of administration stores: every key and sealed value in order.
func hashOps(ops []store.Op) string {
	h := sha256.New()
	for _, op := range ops {
		h.Write([]byte(op.Key))
		h.Write([]byte{0})
		h.Write(op.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}
