package auth

import (
	"context"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// Revoke ends a token and, at once, all tokens that hang on it: revoke, revoke-self, revoke-accessor.
type Revoke struct{ Which }

// Need of the act.
func (a Revoke) Need() record.Need {
	return record.Need{Action: a.action("revoke"), Resource: a.path("revoke"), Capability: policy.Update}
}

// Plan removes the token. One that is not there is revoked already.
func (a Revoke) Plan(ctx context.Context, c Caller, v record.View) (None, []record.Change, error) {
	f, err := a.find(ctx, c, v)
	switch {
	case err != nil || f == nil:
		return None{}, nil, err
	case f.token.Kind == Batch:
		return None{}, nil, invalid("batch tokens cannot be revoked")
	case !f.record.Found():
		return None{}, nil, nil
	}
	changes, err := revoke(ctx, v, f.record, f.token)
	return None{}, changes, err
}

// RevokeOrphan ends a token and leaves its children, as orphans.
type RevokeOrphan struct{ Token Proof }

// Need of the act.
func (a RevokeOrphan) Need() record.Need {
	return record.Need{Action: "token.revoke-orphan", Resource: "auth/token/revoke-orphan", Capability: policy.Update, Sudo: true}
}

// Plan removes the token, or hollows it out when it has children: its record then still stands below them, but opens
// nothing, and cuts them off from what was above it.
func (a RevokeOrphan) Plan(ctx context.Context, c Caller, v record.View) (None, []record.Change, error) {
	f, err := ByToken(a.Token).find(ctx, c, v)
	switch {
	case err != nil:
		return None{}, nil, err
	case f == nil:
		return None{}, nil, invalid("token to revoke not found")
	case f.token.Kind == Batch:
		return None{}, nil, invalid("batch tokens cannot be revoked")
	}
	t := f.token
	kids, err := v.List(ctx, record.Query{Prefix: childKey(t.index, ""), Limit: 1})
	if err != nil {
		return None{}, nil, err
	}
	if len(kids) == 0 {
		changes, err := revoke(ctx, v, f.record, t)
		return None{}, changes, err
	}
	changes := t.uproot(f.record)
	hollow := &Token{Namespace: t.Namespace, Epoch: t.Epoch, Hollow: true, Life: Life{Created: t.Life.Created}}
	changes[0] = f.record.Put(record.Encode(hollow))
	return None{}, append(changes,
		record.Change{Key: hollowKey(t.index), Value: []byte(t.index)},
		record.Change{Key: goneKey(t.index), Value: []byte(goneOwn)},
	), nil
}
