package auth

import (
	"context"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// PowersOf answers the compiled policies of a token, for sys/capabilities and the like. The token need not be the
// Caller's own; it must be reachable from the namespace that the Caller asks in.
type PowersOf struct {
	Which
	Resource string // the API path that was asked
}

// Need of the act.
func (a PowersOf) Need() record.Need {
	return record.Need{Action: "capabilities", Resource: a.Resource, Capability: policy.Update}
}

// Plan finds the token and compiles its policies.
func (a PowersOf) Plan(ctx context.Context, c Caller, v record.View) (*policy.Set, []record.Change, error) {
	if a.by == bySelf {
		return c.set, nil, nil
	}
	f, err := a.find(ctx, c, v)
	switch {
	case err != nil:
		return nil, nil, err
	case f == nil && a.by == byAccessor:
		return nil, nil, errAccessor
	case f == nil:
		return nil, nil, Tell(secret.ErrInvalid, "invalid token")
	}
	h, _, err := c.authority.stand(ctx, f.token)
	if err != nil {
		return nil, nil, err
	}
	if err := c.authority.compile(ctx, h); err != nil {
		return nil, nil, err
	}
	return h.set, nil, nil
}
