package custody_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// TestReadBatch: what fails of a batch fails alone, each secret has its record, and an alternative is read only where it is needed.
func TestReadBatch(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	for _, path := range []string{"a", "b", "hidden"} {
		if _, err := h.put(h.root, path, "value of "+path); err != nil {
			t.Fatal(err)
		}
	}
	c := h.devWith(`path "secret/metadata/" { capabilities = ["list"] }
path "secret/data/+" { capabilities = ["read"] }
path "secret/metadata/+" { capabilities = ["read"] }
path "secret/data/hidden" { capabilities = ["deny"] }
path "secret/metadata/hidden" { capabilities = ["deny"] }`)
	other := func(*secret.Head) error { return secret.ErrNotFound }
	space := h.ref("a")
	read, _, err := h.ReadBatch(ctx, c, custody.Batch{Space: space, Wanted: []custody.Wanted{
		{Ref: h.ref("b")},
		{Ref: h.ref("hidden")},
		{Ref: h.ref("none")},
		{Ref: h.ref("a"), Check: other},
		{Ref: h.ref("none"), Else: &custody.Wanted{Ref: h.ref("a")}},
		{Ref: h.ref("hidden"), Else: &custody.Wanted{Ref: h.ref("none")}},
		{Ref: h.ref("b"), Else: &custody.Wanted{Ref: h.ref("a")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		value string
		err   error
	}{
		{value: "value of b"}, {err: secret.ErrDenied}, {err: secret.ErrNotFound}, {err: secret.ErrNotFound}, {value: "value of a"}, {err: secret.ErrDenied}, {value: "value of b"},
	} {
		if got := string(read[i].Value.Reveal()); got != want.value || !errors.Is(read[i].Err, want.err) {
			t.Errorf("%d: got %q, %v; want %q, %v", i, got, read[i].Err, want.value, want.err)
		}
	}
	read, next, err := h.ReadBatch(ctx, c, custody.Batch{Space: space, Page: &custody.Stocktaking{Limit: 1}})
	if err != nil || len(read) != 1 || read[0].Ref.Path != h.ref("a").Path || next == "" {
		t.Fatalf("got %v, %q, %v", read, next, err)
	}
	read, next, err = h.ReadBatch(ctx, c, custody.Batch{Space: space, Page: &custody.Stocktaking{After: next}})
	if err != nil || len(read) != 1 || string(read[0].Value.Reveal()) != "value of b" || next != "" {
		t.Errorf("got %v, %q, %v", read, next, err)
	}
	if _, _, err := h.ReadBatch(ctx, h.devWith(`path "secret/data/+" { capabilities = ["read"] }`), custody.Batch{Space: space, Wanted: []custody.Wanted{{Ref: h.ref("a")}}}); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("who may not list reads a batch: %v", err)
	}
}

func TestInventoryInAnotherOrder(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	for _, path := range []string{"b", "c", "a"} {
		if _, err := h.put(h.root, path, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.ReadNoted(ctx, h.root, h.ref("c")); err != nil {
		t.Fatal(err)
	}
	backwards := func(a, b custody.Item) int { return strings.Compare(b.Path.String(), a.Path.String()) }
	q := custody.Stocktaking{Space: h.ref("a").Space, Limit: 2, Seen: true, Order: backwards}
	s, err := h.Inventory(ctx, h.root, q)
	if err != nil || len(s.Items) != 2 || s.Items[0].Path != h.ref("c").Path || s.Items[0].Seen.IsZero() || !s.Items[1].Seen.IsZero() || s.Next != "2" {
		t.Fatalf("got %+v, %v", s, err)
	}
	q.Skip = 2
	if s, err = h.Inventory(ctx, h.root, q); err != nil || len(s.Items) != 1 || s.Items[0].Path != h.ref("a").Path || s.Next != "" {
		t.Errorf("got %+v, %v", s, err)
	}
}
