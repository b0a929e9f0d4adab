package auth

import (
	"context"

	"github.com/keephold/keephold/internal/record"
)

// SpendsUse says that the Caller's token may be used a limited number of times, so that a use must be spent, durably,
// before what it is for is done.
func (c Caller) SpendsUse() bool {
	return c.refusal == nil && c.token != nil && c.token.Uses > 0 && !c.spent
}

// Spend is the Changes that take one use from the Caller's token; the last use removes it. They expect the token as it
// was read here: when that fails another use was quicker, and custody asks again. A token without a use left is a refusal.
func (a *Authority) Spend(ctx context.Context, c Caller) ([]record.Change, error) {
	if !c.SpendsUse() {
		return nil, nil
	}
	r, t, err := readToken(ctx, a.cfg.View, c.token.index)
	if err != nil {
		return nil, err
	}
	if t == nil || t.Hollow || t.Uses == 0 || t.expired(a.cfg.View.Now()) {
		return nil, errUnknown
	}
	if t.Uses == 1 {
		return revoke(ctx, a.cfg.View, r, t)
	}
	t.Uses--
	return []record.Change{r.Put(record.Encode(t))}, nil
}

// readToken reads a token's record; a nil Token without an error is one that is not there.
func readToken(ctx context.Context, v record.View, index string) (record.Record, *Token, error) {
	r, err := record.Get1(ctx, v, tokenKey(index))
	if err != nil || !r.Found() {
		return r, nil, err
	}
	t, err := DecodeToken(index, r.Value)
	return r, t, err
}

// revoke is the Changes that end a token. Everything that hangs on it is dead with it, because a token is admitted only
// while all its ancestors stand; what is left to do is to give back their space, which a sweep does page by page.
func revoke(ctx context.Context, v record.View, r record.Record, t *Token) ([]record.Change, error) {
	changes := t.uproot(r)
	for _, prefix := range []string{childKey(t.index, ""), CubbyholeKey(t.index)} {
		keys, err := v.List(ctx, record.Query{Prefix: prefix, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(keys) > 0 {
			return append(changes, record.Change{Key: goneKey(t.index), Value: []byte(goneAll)}), nil
		}
	}
	return changes, nil
}
