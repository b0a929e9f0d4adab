package custody_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/secret"
)

// What was read often is answered from a cipher that is kept ready. It must never outlive what it was made for.
func TestReadAgainAndAgain(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	ref := h.ref("app/db")
	reads := func(want string) {
		t.Helper()
		for range 5 {
			r, err := h.Read(ctx, h.root, ref)
			if err != nil || !r.Value.Equal(secret.NewValue([]byte(want))) {
				t.Fatalf("read: %v, or not %s", err, want)
			}
		}
	}
	refused := func(want error) {
		t.Helper()
		if _, err := h.Read(ctx, h.root, ref); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	for _, value := range []string{`{"a":"1"}`, `{"a":"2"}`} {
		if _, err := h.put(h.root, "app/db", value); err != nil {
			t.Fatal(err)
		}
		reads(value)
	}
	if err := h.Delete(ctx, h.root, ref); err != nil {
		t.Fatal(err)
	}
	refused(secret.ErrDeleted)
	if err := h.Undelete(ctx, h.root, ref, 2); err != nil {
		t.Fatal(err)
	}
	reads(`{"a":"2"}`)
	if err := h.Destroy(ctx, h.root, ref, 2); err != nil {
		t.Fatal(err)
	}
	refused(secret.ErrDestroyed)
	if _, err := h.put(h.root, "app/db", `{"a":"3"}`); err != nil {
		t.Fatal(err)
	}
	reads(`{"a":"3"}`)
	if err := h.Seal(ctx, h.root); err != nil {
		t.Fatal(err)
	}
	refused(secret.ErrSealed)
}
