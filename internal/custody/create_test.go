package custody_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

func text(s string) secret.Value { return secret.NewValue([]byte(s)) }

func TestAWriteOnce(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	ref := h.ref("a")
	put := func(id, value string, stages ...string) (custody.Reading, error) {
		return h.Add(ctx, h.root, ref, custody.Put{Value: text(value), AWSID: id, Once: true, Stages: stages})
	}
	if _, err := put("t1", "x"); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("added to nothing: %v", err)
	}
	if _, err := h.Create(ctx, h.root, ref, nil, custody.Configuration{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Create(ctx, h.root, ref, &custody.Put{Value: text("x")}, custody.Configuration{}); !errors.Is(err, secret.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	r, err := put("t1", "one", "mine")
	if err != nil || !slices.Equal(r.Version.Labels, []string{"current", "mine"}) {
		t.Fatalf("the first version: %v, %v", r.Version.Labels, err)
	}
	if again, err := put("t1", "one"); err != nil || again.Version.Number != 1 {
		t.Errorf("repeated: version %d, %v", again.Version.Number, err)
	}
	if _, err := put("t1", "other"); !errors.Is(err, secret.ErrExists) {
		t.Errorf("repeated with other bytes: %v", err)
	}
	if r, err = put("t2", "two", "pending"); err != nil || !slices.Equal(r.Version.Labels, []string{"pending"}) || r.Head.Current != 1 {
		t.Errorf("a pending version: %v, %v", r.Version.Labels, err)
	}
	if r, err = put("t3", "three"); err != nil || r.Head.Labelled("previous").Number != 1 || r.Head.Current != 3 {
		t.Errorf("a third version: %+v, %v", r.Head.Versions, err)
	}
	byID := ref
	byID.ID = "t2"
	if got, err := h.Read(ctx, h.root, byID); err != nil || !got.Value.Equal(text("two")) {
		t.Errorf("read by id: %v", err)
	}
	byID.ID = r.Head.VersionID(secret.Azure, r.Head.Find(1))
	if got, err := h.Read(ctx, h.root, byID); err != nil || !got.Value.Equal(text("one")) {
		t.Errorf("read by a derived id: %v", err)
	}
}

func TestLastRead(t *testing.T) {
	clock := &hands{at: time.Date(2026, 1, 1, 23, 0, 0, 0, time.UTC)}
	h, ctx := newHouseAt(t, clock.now), context.Background()
	made, err := h.Create(ctx, h.root, h.ref("a"), &custody.Put{Value: text("x")}, custody.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 1, 2} {
		if _, err := h.ReadNoted(ctx, h.root, h.ref("a")); err != nil {
			t.Fatal(err)
		}
		it, err := h.Inspect(ctx, h.root, h.ref("a"))
		if err != nil || it.Seen.Day() != want || it.Seen.Hour() != 0 || it.Head.UID != made.Head.UID {
			t.Errorf("last read %v, %v; want day %d", it.Seen, err, want)
		}
		clock.pass(30 * time.Minute)
	}
}
