package entity_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// FuzzStored puts any bytes where an entity, a group and the links to them are kept: what comes back is an answer or an
// error, and never somebody else's.
func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"id":"e1","name":"alice","created":"2026-01-02T03:04:05Z","updated":"2026-01-02T03:04:05Z","aliases":[{"id":"a1","mount":"m","name":"al"}],"groups":["g1"]}`), []byte("e1"))
	f.Add([]byte(`{"members":["e1"]}`), []byte("e1/../e2"))
	f.Add([]byte(`{"aliases":null`), []byte(""))
	f.Fuzz(func(t *testing.T, stored, link []byte) {
		r := authtest.New(t)
		for _, k := range []string{auth.EntityKey("", "e1"), auth.GroupKey("", "g1")} {
			if err := r.Apply([]record.Change{{Key: k, Value: stored}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []string{auth.EntityNameKey("", "alice"), auth.AliasIDKey("", "a1"), auth.GroupNameKey("", "ops")} {
			if err := r.Apply([]record.Change{{Key: k, Value: link}}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(err error) {
			if err != nil && !errors.Is(err, secret.ErrDamaged) && !errors.Is(err, secret.ErrNotFound) && !errors.Is(err, secret.ErrInvalid) {
				t.Fatal(err)
			}
		}
		ctx, c := context.Background(), r.Root()
		for _, n := range []entity.Name{entity.ByID("e1"), entity.ByName("Alice")} {
			_, _, err := entity.Read{Name: n}.Plan(ctx, c, r.Store)
			check(err)
			_, _, err = entity.Delete{Name: n}.Plan(ctx, c, r.Store)
			check(err)
			_, _, err = entity.Write{Name: n}.Plan(ctx, c, r.Store)
			check(err)
		}
		_, _, err := entity.ReadAlias{ID: "a1"}.Plan(ctx, c, r.Store)
		check(err)
		_, _, err = entity.DeleteGroup{Name: entity.ByName("ops")}.Plan(ctx, c, r.Store)
		check(err)
	})
}
