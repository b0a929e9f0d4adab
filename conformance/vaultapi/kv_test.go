package vaultapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"

	"github.com/hashicorp/vault/api"
)

func TestKV2(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx, kv := context.Background(), k.root.KVv2("secret")
		first := got(kv.Put(ctx, "shop/api", map[string]any{"a": "1", "n": 2}))(t)
		if first.VersionMetadata.Version != 1 || first.VersionMetadata.CreatedTime.IsZero() {
			t.Errorf("put: %+v", first.VersionMetadata)
		}
		got(kv.Put(ctx, "shop/api", map[string]any{"a": "2"}, api.WithCheckAndSet(1)))(t)
		_, err := kv.Put(ctx, "shop/api", map[string]any{"a": "3"}, api.WithCheckAndSet(1))
		refused(t, http.StatusBadRequest, err)
		got(kv.Patch(ctx, "shop/api", map[string]any{"b": "3"}))(t)
		got(kv.Patch(ctx, "shop/api", map[string]any{"b": "4"}, api.WithMergeMethod("rw")))(t)
		if s := got(kv.Get(ctx, "shop/api"))(t); !reflect.DeepEqual(s.Data, map[string]any{"a": "2", "b": "4"}) || s.VersionMetadata.Version != 4 {
			t.Errorf("get: %+v %+v", s.Data, s.VersionMetadata)
		}
		if s := got(kv.GetVersion(ctx, "shop/api", 1))(t); s.Data["a"] != "1" {
			t.Errorf("version 1: %+v", s.Data)
		}
		if vs := got(kv.GetVersionsAsList(ctx, "shop/api"))(t); len(vs) != 4 {
			t.Errorf("%d versions, want 4", len(vs))
		}
		if s := got(kv.Rollback(ctx, "shop/api", 1))(t); s.VersionMetadata.Version != 5 {
			t.Errorf("rollback: %+v", s.VersionMetadata)
		}
		must(t, kv.DeleteVersions(ctx, "shop/api", []int{1, 2}))
		must(t, kv.Undelete(ctx, "shop/api", []int{2}))
		must(t, kv.Destroy(ctx, "shop/api", []int{1}))
		if s, err := kv.GetVersion(ctx, "shop/api", 1); err != nil || s.Data != nil || !s.VersionMetadata.Destroyed {
			t.Errorf("destroyed: %+v, %v", s, err)
		}
		must(t, kv.Delete(ctx, "shop/api"))
		if s, err := kv.Get(ctx, "shop/api"); err != nil || s.Data != nil || s.VersionMetadata.DeletionTime.IsZero() {
			t.Errorf("deleted: %+v, %v", s, err)
		}
		must(t, kv.DeleteMetadata(ctx, "shop/api"))
		if _, err := kv.Get(ctx, "shop/api"); !errors.Is(err, api.ErrSecretNotFound) {
			t.Errorf("got %v, want %v", err, api.ErrSecretNotFound)
		}
	})
}

func TestKV2Metadata(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx, kv := context.Background(), k.root.KVv2("secret")
		must(t, kv.PutMetadata(ctx, "m", api.KVMetadataPutInput{MaxVersions: 3, CASRequired: true, CustomMetadata: map[string]any{"owner": "shop"}}))
		m := got(kv.GetMetadata(ctx, "m"))(t)
		if m.MaxVersions != 3 || !m.CASRequired || m.CustomMetadata["owner"] != "shop" {
			t.Errorf("metadata: %+v", m)
		}
		off, five := false, 5
		must(t, kv.PatchMetadata(ctx, "m", api.KVMetadataPatchInput{CASRequired: &off, MaxVersions: &five, CustomMetadata: map[string]any{"team": "a"}}))
		if m = got(kv.GetMetadata(ctx, "m"))(t); m.CASRequired || m.MaxVersions != 5 || m.CustomMetadata["owner"] != "shop" || m.CustomMetadata["team"] != "a" {
			t.Errorf("patched: %+v", m)
		}
		got(kv.Put(ctx, "m", map[string]any{"k": map[string]any{"in": 1}}))(t)
		keys := got(k.root.Logical().List("secret/metadata"))(t)
		if !reflect.DeepEqual(keys.Data["keys"], []any{"m"}) {
			t.Errorf("list: %v", keys.Data)
		}
		sub := got(k.root.Logical().Read("secret/subkeys/m"))(t)
		if !reflect.DeepEqual(sub.Data["subkeys"], map[string]any{"k": map[string]any{"in": nil}}) {
			t.Errorf("subkeys: %v", sub.Data)
		}
	})
}

func TestKV1AndCubbyhole(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx := context.Background()
		must(t, k.root.Sys().Mount("old", &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}))
		kv := k.root.KVv1("old")
		must(t, kv.Put(ctx, "a/b", map[string]any{"x": "1"}))
		if s := got(kv.Get(ctx, "a/b"))(t); s.Data["x"] != "1" {
			t.Errorf("get: %v", s.Data)
		}
		must(t, kv.Delete(ctx, "a/b"))
		if _, err := kv.Get(ctx, "a/b"); !errors.Is(err, api.ErrSecretNotFound) {
			t.Errorf("got %v, want %v", err, api.ErrSecretNotFound)
		}
		got(k.root.Logical().Write("cubbyhole/mine", map[string]any{"x": "1"}))(t)
		if s := got(k.root.Logical().Read("cubbyhole/mine"))(t); s.Data["x"] != "1" {
			t.Errorf("cubbyhole: %v", s.Data)
		}
		got(k.root.Logical().Delete("cubbyhole/mine"))(t)
		if s, err := k.root.Logical().Read("cubbyhole/mine"); s != nil || err != nil {
			t.Errorf("deleted: %v, %v", s, err)
		}
	})
}
