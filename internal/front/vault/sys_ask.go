package vault

import (
	"strings"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// ask admits the caller to an operation on the path it asked for, where nothing but that is needed of the Desk. What
// the operation takes stands in policy's table.
func (rq *request) ask(op policy.Operation) error { return rq.askFor(op, rq.path) }

// askFor is ask where the name that is decided on is not the path as it was written.
func (rq *request) askFor(op policy.Operation, resource string) error {
	return rq.front.desk.Ask(rq.ctx, rq.caller, need(op, resource))
}

func need(op policy.Operation, resource string) record.Need {
	caps := op.Capability()
	n := record.Need{Action: strings.TrimPrefix(string(op), "vault."), Resource: resource, Capability: caps &^ policy.Sudo, Sudo: caps.Has(policy.Sudo), Open: op.Open()}
	if n.Capability == policy.List && !strings.HasSuffix(resource, "/") {
		n.Resource += "/" // a list names its folder, as the vendor's clients do
	}
	return n
}
