package vaultapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

func TestAudit(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		s := k.root.Sys()
		devices := got(s.ListAudit())(t)
		if devices["log/"] == nil || devices["log/"].Type != "file" {
			t.Errorf("devices: %v", devices)
		}
		hash := got(s.AuditHash("log", "canary"))(t)
		if again := got(s.AuditHash("log", "canary"))(t); !strings.HasPrefix(hash, "hmac-sha256:") || again != hash {
			t.Errorf("hashes: %q and %q", hash, again)
		}
		refused(t, http.StatusBadRequest, s.EnableAuditWithOptions("file", &api.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": "/tmp/x"}}))
		refused(t, http.StatusBadRequest, s.DisableAudit("log"))
		if after := got(s.ListAudit())(t); len(after) != len(devices) {
			t.Errorf("devices afterwards: %v", after)
		}
		const headers = "sys/config/auditing/request-headers"
		got(k.root.Logical().Read(headers))(t)
		_, err := k.root.Logical().Read(headers + "/x-forwarded-for")
		refused(t, http.StatusBadRequest, err)
		_, err = k.root.Logical().Write(headers+"/x-forwarded-for", map[string]any{"hmac": true})
		refused(t, http.StatusBadRequest, err)
		got(k.root.Logical().Delete(headers + "/x-forwarded-for"))(t)
	})
}

func TestQuotas(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		got(k.root.KVv2("secret").Put(context.Background(), "a", map[string]any{"x": "1"}))(t)
		got(l.Write("sys/quotas/rate-limit/slow", map[string]any{"path": "secret", "rate": 2, "interval": "1h"}))(t)
		if q := got(l.Read("sys/quotas/rate-limit/slow"))(t); q.Data["path"] != "secret/" || q.Data["name"] != "slow" {
			t.Errorf("quota: %v", q.Data)
		}
		if names := got(l.List("sys/quotas/rate-limit"))(t); !slices.Contains(names.Data["keys"].([]any), any("slow")) {
			t.Errorf("quotas: %v", names.Data)
		}
		got(l.Write("sys/quotas/config", map[string]any{"enable_rate_limit_response_headers": true}))(t)
		if c := got(l.Read("sys/quotas/config"))(t); c.Data["enable_rate_limit_response_headers"] != true {
			t.Errorf("config: %v", c.Data)
		}
		var last error
		for range 3 {
			_, last = l.Read("secret/data/a")
		}
		refused(t, http.StatusTooManyRequests, last)
		got(l.Delete("sys/quotas/rate-limit/slow"))(t)
		got(l.Read("secret/data/a"))(t)
	})
}

func TestIdentity(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		text := func(s *api.Secret, name string) string { v, _ := s.Data[name].(string); return v }
		must(t, k.root.Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		accessor := got(k.root.Sys().ListAuth())(t)["people/"].Accessor
		ann := text(got(l.Write("identity/entity", map[string]any{"name": "ann", "metadata": map[string]string{"team": "web"}}))(t), "id")
		got(l.Write("identity/entity/id/"+ann, map[string]any{"policies": []string{"dev"}}))(t)
		got(l.Write("identity/entity/name/ann", map[string]any{"disabled": false}))(t)
		bob := text(got(l.Write("identity/entity/name/bob", map[string]any{}))(t), "id")
		for _, path := range []string{"identity/entity/id/" + ann, "identity/entity/name/ann"} {
			if e := got(l.Read(path))(t); text(e, "name") != "ann" || text(e, "id") != ann {
				t.Errorf("%s: %v", path, e.Data)
			}
		}
		for _, path := range []string{"identity/entity/id", "identity/entity/name"} {
			if e := got(l.List(path))(t); len(e.Data["keys"].([]any)) < 2 {
				t.Errorf("%s: %v", path, e.Data)
			}
		}
		alias := text(got(l.Write("identity/entity-alias", map[string]any{"name": "ann", "canonical_id": ann, "mount_accessor": accessor}))(t), "id")
		got(l.Write("identity/entity-alias/id/"+alias, map[string]any{"custom_metadata": map[string]string{"desk": "7"}}))(t)
		if a := got(l.Read("identity/entity-alias/id/" + alias))(t); text(a, "canonical_id") != ann || text(a, "mount_type") != "userpass" {
			t.Errorf("alias: %v", a.Data)
		}
		got(l.List("identity/entity-alias/id"))(t)
		if e := got(l.Write("identity/lookup/entity", map[string]any{"alias_name": "ann", "alias_mount_accessor": accessor}))(t); text(e, "id") != ann {
			t.Errorf("lookup: %v", e.Data)
		}

		inner := text(got(l.Write("identity/group", map[string]any{"name": "inner", "member_entity_ids": []string{ann}}))(t), "id")
		outer := text(got(l.Write("identity/group/name/outer", map[string]any{"member_group_ids": []string{inner}}))(t), "id")
		got(l.Write("identity/group/id/"+outer, map[string]any{"policies": []string{"dev"}}))(t)
		if g := got(l.Read("identity/group/id/" + inner))(t); !slices.Equal(g.Data["parent_group_ids"].([]any), []any{outer}) {
			t.Errorf("group: %v", g.Data)
		}
		if e := got(l.Read("identity/entity/id/" + ann))(t); !slices.Equal(e.Data["inherited_group_ids"].([]any), []any{outer}) {
			t.Errorf("in groups: %v", e.Data)
		}
		if g := got(l.Read("identity/group/name/outer"))(t); text(g, "id") != outer {
			t.Errorf("group by name: %v", g.Data)
		}
		got(l.List("identity/group/id"))(t)
		got(l.List("identity/group/name"))(t)
		if g := got(l.Write("identity/lookup/group", map[string]any{"name": "inner"}))(t); text(g, "id") != inner {
			t.Errorf("lookup: %v", g.Data)
		}

		// Who signs in by the alias has what the entity and its groups have.
		must(t, k.root.Sys().PutPolicy("dev", devPolicy))
		got(l.Write("auth/people/users/ann", map[string]any{"password": "correct horse"}))(t)
		signed := got(k.client(t, "").Logical().Write("auth/people/login/ann", map[string]any{"password": "correct horse"}))(t)
		if signed.Auth.EntityID != ann || !slices.Contains(signed.Auth.IdentityPolicies, "dev") {
			t.Errorf("signed in: %+v", signed.Auth)
		}
		got(k.client(t, signed.Auth.ClientToken).Logical().Write("secret/data/by-ann", map[string]any{"data": map[string]any{"x": "1"}}))(t)

		// bob and ann turn out to be one.
		got(l.Write("identity/entity/merge", map[string]any{"from_entity_ids": []string{bob}, "to_entity_id": ann}))(t)
		if e, err := l.Read("identity/entity/id/" + bob); err == nil && e != nil {
			t.Errorf("bob is still there: %v", e.Data)
		}

		got(l.Delete("identity/group/name/outer"))(t)
		got(l.Delete("identity/group/id/" + inner))(t)
		got(l.Delete("identity/entity-alias/id/" + alias))(t)
		got(l.Delete("identity/entity/name/bob"))(t)
		got(l.Delete("identity/entity/id/" + ann))(t)
		third := text(got(l.Write("identity/entity", map[string]any{"name": "third"}))(t), "id")
		got(l.Write("identity/entity/batch-delete", map[string]any{"entity_ids": []string{third}}))(t)
	})
}

func TestAppRoleToTheEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		const role = "auth/approle/role/job"
		got(l.Write(role, map[string]any{"token_policies": "default", "secret_id_num_uses": 5}))(t)
		if r := got(l.Read(role))(t); r.Data["secret_id_num_uses"] != json.Number("5") {
			t.Errorf("role: %v", r.Data)
		}
		got(l.List("auth/approle/role"))(t)
		made := got(l.Write(role+"/secret-id", nil))(t)
		id, accessor := made.Data["secret_id"], made.Data["secret_id_accessor"]
		got(l.List(role + "/secret-id"))(t)
		got(l.Write(role+"/secret-id/lookup", map[string]any{"secret_id": id}))(t)
		got(l.Write(role+"/secret-id-accessor/lookup", map[string]any{"secret_id_accessor": accessor}))(t)
		got(l.Write(role+"/secret-id/destroy", map[string]any{"secret_id": id}))(t)
		made = got(l.Write(role+"/secret-id", nil))(t)
		k.do(t, http.MethodDelete, role+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": made.Data["secret_id_accessor"]})
		made = got(l.Write(role+"/secret-id", nil))(t)
		got(l.Write(role+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": made.Data["secret_id_accessor"]}))(t)
		made = got(l.Write(role+"/secret-id", nil))(t)
		k.do(t, http.MethodDelete, role+"/secret-id/destroy", map[string]any{"secret_id": made.Data["secret_id"]})
		got(l.Write(role+"/custom-secret-id", map[string]any{"secret_id": "3f2c9a54-8f8e-4f7e-9a1c-6f1f4f0b2a77-7d9e"}))(t)
		got(l.Write(role+"/token-ttl", map[string]any{"token_ttl": 60}))(t)
		got(l.Delete(role + "/token-ttl"))(t)
		got(l.Write("auth/approle/tidy/secret-id", nil))(t)
	})
}

func TestMoreOfTokensAndUsers(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		got(l.Write("auth/token/roles/ci", map[string]any{"allowed_policies": "default"}))(t)
		got(l.Read("auth/token/roles/ci"))(t)
		got(l.List("auth/token/roles"))(t)
		got(l.Delete("auth/token/roles/ci"))(t)
		got(l.Write("auth/token/tidy", nil))(t)
		k.do(t, http.MethodPost, "auth/token/lookup-self", nil)
		k.do(t, http.MethodGet, "auth/token/lookup", nil)
		must(t, k.root.Sys().EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		const bob = "auth/people/users/bob"
		got(l.Write(bob, map[string]any{"password": "correct horse"}))(t)
		got(l.Read(bob))(t)
		got(l.List("auth/people/users"))(t)
		got(l.Write(bob+"/password", map[string]any{"password": "battery staple"}))(t)
		got(l.Write(bob+"/policies", map[string]any{"token_policies": "default"}))(t)
		got(k.client(t, "").Logical().Write("auth/people/login/bob", map[string]any{"password": "battery staple"}))(t)
		got(l.Delete(bob))(t)
	})
}

func TestMoreOfMountsAndPolicies(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		s, l := k.root.Sys(), k.root.Logical()
		must(t, s.EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		if m := got(s.GetAuth("people"))(t); m.Type != "userpass" {
			t.Errorf("mount: %+v", m)
		}
		must(t, s.TuneMount("auth/people", api.MountConfigInput{DefaultLeaseTTL: "1h"}))
		if c := got(s.MountConfig("auth/people"))(t); c.DefaultLeaseTTL != 3600 {
			t.Errorf("tuned: %+v", c)
		}
		got(l.Write("sys/auth/people/tune", map[string]any{"max_lease_ttl": "2h"}))(t)
		got(l.Read("sys/auth/people/tune"))(t)
		if m := got(s.GetMount("secret"))(t); m.Type != "kv" {
			t.Errorf("mount: %+v", m)
		}
		got(l.Read("sys/auth/people"))(t)
		for _, path := range []string{"sys/internal/ui/mounts", "sys/internal/ui/resultant-acl", "sys/internal/ui/namespaces"} {
			got(l.Read(path))(t)
		}
		got(l.Write("sys/policy/old", map[string]any{"policy": devPolicy}))(t)
		got(l.Read("sys/policy/old"))(t)
		k.do(t, http.MethodGet, "sys/policy", nil)
		got(l.List("sys/policy"))(t)
		got(l.Delete("sys/policy/old"))(t)

		got(l.Write("sys/namespaces/team", nil))(t)
		got(l.Read("sys/namespaces/team"))(t)
		_, err := l.JSONMergePatch(context.Background(), "sys/namespaces/team", map[string]any{"custom_metadata": map[string]any{"owner": "ann"}})
		must(t, err)
		k.do(t, "SCAN", "sys/namespaces", nil)
		got(l.Delete("sys/namespaces/team"))(t)
	})
}

func TestMoreOfLeases(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		s, l := k.root.Sys(), k.root.Logical()
		must(t, s.EnableAuthWithOptions("people", &api.EnableAuthOptions{Type: "userpass"}))
		got(l.Write("auth/people/users/bob", map[string]any{"password": "correct horse"}))(t)
		lease := func() string {
			t.Helper()
			got(k.client(t, "").Logical().Write("auth/people/login/bob", map[string]any{"password": "correct horse"}))(t)
			keys := got(l.List("sys/leases/lookup/auth/people/login/bob"))(t).Data["keys"].([]any)
			return "auth/people/login/bob/" + keys[0].(string)
		}
		id := lease()
		_, err := s.Renew(id, 60)
		refused(t, http.StatusBadRequest, err)
		for _, path := range []string{"sys/leases/renew/", "sys/renew/"} {
			_, err = do(k.root, http.MethodPut, path+id, map[string]any{"increment": 60})
			refused(t, http.StatusBadRequest, err)
		}
		must(t, s.Revoke(id))
		k.do(t, http.MethodPut, "sys/leases/revoke/"+lease(), nil)
		k.do(t, http.MethodPut, "sys/revoke/"+lease(), nil)
		lease()
		must(t, s.RevokeForce("auth/people/login/bob"))
		lease()
		k.do(t, http.MethodPut, "sys/revoke-force/auth/people/login/bob", nil)
		lease()
		k.do(t, http.MethodPut, "sys/revoke-prefix/auth/people/login/bob", nil)
		got(l.ReadWithData("sys/leases/count", map[string][]string{"type": {"token"}}))(t)
		got(l.Write("sys/leases/tidy", nil))(t)
	})
}

func TestMoreOfSecrets(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx, l := context.Background(), k.root.Logical()
		got(l.Write("secret/config", map[string]any{"max_versions": 7}))(t)
		if c := got(l.Read("secret/config"))(t); c.Data["max_versions"] != json.Number("7") {
			t.Errorf("config: %v", c.Data)
		}
		got(k.root.KVv2("secret").Put(ctx, "dir/a", map[string]any{"x": "1"}))(t)
		got(l.List("secret/metadata/dir"))(t)
		if names := k.do(t, "SCAN", "secret/metadata/", nil); len(names.Data["keys"].([]any)) == 0 {
			t.Error("nothing found")
		}
		k.do(t, "SCAN", "secret/metadata/dir/", nil)
		_, err := l.JSONMergePatch(ctx, "secret/destroy/dir/a", map[string]any{"versions": []int{1}})
		must(t, err)

		must(t, k.root.Sys().Mount("old", &api.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}))
		must(t, k.root.KVv1("old").Put(ctx, "dir/a", map[string]any{"x": "1"}))
		got(l.List("old/dir"))(t)
		k.do(t, "SCAN", "old/dir/", nil)
		got(l.Write("cubbyhole/dir/a", map[string]any{"x": "1"}))(t)
		got(l.List("cubbyhole/dir"))(t)
	})
}

func TestToolsAndNode(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		s, l := k.root.Sys(), k.root.Logical()
		got(l.Write("sys/tools/hash", map[string]any{"input": "YQ=="}))(t)
		if h := got(l.Write("sys/tools/hash/sha2-512", map[string]any{"input": "YQ==", "format": "hex"}))(t); len(h.Data["sum"].(string)) != 128 {
			t.Errorf("hash: %v", h.Data)
		}
		got(l.Write("sys/tools/random", nil))(t)
		got(l.Write("sys/tools/random/platform/8", nil))(t)
		c := k.client(t, k.root.Token())
		c.SetWrappingLookupFunc(func(string, string) string { return "60s" })
		wrapped := got(c.Logical().Write("sys/wrapping/wrap", map[string]any{"a": "b"}))(t).WrapInfo
		again := k.do(t, http.MethodPut, "sys/wrapping/rewrap", map[string]any{"token": wrapped.Token}).WrapInfo
		got(do(k.client(t, again.Token), http.MethodGet, "sys/wrapping/lookup", nil))(t)
		if n := got(s.HAStatus())(t); len(n.Nodes) != 1 {
			t.Errorf("nodes: %+v", n)
		}
		if r := got(l.Read("sys/storage/raft/configuration"))(t); len(r.Data["config"].(map[string]any)["servers"].([]any)) != 1 {
			t.Errorf("configuration: %v", r.Data)
		}
		if h := got(l.Read("sys/host-info"))(t); h.Data["timestamp"] == nil {
			t.Errorf("host: %v", h.Data)
		}
		got(s.ReplicationStatus())(t)
		must(t, s.StepDown())
		resp, err := l.ReadRaw("sys/metrics")
		must(t, err)
		_ = resp.Body.Close()
	})
}

// TestRestore gives a store back what it was. Under what names stands in the snapshot, so sessions of before are over.
func TestRestore(t *testing.T) {
	for _, force := range []bool{false, true} {
		k := opened(t)
		ctx := context.Background()
		got(k.root.KVv2("secret").Put(ctx, "kept", map[string]any{"x": "1"}))(t)
		var b bytes.Buffer
		must(t, k.root.Sys().RaftSnapshot(&b))
		got(k.root.KVv2("secret").Put(ctx, "kept", map[string]any{"x": "2"}))(t)
		path := "/v1/sys/storage/raft/snapshot"
		if force {
			path += "-force"
		}
		rq := k.root.NewRequest(http.MethodPost, path)
		rq.Params.Set("keep_sessions", "true")
		rq.Body = &b
		resp, err := k.root.RawRequest(rq) //nolint:staticcheck // RaftSnapshotRestore cannot keep the sessions
		must(t, err)
		_ = resp.Body.Close()
		if s := got(k.root.KVv2("secret").Get(ctx, "kept"))(t); s.Data["x"] != "1" {
			t.Errorf("restored: %v", s.Data)
		}
	}
}
