package custody

import (
	"context"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// A cubbyhole is a small store that belongs to one token: nobody else can name it, and it goes when the token goes.
// Its records lie under the token's index, so an accessor or another token never leads to them.

// CubbyholeRead answers the map stored at path in the caller's own cubbyhole, as canonical JSON.
func (d *Desk) CubbyholeRead(ctx context.Context, c auth.Caller, path secret.Path) (secret.Value, error) {
	v, err := Do(ctx, d, c, cubby[secret.Value]{path: path, cap: policy.Read, plan: func(ctx context.Context, v record.View, key string) (secret.Value, []record.Change, error) {
		r, err := record.Get1(ctx, v, key)
		if err == nil && !r.Found() {
			err = fmt.Errorf("cubbyhole/%s: %w", path, secret.ErrNotFound)
		}
		return secret.NewValue(r.Value), nil, err
	}})
	return v, err
}

// CubbyholeWrite stores a map at path in the caller's own cubbyhole.
func (d *Desk) CubbyholeWrite(ctx context.Context, c auth.Caller, path secret.Path, stored []byte) error {
	if len(stored) > secret.MaxValue {
		return fmt.Errorf("%w: value of %d bytes", secret.ErrTooLarge, len(stored))
	}
	_, err := Do(ctx, d, c, cubby[struct{}]{path: path, cap: policy.Update, plan: func(_ context.Context, _ record.View, key string) (struct{}, []record.Change, error) {
		return struct{}{}, []record.Change{{Key: key, Value: stored}}, nil
	}})
	return err
}

// CubbyholeDelete removes the map at path from the caller's own cubbyhole.
func (d *Desk) CubbyholeDelete(ctx context.Context, c auth.Caller, path secret.Path) error {
	_, err := Do(ctx, d, c, cubby[struct{}]{path: path, cap: policy.Delete, plan: func(_ context.Context, _ record.View, key string) (struct{}, []record.Change, error) {
		return struct{}{}, []record.Change{{Key: key, Delete: true}}, nil
	}})
	return err
}

// CubbyholeList answers the names below a folder of the caller's own cubbyhole.
func (d *Desk) CubbyholeList(ctx context.Context, c auth.Caller, folder secret.Path) ([]string, error) {
	return Do(ctx, d, c, cubby[[]string]{path: folder, cap: policy.List, plan: func(ctx context.Context, v record.View, key string) ([]string, []record.Change, error) {
		prefix := strings.TrimSuffix(key, "/") + "/"
		keys, err := v.List(ctx, record.Query{Prefix: prefix, OneLevel: true})
		for i, k := range keys {
			keys[i] = strings.TrimPrefix(k, prefix)
		}
		return keys, nil, err
	}})
}

type cubby[T any] struct {
	path secret.Path
	cap  policy.Capability
	plan func(ctx context.Context, v record.View, key string) (T, []record.Change, error)
}

func (a cubby[T]) Need() record.Need {
	resource := "cubbyhole/" + a.path.String()
	if a.cap == policy.List && !a.path.IsRoot() {
		resource += "/"
	}
	return record.Need{Action: "cubbyhole." + a.cap.String(), Resource: resource, Capability: a.cap}
}

func (a cubby[T]) Plan(ctx context.Context, c auth.Caller, v record.View) (T, []record.Change, error) {
	var zero T
	key, ok := cubbyKey(c, a.path)
	if !ok {
		return zero, nil, fmt.Errorf("%w: this token has no cubbyhole", secret.ErrInvalid)
	}
	return a.plan(ctx, v, key)
}

func cubbyKey(c auth.Caller, path secret.Path) (string, bool) {
	t := c.Token()
	if t == nil || t.Kind == auth.Batch {
		return "", false
	}
	return auth.CubbyholeKey(t.Index()) + path.String(), true
}
