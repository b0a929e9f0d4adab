package vaultapi

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

const devPolicy = `path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }`

func TestTokens(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		must(t, k.root.Sys().PutPolicy("dev", devPolicy))
		token := k.root.Auth().Token()
		made := got(token.Create(&api.TokenCreateRequest{Policies: []string{"dev"}, TTL: "1h", Metadata: map[string]string{"team": "shop"}, DisplayName: "web"}))(t)
		text, accessor := got(made.TokenID())(t), got(made.TokenAccessor())(t)
		if ttl := got(made.TokenTTL())(t); ttl != time.Hour || !got(made.TokenIsRenewable())(t) {
			t.Errorf("ttl %s", ttl)
		}
		seen := got(token.Lookup(text))(t)
		if policies := got(seen.TokenPolicies())(t); !slices.Equal(policies, []string{"default", "dev"}) || got(seen.TokenMetadata())(t)["team"] != "shop" {
			t.Errorf("lookup: %v", seen.Data)
		}
		if by := got(token.LookupAccessor(accessor))(t); by.Data["id"] != "" || by.Data["accessor"] != accessor {
			t.Errorf("by accessor: %v", by.Data)
		}
		own := k.client(t, text).Auth().Token()
		if self := got(own.LookupSelf())(t); self.Data["id"] != text || self.Data["display_name"] != "token-web" {
			t.Errorf("self: %v", self.Data)
		}
		if r := got(own.RenewSelf(1800))(t); r.Auth.LeaseDuration != 1800 || r.Auth.ClientToken != text {
			t.Errorf("renew-self: %+v", r.Auth)
		}
		if r := got(token.Renew(text, 1200))(t); r.Auth.LeaseDuration != 1200 {
			t.Errorf("renew: %+v", r.Auth)
		}
		if r := got(token.RenewAccessor(accessor, 600))(t); r.Auth.LeaseDuration != 600 || r.Auth.ClientToken != "" {
			t.Errorf("renew-accessor: %+v", r.Auth)
		}
		got(token.RenewTokenAsSelf(text, 60))(t)
		must(t, own.RevokeSelf(""))
		_, err := own.LookupSelf()
		refused(t, http.StatusForbidden, err)

		orphan := got(token.CreateOrphan(&api.TokenCreateRequest{Policies: []string{"dev"}}))(t)
		must(t, token.RevokeAccessor(orphan.Auth.Accessor))
		_, err = token.Lookup(orphan.Auth.ClientToken)
		refused(t, http.StatusForbidden, err)

		got(k.root.Logical().Write("auth/token/roles/ci", map[string]any{"allowed_policies": "dev", "token_period": "1h"}))(t)
		role := got(token.CreateWithRole(&api.TokenCreateRequest{Policies: []string{"dev"}}, "ci"))(t)
		must(t, token.RevokeTree(role.Auth.ClientToken))
		again := got(token.Create(&api.TokenCreateRequest{Policies: []string{"dev"}}))(t)
		must(t, token.RevokeOrphan(again.Auth.ClientToken))
		if l := got(k.root.Logical().List("auth/token/accessors"))(t); len(l.Data["keys"].([]any)) == 0 {
			t.Error("no accessors")
		}
	})
}

func TestLifetimeWatcher(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		made := got(k.root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}, TTL: "1m"}))(t)
		w := got(k.client(t, made.Auth.ClientToken).NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: made}))(t)
		go w.Start()
		defer w.Stop()
		select {
		case r := <-w.RenewCh():
			if r.Secret.Auth.LeaseDuration != 60 {
				t.Errorf("renewed: %+v", r.Secret.Auth)
			}
		case err := <-w.DoneCh():
			t.Errorf("ended: %v", err)
		case <-time.After(2 * time.Minute):
			t.Error("not renewed")
		}
	})
}

func TestAppRole(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		must(t, k.root.Sys().PutPolicy("dev", devPolicy))
		got(l.Write("auth/approle/role/web", map[string]any{"token_policies": []string{"dev"}, "token_ttl": "10m", "secret_id_num_uses": 1}))(t)
		id := got(l.Read("auth/approle/role/web/role-id"))(t).Data["role_id"]
		secret := got(l.Write("auth/approle/role/web/secret-id", map[string]any{"metadata": `{"host":"a"}`}))(t).Data["secret_id"]
		signed := got(k.client(t, "").Logical().Write("auth/approle/login", map[string]any{"role_id": id, "secret_id": secret}))(t)
		if signed.Auth.LeaseDuration != 600 || signed.Auth.Metadata["role_name"] != "web" || signed.Auth.EntityID == "" {
			t.Errorf("signed in: %+v", signed.Auth)
		}
		_, err := k.client(t, "").Logical().Write("auth/approle/login", map[string]any{"role_id": id, "secret_id": secret})
		refused(t, http.StatusBadRequest, err)
		got(l.Write("auth/approle/role/web/token-ttl", map[string]any{"token_ttl": 60}))(t)
		if f := got(l.Read("auth/approle/role/web/token-ttl"))(t); f.Data["token_ttl"].(interface{ String() string }).String() != "60" {
			t.Errorf("field: %v", f.Data)
		}
		got(l.Delete("auth/approle/role/web"))(t)
	})
}

func TestUserpass(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		must(t, k.root.Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		got(l.Write("auth/people/users/bob", map[string]any{"password": "correct horse", "token_policies": "default"}))(t)
		signed := got(k.client(t, "").Logical().Write("auth/people/login/bob", map[string]any{"password": "correct horse"}))(t)
		if signed.Auth.Metadata["username"] != "bob" {
			t.Errorf("signed in: %+v", signed.Auth)
		}
		_, err := k.client(t, "").Logical().Write("auth/people/login/bob", map[string]any{"password": "wrong"})
		refused(t, http.StatusBadRequest, err)
		if m := got(k.root.Sys().ListAuth())(t); m["people/"].Type != "userpass" {
			t.Errorf("mounts: %v", m)
		}
		must(t, k.root.Sys().DisableAuth("people"))
		_, err = k.client(t, signed.Auth.ClientToken).Auth().Token().LookupSelf()
		refused(t, http.StatusForbidden, err)
	})
}

func TestWrapping(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		c := k.client(t, k.root.Token())
		c.SetWrappingLookupFunc(func(string, string) string { return "60s" })
		wrapped := got(c.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}}))(t).WrapInfo
		if wrapped == nil || wrapped.TTL != 60 || wrapped.CreationPath != "auth/token/create" || wrapped.WrappedAccessor == "" {
			t.Fatalf("wrap info: %+v", wrapped)
		}
		info := got(k.root.Logical().Write("sys/wrapping/lookup", map[string]any{"token": wrapped.Token}))(t)
		if info.Data["creation_path"] != "auth/token/create" {
			t.Errorf("lookup: %v", info.Data)
		}
		opened := got(k.client(t, wrapped.Token).Logical().Unwrap(""))(t)
		if opened.Auth.Accessor != wrapped.WrappedAccessor {
			t.Errorf("unwrapped: %+v", opened.Auth)
		}
		if _, err := k.root.Logical().Unwrap(wrapped.Token); err == nil {
			t.Error("unwrapped twice")
		}
		again := got(c.Logical().Write("sys/wrapping/wrap", map[string]any{"a": "b"}))(t).WrapInfo
		if s := got(k.root.Logical().Unwrap(again.Token))(t); s.Data["a"] != "b" {
			t.Errorf("unwrapped: %v", s.Data)
		}
	})
}
