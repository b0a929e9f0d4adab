package vaultapi

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

func TestStatus(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		s := k.root.Sys()
		if h := got(s.Health())(t); !h.Initialized || h.Sealed || h.Standby || h.Version == "" {
			t.Errorf("health: %+v", h)
		}
		if st := got(s.SealStatus())(t); st.Sealed || !st.Initialized {
			t.Errorf("seal status: %+v", st)
		}
		if !got(s.InitStatus())(t) {
			t.Error("not initialized")
		}
		if l := got(s.Leader())(t); l.HAEnabled {
			t.Errorf("leader: %+v", l)
		}
		if ks := got(s.KeyStatus())(t); ks.Term != 1 || ks.InstallTime.IsZero() {
			t.Errorf("key status: %+v", ks)
		}
		must(t, s.Rotate())
		if ks := got(s.KeyStatus())(t); ks.Term != 2 {
			t.Errorf("rotated: %+v", ks)
		}
		if devices := got(s.ListAudit())(t); len(devices) == 0 {
			t.Error("no audit device")
		}
		if r := got(k.root.Logical().Write("sys/tools/random/16", nil))(t); r.Data["random_bytes"] == "" {
			t.Errorf("random: %v", r.Data)
		}
	})
}

func TestMounts(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx, s := context.Background(), k.root.Sys()
		must(t, s.Mount("m1", &api.MountInput{Type: "kv-v2", Description: "first"}))
		if m := got(s.ListMounts())(t)["m1/"]; m == nil || m.Type != "kv" || m.Options["version"] != "2" || m.Description != "first" {
			t.Errorf("mount: %+v", m)
		}
		must(t, s.TuneMount("m1", api.MountConfigInput{DefaultLeaseTTL: "1h", MaxLeaseTTL: "2h"}))
		if c := got(s.MountConfig("m1"))(t); c.DefaultLeaseTTL != 3600 || c.MaxLeaseTTL != 7200 {
			t.Errorf("tuning: %+v", c)
		}
		got(k.root.KVv2("m1").Put(ctx, "a", map[string]any{"x": "1"}))(t)
		must(t, s.Remount("m1", "m2"))
		if v := got(k.root.KVv2("m2").Get(ctx, "a"))(t); v.Data["x"] != "1" {
			t.Errorf("moved: %v", v.Data)
		}
		must(t, s.Unmount("m2"))
		_, err := k.root.Logical().Write("m2/data/a", map[string]any{"data": map[string]any{"x": "1"}})
		refused(t, http.StatusNotFound, err)
		if got(k.root.Logical().Read("sys/internal/ui/mounts/secret/a"))(t).Data["path"] != "secret/" {
			t.Error("no preflight")
		}
	})
}

func TestPoliciesAndCapabilities(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx, s := context.Background(), k.root.Sys()
		text := `path "secret/data/open/*" { capabilities = ["read"] }`
		must(t, s.PutPolicy("open", text))
		if p := got(s.GetPolicy("open"))(t); p != text {
			t.Errorf("policy: %q", p)
		}
		if !slices.Contains(got(s.ListPolicies())(t), "open") {
			t.Error("not listed")
		}
		made := got(k.root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"open"}}))(t).Auth
		for name, caps := range map[string][]string{
			"by token":    got(s.Capabilities(made.ClientToken, "secret/data/open/a"))(t),
			"by accessor": got(s.CapabilitiesAccessor(made.Accessor, "secret/data/open/a"))(t),
			"self":        got(k.client(t, made.ClientToken).Sys().CapabilitiesSelf("secret/data/open/a"))(t),
		} {
			if !slices.Equal(caps, []string{"read"}) {
				t.Errorf("%s: %v", name, caps)
			}
		}
		got(k.root.KVv2("secret").Put(ctx, "open/a", map[string]any{"x": "1"}))(t)
		limited := k.client(t, made.ClientToken)
		got(limited.KVv2("secret").Get(ctx, "open/a"))(t)
		_, err := limited.Logical().Read("secret/data/closed/a")
		refused(t, http.StatusForbidden, err)
		refused(t, http.StatusForbidden, limited.Sys().PutPolicy("mine", text))
		must(t, s.DeletePolicy("open"))
		_, err = limited.Logical().Read("secret/data/open/a")
		refused(t, http.StatusForbidden, err)
	})
}

func TestNamespaces(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx := context.Background()
		got(k.root.Logical().Write("sys/namespaces/team", nil))(t)
		in := k.root.WithNamespace("team")
		must(t, in.Sys().Mount("secret", &api.MountInput{Type: "kv-v2"}))
		got(in.KVv2("secret").Put(ctx, "a", map[string]any{"x": "team"}))(t)
		if s := got(k.root.Logical().Read("team/secret/data/a"))(t); s.Data["data"].(map[string]any)["x"] != "team" {
			t.Errorf("by path: %v", s.Data)
		}
		if s, err := k.root.Logical().Read("secret/data/a"); s != nil || err != nil {
			t.Errorf("the root namespace has it too: %v, %v", s, err)
		}
		made := got(in.Auth().Token().CreateOrphan(&api.TokenCreateRequest{Policies: []string{"default"}}))(t).Auth
		_, err := k.client(t, made.ClientToken).Logical().Read("secret/data/a")
		refused(t, http.StatusForbidden, err)
		_, err = k.root.Auth().Token().LookupAccessor(made.Accessor)
		refused(t, http.StatusBadRequest, err)
		if l := got(k.root.Logical().List("sys/namespaces"))(t); !slices.Contains(l.Data["keys"].([]any), any("team/")) {
			t.Errorf("list: %v", l.Data)
		}
	})
}

func TestLeases(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		got(l.Write("auth/approle/role/web", map[string]any{"token_policies": "default"}))(t)
		id := got(l.Read("auth/approle/role/web/role-id"))(t).Data["role_id"]
		secret := got(l.Write("auth/approle/role/web/secret-id", nil))(t).Data["secret_id"]
		signed := got(k.client(t, "").Logical().Write("auth/approle/login", map[string]any{"role_id": id, "secret_id": secret}))(t)
		keys := got(l.List("sys/leases/lookup/auth/approle/login"))(t).Data["keys"].([]any)
		if len(keys) != 1 {
			t.Fatalf("leases: %v", keys)
		}
		lease := "auth/approle/login/" + keys[0].(string)
		if s := got(k.root.Sys().Lookup(lease))(t); s.Data["id"] != lease {
			t.Errorf("lookup: %v", s.Data)
		}
		must(t, k.root.Sys().RevokePrefix("auth/approle/login"))
		_, err := k.client(t, signed.Auth.ClientToken).Auth().Token().LookupSelf()
		refused(t, http.StatusForbidden, err)
	})
}

func TestSnapshot(t *testing.T) {
	everywhere(t, func(t *testing.T, k *keep) {
		ctx := context.Background()
		got(k.root.KVv2("secret").Put(ctx, "kept", map[string]any{"x": "1"}))(t)
		var b bytes.Buffer
		must(t, k.root.Sys().RaftSnapshot(&b))
		got(k.root.KVv2("secret").Put(ctx, "kept", map[string]any{"x": "2"}))(t)
		if b.Len() < 1000 {
			t.Errorf("a snapshot of %d bytes", b.Len())
		}
	})
}

// TestCeremony is the whole life of the root key: shares, sealing, a new set of shares, and a new root token.
func TestCeremony(t *testing.T) {
	k := sealed(t)
	if h := got(k.root.Sys().Health())(t); h.Initialized || !h.Sealed {
		t.Errorf("health: %+v", h)
	}
	made := k.initialize(t, 3, 2)
	s := k.root.Sys()
	must(t, s.Seal())
	if st := got(s.Unseal(made.KeysB64[0]))(t); st.Progress != 1 || st.T != 2 || st.N != 3 {
		t.Errorf("one share: %+v", st)
	}
	if st := got(s.ResetUnsealProcess())(t); st.Progress != 0 {
		t.Errorf("reset: %+v", st)
	}
	for _, share := range made.KeysB64[1:] {
		got(s.Unseal(share))(t)
	}

	rekey := got(s.RekeyInit(&api.RekeyInitRequest{SecretShares: 5, SecretThreshold: 3}))(t)
	if st := got(s.RekeyStatus())(t); !st.Started || st.Required != 2 {
		t.Errorf("rekey: %+v", st)
	}
	var fresh *api.RekeyUpdateResponse
	for _, share := range made.Keys[:2] {
		fresh = got(s.RekeyUpdate(share, rekey.Nonce))(t)
	}
	if !fresh.Complete || len(fresh.Keys) != 5 {
		t.Fatalf("rekeyed: %+v", fresh)
	}
	must(t, s.Seal())
	for _, share := range fresh.Keys[:3] {
		got(s.Unseal(share))(t)
	}
	if got(s.SealStatus())(t).Sealed {
		t.Error("the new shares do not open it")
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		if _, err := k.root.Auth().Token().LookupSelf(); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if st := got(s.GenerateRootStatus())(t); st.Started {
		t.Errorf("root generation: %+v", st)
	}
}
