package vault

import (
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// TestActsNeedWhatPolicySays: an act brings its own need, and policy's table says what the operation takes. They must
// not drift apart.
func TestActsNeedWhatPolicySays(t *testing.T) {
	web, err := policy.NormalizeName("web")
	if err != nil {
		t.Fatal(err)
	}
	for op, act := range map[policy.Operation]interface{ Need() record.Need }{
		"vault.sys.mounts.enable":        registry.MakeSpace{Space: secret.Space{Name: "x"}},
		"vault.sys.mounts.disable":       registry.DropSpace{Name: "x"},
		"vault.sys.mounts.tune.update":   registry.TuneSpace{Name: "x"},
		"vault.sys.remount":              registry.RenameSpace{},
		"vault.sys.auth.enable":          registry.MakeMount{Mount: registry.Mount{Name: "x"}},
		"vault.sys.auth.disable":         registry.DropMount{Name: "x"},
		"vault.sys.auth.tune.update":     registry.TuneMount{Name: "x"},
		"vault.sys.policy.update":        registry.WritePolicy{Name: web, Resource: "sys/policies/acl/x"},
		"vault.sys.policy.delete":        registry.DropPolicy{Name: web, Resource: "sys/policies/acl/x"},
		"vault.sys.quotas.update":        registry.WriteQuota{Quota: registry.Quota{Name: "x"}},
		"vault.sys.quotas.delete":        registry.DropQuota{Name: "x"},
		"vault.sys.quotas.config.update": registry.WriteQuotaConfig{},
		"vault.sys.namespaces.create":    registry.MakeNamespace{Name: "x"},
		"vault.sys.namespaces.patch":     registry.PatchNamespace{Name: "x"},
		"vault.sys.namespaces.delete":    registry.DropNamespace{Name: "x"},
		"vault.sys.leases.lookup":        auth.LookupLease{},
		"vault.sys.leases.renew":         auth.RenewLease{},
		"vault.sys.leases.revoke":        auth.RevokeLease{},
		"vault.sys.leases.revoke-prefix": auth.RevokePrefix{Prefix: "x"},
		"vault.sys.leases.revoke-force":  auth.RevokePrefix{Prefix: "x", Force: true},
		"vault.sys.leases.count":         auth.CountLeases{},
		"vault.sys.leases.tidy":          leaseTidy{},
		"native.grant.update":            registry.WriteGrants{Role: web},
		"native.grant.delete":            registry.DropGrants{Role: web},
	} {
		got, path := act.Need(), "x"
		if op == "native.grant.update" || op == "native.grant.delete" {
			path = "web"
		}
		want := need(op, op.Resource("", path))
		if got.Resource != want.Resource || got.Capability != want.Capability || got.Sudo != want.Sudo {
			t.Errorf("%s: the act needs %s%v on %q, policy's table says %s%v on %q", op, got.Capability, got.Sudo, got.Resource, want.Capability, want.Sudo, want.Resource)
		}
	}
}
