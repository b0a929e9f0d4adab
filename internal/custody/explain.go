package custody

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Question asks what policy says of a resource of the Vault API, as seen from the caller's namespace.
type Question struct {
	Resource   string
	Capability policy.Capability
}

// Why explains to a caller what its own policies say.
func (d *Desk) Why(ctx context.Context, c auth.Caller, q Question) (policy.Explanation, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "why", Resource: "keephold/why", Capability: policy.Update}, what{})
	if err != nil {
		return policy.Explanation{}, err
	}
	return t.explain(c.Powers(), q), t.done(nil)
}

// Explain explains what a set of policies says, whoever holds it.
func (d *Desk) Explain(ctx context.Context, c auth.Caller, names []string, q Question) (policy.Explanation, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "explain", Resource: "keephold/explain", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return policy.Explanation{}, err
	}
	set, err := t.compile(names)
	if err != nil {
		return policy.Explanation{}, t.done(err)
	}
	return t.explain(set, q), t.done(nil)
}

// explain adds how each dialect would say the deciding rule, where the question is about a secret.
func (t *turn) explain(set *policy.Set, q Question) policy.Explanation {
	x := set.Explain(t.question(q))
	sp, rest, ok := t.table.ResolveSpace(t.caller.From().Namespace, q.Resource)
	if ok && sp.Versioned {
		_, rest, ok = strings.Cut(rest, "/")
	}
	path, err := secret.ParsePath(rest)
	if !ok || err != nil {
		return x
	}
	at := policy.Standpoint{Space: t.qualify(sp.Name), Flat: !sp.Versioned, Path: path, Faces: t.table.Faces(sp)}
	for _, p := range t.caller.Identity().Meta {
		if p.Key == "public" {
			at.Who = p.Value
		}
	}
	x.Views = set.Views(x, at)
	return x
}

func (t *turn) compile(names []string) (*policy.Set, error) {
	for i, n := range names {
		name, err := policy.NormalizeName(n)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", secret.ErrInvalid, err)
		}
		names[i] = name.String()
	}
	if slices.Contains(names, policy.NameRoot) {
		n, _ := t.table.Namespace(t.caller.From().Namespace)
		return policy.RootOf(n.Path), nil
	}
	return t.o.sets.get(t.d.now(), t.o.table.Load, t.caller.From().Namespace, names, policy.Facts{Principals: []string{policy.Everyone}})
}

// question is the request that the resource stands for, in its Space.
func (t *turn) question(q Question) policy.Request {
	sp, _, ok := t.table.ResolveSpace(t.caller.From().Namespace, q.Resource)
	w := what{}
	if ok {
		w.space = sp
	}
	r := t.request(record.Need{Resource: q.Resource, Capability: q.Capability}, w)
	r.Params, r.WrapTTL, r.Now = nil, 0, t.d.now()
	return r
}
