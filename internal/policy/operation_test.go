package policy_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/policy"
)

func TestEveryResourceFormParses(t *testing.T) {
	ops := policy.Operations()
	if len(ops) < 300 || !slices.IsSorted(ops) {
		t.Fatalf("%d operations", len(ops))
	}
	if n := policy.RowCount(); n != len(ops) {
		t.Errorf("%d rows for %d operations: one stands twice", n, len(ops))
	}
	for _, op := range ops {
		form := op.Form()
		rest := strings.Replace(strings.Replace(form, "{space}", "", 1), "{path}", "", 1)
		if form == "" || strings.ContainsAny(rest, "{}*+") || strings.HasPrefix(form, "/") || strings.Contains(form, "//") {
			t.Errorf("%s: the form %q is not one", op, form)
		}
		resource := op.Resource("shop/prod", "dir/KEY")
		p, err := policy.ParsePattern(resource)
		if err != nil || p.Kind() != policy.KindLiteral || !p.Matches(resource) || strings.ContainsAny(resource, "{}") {
			t.Errorf("%s: the resource %q does not parse as a literal: %v", op, resource, err)
		}
		if got := op.Capability(); got&policy.Deny != 0 || op.Open() != (got == 0) || !op.Known() {
			t.Errorf("%s: capability %v, open %v", op, got, op.Open())
		}
	}
}

// TestVendorsCallsAreInTheTable goes through the vendors' own lists of calls (the Secrets Manager and STS actions, the methods of SecretManagerService, the
// operations of Key Vault's secrets).
func TestVendorsCallsAreInTheTable(t *testing.T) {
	calls := map[string]string{
		"aws": `BatchGetSecretValue CancelRotateSecret CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetRandomPassword GetResourcePolicy
			GetSecretValue ListSecretVersionIds ListSecrets PutResourcePolicy PutSecretValue RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret
			RotateSecret StopReplicationToReplica TagResource UntagResource UpdateSecret UpdateSecretVersionStage ValidateResourcePolicy
			GetCallerIdentity AssumeRole AssumeRoleWithWebIdentity GetSessionToken GetAccessKeyInfo`,
		"gcp": `ListSecrets CreateSecret AddSecretVersion GetSecret UpdateSecret DeleteSecret ListSecretVersions GetSecretVersion AccessSecretVersion
			DisableSecretVersion EnableSecretVersion DestroySecretVersion SetIamPolicy GetIamPolicy TestIamPermissions`,
		"azure": `SetSecret DeleteSecret UpdateSecret GetSecret GetSecrets GetSecretVersions GetDeletedSecrets GetDeletedSecret PurgeDeletedSecret
			RecoverDeletedSecret BackupSecret RestoreSecret`,
	}
	for dialect, names := range calls {
		for _, name := range strings.Fields(names) {
			if op := policy.Operation(dialect + "." + name); !op.Known() {
				t.Errorf("%s is missing", op)
			}
		}
	}
	for _, list := range []policy.Operation{"aws.ListSecrets", "aws.BatchGetSecretValue", "gcp.ListSecrets", "azure.GetSecrets", "azure.GetDeletedSecrets", "native.search", "native.tree"} {
		if item := list + ".item"; !item.Known() || item.Capability() != policy.Read {
			t.Errorf("%s has no item to filter by", list)
		}
	}
}

// TestOperationTableIsReviewed holds the table against a golden copy, so that a change of what an operation needs is seen as a change.
func TestOperationTableIsReviewed(t *testing.T) {
	text, err := os.ReadFile("testdata/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[policy.Operation]bool{}
	for l := range strings.Lines(string(text)) {
		fields := strings.Fields(l)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		op := policy.Operation(fields[0])
		want[op] = true
		caps := op.Capability().String()
		if caps == "" {
			caps = "open"
		}
		if len(fields) != 3 || fields[1] != caps || fields[2] != op.Form() {
			t.Errorf("%s: the list says %v, the table %s %s", op, fields[1:], caps, op.Form())
		}
	}
	for _, op := range policy.Operations() {
		if !want[op] {
			t.Errorf("%s stands in the table, not in the list", op)
		}
	}
}

func TestVendorsSudoPathsNeedSudo(t *testing.T) {
	// https://openbao.org/docs/concepts/policies/#root-protected-api-endpoints; sys/raw and the rest of the table's first column.
	for _, prefix := range []string{
		"auth/token/accessors/", "sys/audit", "sys/auth/", "sys/config/auditing/request-headers", "sys/config/cors", "sys/config/ui/headers", "sys/internal/inspect/router/",
		"sys/leases/lookup/", "sys/leases/revoke-force/", "sys/leases/revoke-prefix/", "sys/plugins/catalog/", "sys/raw", "sys/remount", "sys/rotate", "sys/seal", "sys/step-down",
	} {
		found := false
		for _, op := range policy.Operations() {
			resource := op.Resource("s", "x")
			if resource != prefix && resource != prefix+"/x" && (!strings.HasSuffix(prefix, "/") || !strings.HasPrefix(resource, prefix)) {
				continue
			}
			found = true
			if op.Capability()&policy.Sudo == 0 {
				t.Errorf("%s on %s needs no sudo", op, resource)
			}
		}
		if !found {
			t.Errorf("no operation is on %s", prefix)
		}
	}
}

func TestResource(t *testing.T) {
	tests := []struct {
		op               policy.Operation
		want, flat, path string
	}{
		{"vault.kv2.read", "shop/prod/data/db/KEY", "shop/prod/db/KEY", "db/KEY"},
		{"vault.kv2.list", "shop/prod/metadata/db/", "shop/prod/db/", "db/"},
		{"vault.kv2.config.read", "shop/prod/config", "shop/prod/config", ""},
		{"vault.kv1.read", "shop/prod/K", "shop/prod/K", "K"},
		{"aws.ListSecrets", "shop/prod/metadata/", "shop/prod/metadata/", "ignored"},
		{"vault.sys.seal", "sys/seal", "sys/seal", "ignored"},
		{"vault.sys.policy.read", "sys/policies/acl/web", "sys/policies/acl/web", "web"},
		{"vault.sys.mounts.tune.read", "sys/mounts/secret/tune", "sys/mounts/secret/tune", "secret"},
		{"no.such", "", "", "x"},
	}
	for _, tt := range tests {
		if got := tt.op.Resource("shop/prod", tt.path); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.op, got, tt.want)
		}
		if got := tt.op.FlatResource("shop/prod", tt.path); got != tt.flat {
			t.Errorf("%s flat: got %q, want %q", tt.op, got, tt.flat)
		}
	}
	if op := policy.Operation("no.such"); op.Known() || op.Open() || op.Capability() != 0 {
		t.Error("an unknown operation is known")
	}
	if got := policy.Operation("vault.kv2.read").Resource("{path}", "{space}"); got != "{path}/data/{space}" {
		t.Errorf("names that look like forms: got %q", got)
	}
}
