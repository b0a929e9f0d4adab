package custody_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// vaultOfAzure is a house with the Space azure/v and the secret "s" with two versions in it.
func vaultOfAzure(t *testing.T) (*house, *hands, secret.Ref) {
	t.Helper()
	clock := &hands{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := newHouseAt(t, clock.now)
	ctx := context.Background()
	if _, err := custody.Do(ctx, h.Desk, h.root, registry.MakeSpace{Space: secret.Space{Name: "azure/v", Home: secret.Azure, Versioned: true}}); err != nil {
		t.Fatal(err)
	}
	ref := h.ref("s")
	ref.Space = "azure/v"
	for _, text := range []string{"one", "two"} {
		if _, err := h.Write(ctx, h.root, ref, custody.Put{Value: secret.NewValue([]byte(text))}); err != nil {
			t.Fatal(err)
		}
	}
	return h, clock, ref
}

func (h *house) text(ref secret.Ref) string {
	h.t.Helper()
	r, err := h.Read(context.Background(), h.root, ref)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(r.Value.Reveal())
}

func TestTrashAndRecover(t *testing.T) {
	h, clock, ref := vaultOfAzure(t)
	ctx := context.Background()
	head, err := h.Trash(ctx, h.root, ref, 24*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := clock.now().Add(24 * time.Hour); head.Tombstone == nil || !head.Tombstone.PurgeAt.Equal(want) {
		t.Fatalf("tombstone: got %+v, want a purge at %v", head.Tombstone, want)
	}
	for what, err := range map[string]error{
		"read":     second(h.Read(ctx, h.root, ref)),
		"write":    second(h.Write(ctx, h.root, ref, custody.Put{Value: secret.NewValue([]byte("x"))})),
		"make":     second(h.Make(ctx, h.root, ref, "", custody.Configuration{})),
		"describe": second(h.Describe(ctx, h.root, ref)),
		"revise":   second(h.Revise(ctx, h.root, ref, func(*secret.Head) (custody.Configuration, error) { return custody.Configuration{}, nil })),
		"trash":    second(h.Trash(ctx, h.root, ref, time.Hour, nil)),
	} {
		if !errors.Is(err, secret.ErrTrashed) {
			t.Errorf("%s of a secret in the trash: got %v", what, err)
		}
	}
	if it, err := h.Inspect(ctx, h.root, ref); err != nil || it.Head.Tombstone == nil || it.Head.Max != 2 {
		t.Errorf("inspect: got %+v, %v", head, err)
	}
	if _, err := h.Recover(ctx, h.root, ref); err != nil {
		t.Fatal(err)
	}
	one := ref
	one.Number = 1
	if a, b := h.text(ref), h.text(one); a != "two" || b != "one" {
		t.Errorf("recovered: got %q and %q", a, b)
	}
	if it, err := h.Inspect(ctx, h.root, ref); err != nil || it.Head.Tombstone != nil {
		t.Errorf("inspect after recovery: got %+v, %v", head, err)
	}
	if _, err := h.Recover(ctx, h.root, ref); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("recovered twice: got %v", err)
	}
	h.verifies()
}

func TestPurge(t *testing.T) {
	h, _, ref := vaultOfAzure(t)
	ctx := context.Background()
	if err := h.Purge(ctx, h.root, ref, false, nil); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("purged what is not in the trash: got %v", err)
	}
	if _, err := h.Trash(ctx, h.root, ref, time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("protected")
	if err := h.Purge(ctx, h.root, ref, false, func(*secret.Head) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("the check was not asked: got %v", err)
	}
	if err := h.Purge(ctx, h.root, ref, true, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Inspect(ctx, h.root, ref); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("after the purge: got %v", err)
	}
	if r, err := h.Write(ctx, h.root, ref, custody.Put{Value: secret.NewValue([]byte("new"))}); err != nil || r.Version.Number != 1 {
		t.Errorf("the path is free again: got %+v, %v", r.Version, err)
	}
	if err := h.Purge(ctx, h.root, ref, true, nil); err != nil {
		t.Errorf("removal without a window: %v", err)
	}
	if _, err := h.Read(ctx, h.root, ref); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("after removal: got %v", err)
	}
	h.verifies()
}

// TestTrashIsEmptiedWhenItsTimeIsOver also recovers a secret, whose former deadline must do nothing.
func TestTrashIsEmptiedWhenItsTimeIsOver(t *testing.T) {
	h, clock, ref := vaultOfAzure(t)
	ctx := context.Background()
	kept := ref
	kept.Path = h.ref("kept").Path
	if _, err := h.Write(ctx, h.root, kept, custody.Put{Value: secret.NewValue([]byte("kept"))}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []secret.Ref{ref, kept} {
		if _, err := h.Trash(ctx, h.root, r, time.Hour, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Recover(ctx, h.root, kept); err != nil {
		t.Fatal(err)
	}
	h.RunJobs(ctx)
	if _, err := h.Inspect(ctx, h.root, ref); err != nil {
		t.Errorf("gone before its time: %v", err)
	}
	clock.pass(time.Hour + 2*time.Second)
	h.RunJobs(ctx)
	if _, err := h.Inspect(ctx, h.root, ref); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("still in the trash: %v", err)
	}
	if got := h.text(kept); got != "kept" {
		t.Errorf("got %q", got)
	}
	h.verifies()
}

func TestShelves(t *testing.T) {
	h, _, ref := vaultOfAzure(t)
	ctx := context.Background()
	at := func(name string) secret.Ref { r := ref; r.Path = h.ref(name).Path; return r }
	for _, name := range []string{"a", "b", "c"} {
		if _, err := h.Write(ctx, h.root, at(name), custody.Put{Value: secret.NewValue([]byte(name))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Trash(ctx, h.root, at("b"), time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		shelf custody.Shelf
		want  []string
	}{{0, []string{"a", "c", "s"}}, {custody.Trashed, []string{"b"}}, {custody.Standing | custody.Trashed, []string{"a", "b", "c", "s"}}} {
		var got []string
		after := ""
		for {
			page, err := h.Inventory(ctx, h.root, custody.Stocktaking{Space: "azure/v", From: c.shelf, After: after, Limit: 1, Count: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.Count != len(c.want) {
				t.Errorf("shelf %d: counted %d, want %d", c.shelf, page.Count, len(c.want))
			}
			for _, i := range page.Items {
				got = append(got, i.Path.String())
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("shelf %d: got %q, want %q", c.shelf, got, c.want)
		}
	}
}

// TestTrashRaces: of those who trash, write and recover at once each gets one clear answer, and the secret is in one place.
func TestTrashRaces(t *testing.T) {
	h, _, ref := vaultOfAzure(t)
	ctx := context.Background()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = h.Trash(ctx, h.root, ref, time.Hour, nil) })
		wg.Go(func() { _, _ = h.Recover(ctx, h.root, ref) })
		wg.Go(func() {
			_, err := h.Write(ctx, h.root, ref, custody.Put{Value: secret.NewValue([]byte("again"))})
			if err != nil && !errors.Is(err, secret.ErrTrashed) && !errors.Is(err, secret.ErrBusy) {
				t.Errorf("write: %v", err)
			}
		})
	}
	wg.Wait()
	page, err := h.Inventory(ctx, h.root, custody.Stocktaking{Space: "azure/v", From: custody.Standing | custody.Trashed})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("got %d secrets, %v", len(page.Items), err)
	}
	h.verifies()
}

func second[T any](_ T, err error) error { return err }

func (h *house) verifies() {
	h.t.Helper()
	report, err := h.Verify(context.Background(), h.root, nil)
	if err != nil || len(report.Damage) > 0 {
		h.t.Errorf("verify: %+v, %v", report, err)
	}
}
