package policy

import (
	"slices"
	"strings"
	"sync"
)

// Operation names one thing that a client of some dialect can ask for: "vault.kv2.read", "aws.GetSecretValue". Every operation of every front stands in
// the tables of this package, with the resource that is decided on and the capabilities it takes; a front's test ranges over its own and finds each here.
type Operation string

// need is one row of the tables. In a form, {space} is the Space's canonical name (or the mount's path, "auth/approle") and {path} the rest.
type need struct {
	op   Operation
	form string
	caps Capability
}

// Open marks operations that are decided without a caller: sign-ins and what they need. Their capability is none.
const open = Capability(0)

// table is every operation, made once when it is first asked for.
var table = sync.OnceValue(func() map[Operation]need {
	rows := rows()
	all := make(map[Operation]need, len(rows))
	for _, n := range rows {
		all[n.op] = n
	}
	return all
})

// rows joins the tables.
func rows() []need {
	return slices.Concat(vaultSecrets(), vaultAuth(), vaultSystem(), vaultSystemMore(), awsOperations(), gcpOperations(), azureOperations(), nativeOperations())
}

// Operations lists every operation, sorted.
func Operations() []Operation {
	out := make([]Operation, 0, len(table()))
	for op := range table() {
		out = append(out, op)
	}
	slices.Sort(out)
	return out
}

// Known reports whether the operation is in the tables.
func (o Operation) Known() bool {
	_, ok := table()[o]
	return ok
}

// Capability is what the operation takes: several mean all of them. None means that no caller is needed (sign-in), or that the operation is not Known.
func (o Operation) Capability() Capability { return table()[o].caps }

// Open reports whether the operation is answered without a caller: sign-ins, health, seal state and what recovery needs.
func (o Operation) Open() bool {
	n, ok := table()[o]
	return ok && n.caps == open
}

// Form is the operation's resource with {space} and {path} in place of the names; for documents.
func (o Operation) Form() string { return table()[o].form }

// Resource is the name that is decided on. It is empty, and so granted to nobody, when the operation is not known.
func (o Operation) Resource(space, path string) string { return fill(table()[o].form, space, path) }

// FlatResource is Resource for a Space that is home to the kv v1 dialect, whose names have no data/ or metadata/ between Space and path.
func (o Operation) FlatResource(space, path string) string {
	form := table()[o].form
	if rest, ok := strings.CutPrefix(form, "{space}/"); ok {
		if _, tail, ok := strings.Cut(rest, "/"); ok && strings.HasPrefix(tail, "{path}") {
			form = "{space}/" + tail
		}
	}
	return fill(form, space, path)
}

func fill(form, space, path string) string {
	head, tail, ok := strings.Cut(form, "{space}")
	if !ok {
		head, tail, space = "", form, ""
	}
	middle, end, ok := strings.Cut(tail, "{path}")
	if !ok {
		path = ""
	}
	return head + space + middle + path + end
}
