package custody_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

func TestBackupIsRestoredElsewhere(t *testing.T) {
	h, _, ref := vaultOfAzure(t)
	ctx := context.Background()
	b, err := h.Backup(ctx, h.root, ref)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("one")) || bytes.Contains(b, []byte("azure")) {
		t.Error("a backup can be read")
	}
	if _, _, err := h.RestoreBackup(ctx, h.root, ref, b); !errors.Is(err, secret.ErrExists) {
		t.Errorf("restored over what is there: got %v", err)
	}
	if _, err := custody.Do(ctx, h.Desk, h.root, registry.MakeSpace{Space: secret.Space{Name: "azure/w", Home: secret.Azure}}); err != nil {
		t.Fatal(err)
	}
	other := secret.Ref{Space: "azure/w"}
	head, path, err := h.RestoreBackup(ctx, h.root, other, b)
	if err != nil || head.Max != 2 || path != ref.Path {
		t.Fatalf("got %+v at %v, %v", head, path, err)
	}
	other.Path = path
	first := other
	first.Number = 1
	if a, b := h.text(other), h.text(first); a != "two" || b != "one" {
		t.Errorf("restored: got %q and %q", a, b)
	}
	if _, err := h.Trash(ctx, h.root, ref, time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.RestoreBackup(ctx, h.root, ref, b); !errors.Is(err, secret.ErrTrashed) {
		t.Errorf("restored over what lies in the trash: got %v", err)
	}
	if err := h.Purge(ctx, h.root, ref, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.RestoreBackup(ctx, h.root, ref, b); err != nil {
		t.Errorf("restored after a purge: %v", err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, _, err := h.RestoreBackup(ctx, h.root, secret.Ref{Space: "secret"}, bad); !errors.Is(err, secret.ErrInvalid) {
			t.Fatalf("a changed backup: got %v", err)
		}
		if i > 64 {
			break
		}
	}
	h.verifies()
}

func TestRetouch(t *testing.T) {
	h, clock, ref := vaultOfAzure(t)
	ctx := context.Background()
	off, kind := false, "text/plain"
	end := clock.now().Add(time.Hour)
	head, number, err := h.Retouch(ctx, h.root, ref, custody.Retouching{Enabled: &off, ContentType: &kind, Expires: &end, Retag: func([]secret.Pair) []secret.Pair {
		return []secret.Pair{{Key: "azure/tag/a", Value: "b"}}
	}})
	if err != nil || number != 2 {
		t.Fatalf("got version %d, %v", number, err)
	}
	if v := head.Find(2); v.State != secret.Disabled || v.ContentType != kind || !v.Expires.Equal(end) || len(v.Facts) != 1 {
		t.Errorf("got %+v", v)
	}
	if _, err := h.Read(ctx, h.root, ref); !errors.Is(err, secret.ErrDisabled) {
		t.Errorf("read of a disabled version: got %v", err)
	}
	byID := ref
	byID.ID = head.VersionID(secret.Azure, head.Find(1))
	if got := h.text(byID); got != "one" {
		t.Errorf("by id: got %q", got)
	}
	h.verifies()
}
