package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func name(t testing.TB, s string) policy.Name {
	t.Helper()
	n, err := policy.NormalizeName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func grant(t testing.TB, verbs, space, path string) policy.Grant {
	t.Helper()
	g, err := policy.NewGrant("web", strings.Split(verbs, " "), space, path, false)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func grantSet(t testing.TB, grants ...policy.Grant) *policy.Set {
	t.Helper()
	p, err := policy.GrantPolicy(name(t, "web"), grants...)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(time.Time{}, p)
}

func TestGrantVerbs(t *testing.T) {
	ops := map[string][]policy.Operation{
		"read":    {"vault.kv2.read", "vault.kv2.subkeys", "vault.kv2.metadata.read", "aws.GetSecretValue", "aws.DescribeSecret", "gcp.AccessSecretVersion", "azure.GetSecret"},
		"write":   {"vault.kv2.create", "vault.kv2.update", "vault.kv2.patch", "aws.PutSecretValue", "gcp.AddSecretVersion", "azure.SetSecret"},
		"list":    {"vault.kv2.list", "vault.kv2.scan", "aws.ListSecrets", "gcp.ListSecrets", "azure.GetSecrets", "native.watch"},
		"delete":  {"vault.kv2.delete", "vault.kv2.delete-versions", "vault.kv2.undelete", "aws.DeleteSecret", "aws.RestoreSecret", "gcp.DisableSecretVersion", "azure.RecoverDeletedSecret"},
		"destroy": {"vault.kv2.destroy", "vault.kv2.metadata.delete", "aws.DeleteSecret.force", "gcp.DestroySecretVersion", "gcp.DeleteSecret", "azure.PurgeDeletedSecret"},
		"manage":  {"vault.kv2.metadata.update", "vault.kv2.metadata.patch", "aws.UpdateSecretVersionStage", "aws.TagResource", "gcp.UpdateSecret", "azure.UpdateSecret", "native.label.move"},
		"rotate":  {"aws.RotateSecret", "aws.CancelRotateSecret"},
	}
	for verb := range ops {
		s := grantSet(t, grant(t, verb, "shop/prod", "*"))
		admin := grantSet(t, grant(t, "admin", "shop/prod", "*"))
		for other, list := range ops {
			for _, op := range list {
				r := policy.Request{Resource: op.Resource("shop/prod", "KEY"), Capability: op.Capability(), Protected: "shop/prod"}
				if got := s.Decide(r).Allowed; got != (verb == other) {
					t.Errorf("%s: %s: got %v", verb, op, got)
				}
				if !admin.Decide(r).Allowed {
					t.Errorf("admin: %s is refused", op)
				}
				r.Resource = op.Resource("shop/dev", "KEY")
				if admin.Decide(r).Allowed {
					t.Errorf("admin of shop/prod may do %s in shop/dev", op)
				}
			}
		}
	}
}

func TestGrantForms(t *testing.T) {
	tests := []struct {
		name   string
		grants []policy.Grant
		allow  []string
		deny   []string
	}{
		{"everything", []policy.Grant{grant(t, "read", "shop/prod", "")}, []string{"read shop/prod/data/A", "read shop/prod/data/a/b"}, []string{"read shop/dev/data/A", "update shop/prod/data/A", "read shop/prod/config"}},
		{"braces", []policy.Grant{grant(t, "read", "shop/prod", "{A, B}")}, []string{"read shop/prod/data/A", "read shop/prod/data/B"}, []string{"read shop/prod/data/C", "read shop/prod/data/AB"}},
		{"braces twice", []policy.Grant{grant(t, "read", "shop/prod", "{a,b}/{c,d}_x")}, []string{"read shop/prod/data/a/d_x", "read shop/prod/data/b/c_x"}, []string{"read shop/prod/data/a/d"}},
		{"several verbs", []policy.Grant{grant(t, "read,write list", "s", "db/*")}, []string{"read s/data/db/x", "update s/data/db/x", "list s/metadata/db/"}, []string{"delete s/data/db/x", "list s/metadata/"}},
		{"admin of one key has no config", []policy.Grant{grant(t, "admin", "s", "K")}, []string{"read s/data/K", "update s/destroy/K"}, []string{"read s/config"}},
		{"admin of all has it", []policy.Grant{grant(t, "admin", "s", "*")}, []string{"update s/config"}, nil},
		{"any environment", []policy.Grant{grant(t, "read", "shop/+", "K")}, []string{"read shop/dev/data/K"}, []string{"read other/dev/data/K", "read shop/a/b/data/K"}},
		{
			"grants add up where one covers the other",
			[]policy.Grant{grant(t, "read", "s", "*"), grant(t, "write", "s", "DB"), grant(t, "delete", "s", "D*")},
			[]string{"read s/data/DB", "update s/data/DB", "delete s/data/DB", "read s/data/DX", "delete s/data/DX"},
			[]string{"update s/data/DX", "delete s/data/X"},
		},
		{
			"and where they cross",
			[]policy.Grant{grant(t, "read", "shop/+", "K"), grant(t, "write", "shop/prod", "*"), grant(t, "delete", "+/prod", "K")},
			[]string{"read shop/prod/data/K", "update shop/prod/data/K", "delete shop/prod/data/K", "read shop/dev/data/K", "delete x/prod/data/K"},
			[]string{"update shop/dev/data/K", "read shop/prod/data/L", "read x/prod/data/K"},
		},
		{"deny is absolute", []policy.Grant{grant(t, "admin", "s", "*"), grant(t, "deny", "s", "PAY*")}, []string{"read s/data/X"}, []string{"read s/data/PAYMENT", "list s/metadata/PAY/", "update s/destroy/PAY"}},
		{"templates wait", []policy.Grant{grant(t, "read", "s", "{{identity.entity.name}}/*")}, nil, []string{"read s/data/ada/x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := grantSet(t, tt.grants...)
			for want, list := range map[bool][]string{true: tt.allow, false: tt.deny} {
				for _, text := range list {
					verb, resource, _ := strings.Cut(text, " ")
					d := s.Decide(policy.Request{Resource: resource, Capability: capsOf(t, []string{verb})})
					if d.Allowed != want {
						t.Errorf("%s: got %v (%v)", text, d.Allowed, d.Reason)
					}
				}
			}
		})
	}
}

func TestGrantFlatSpace(t *testing.T) {
	g, err := policy.NewGrant("web", []string{"read", "write"}, "kv", "app/*", true)
	if err != nil {
		t.Fatal(err)
	}
	s := grantSet(t, g)
	op := policy.Operation("vault.kv1.read")
	if !s.Decide(policy.Request{Resource: op.Resource("kv", "app/x"), Capability: op.Capability()}).Allowed {
		t.Error("read is refused")
	}
	if s.Decide(policy.Request{Resource: "kv/app/x", Capability: policy.Delete}).Allowed {
		t.Error("delete is allowed")
	}
	if all, err := policy.NewGrant("web", []string{"admin"}, "kv", "*", true); err != nil || grantSet(t, all).Capabilities("kv/x")&policy.Delete == 0 {
		t.Errorf("admin: %v", err)
	}
}

func TestGrantErrors(t *testing.T) {
	tests := []struct{ role, verbs, space, path string }{
		{"", "read", "s", "*"}, {"ro ot", "read", "s", "*"}, {"root", "read", "s", "*"}, {"web", "", "s", "*"}, {"web", "reed", "s", "*"}, {"web", "read", "", "*"}, {"web", "read", "s/*", "*"},
		{"web", "read", "s", "{a"}, {"web", "read", "s", "a}"}, {"web", "read", "s", "{a{b}}"}, {"web", "read", "s", "{a,b}/{c"}, {"web", "read", "s", "a/+*"}, {"web", "read deny", "s", "*"},
		{"web", "read", "s", strings.Repeat("{a,b,c,d,e,f,g,h}", 4)}, {"web", "read", "s", "a\x01"},
	}
	for _, tt := range tests {
		if g, err := policy.NewGrant(tt.role, []string{tt.verbs}, tt.space, tt.path, false); err == nil {
			t.Errorf("%+v became %v", tt, g)
		}
	}
	many := policy.Grant{Role: "web", Verbs: []policy.Verb{"read"}, Space: "s", Paths: make([]string, 300)}
	if _, err := many.Rules(); err == nil {
		t.Error("300 paths were taken")
	}
	if _, err := policy.GrantPolicy(name(t, "web"), many); err == nil {
		t.Error("300 paths were compiled")
	}
}

func TestGrantJSONIsStable(t *testing.T) {
	a := grant(t, "write read,read", "/shop/prod/", "{B,A,B}")
	b := grant(t, "list", "shop/dev", "*")
	one, err := policy.MarshalGrants([]policy.Grant{a, b})
	if err != nil {
		t.Fatal(err)
	}
	two, _ := policy.MarshalGrants([]policy.Grant{b, a})
	want := `[{"role":"web","verbs":["list"],"space":"shop/dev","paths":["*"]},{"role":"web","verbs":["read","write"],"space":"shop/prod","paths":["A","B"]}]`
	if string(one) != want || string(two) != want {
		t.Errorf("got %s and %s", one, two)
	}
	back, err := policy.ParseGrants(one)
	if err != nil || fmt.Sprint(back) != "[grant web list 'shop/dev/*' grant web read,write 'shop/prod/{A,B}']" {
		t.Errorf("got %v, %v", back, err)
	}
	for _, bad := range []string{"", "{}", "[] []", `[{"role":"web","verbs":["fly"],"space":"s","paths":["*"]}]`, `[{"extra":1}]`} {
		if _, err := policy.ParseGrants([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestSplitGrant(t *testing.T) {
	spaces := []string{"secret", "shop/dev", "shop/prod", "shop/prod/eu", "aws/123456789012/eu-west-1"}
	tests := []struct{ pattern, space, path string }{
		{"shop/prod/*", "shop/prod", "*"},
		{"shop/prod/{A,B}", "shop/prod", "{A,B}"},
		{"shop/prod", "shop/prod", ""},
		{"shop/prod/eu/K", "shop/prod/eu", "K"},
		{"/secret/app/db", "secret", "app/db"},
		{"shop/+/K", "shop/+", "K"},
		{"aws/123456789012/eu-west-1/*", "aws/123456789012/eu-west-1", "*"},
	}
	for _, tt := range tests {
		space, path, err := policy.SplitGrant(tt.pattern, spaces)
		if err != nil || space != tt.space || path != tt.path {
			t.Errorf("%s: got %q %q %v", tt.pattern, space, path, err)
		}
	}
	for _, pattern := range []string{"", "shop", "shop/*", "other/x", "shop/pro*"} {
		if space, path, err := policy.SplitGrant(pattern, spaces); err == nil {
			t.Errorf("%s: got %q %q", pattern, space, path)
		}
	}
}

// TestOverlapsOfGrantsHoldWhatBothGive asks every name over a small alphabet.
func TestOverlapsOfGrantsHoldWhatBothGive(t *testing.T) {
	paths := []string{"*", "a", "a*", "+", "a/*", "a/+", "+/b", "+/*", "a/b", "ab", "+/b*", "a/b/*", "+/+/c"}
	names := []string{"a", "b", "ab", "a/b", "a/c", "b/b", "a/bb", "a/b/c", "b/x/c", "abc/b", ""}
	verbs := map[string]policy.Capability{"read": policy.Read, "write": policy.Update, "delete": policy.Delete}
	for _, p := range paths {
		for _, q := range paths {
			for _, r := range paths {
				given := map[string]string{"read": p, "write": q, "delete": r}
				s := grantSet(t, grant(t, "read", "s", p), grant(t, "write", "s", q), grant(t, "delete", "s", r))
				for _, n := range names {
					got := s.Capabilities("s/data/" + n)
					for verb, c := range verbs {
						want := strings.HasSuffix(given[verb], "*") && strings.HasPrefix(n, strings.TrimSuffix(given[verb], "*"))
						pattern, err := policy.ParsePattern(given[verb])
						if err != nil {
							t.Fatal(err)
						}
						want = want || pattern.Matches(n)
						if (got&c != 0) != want {
							t.Fatalf("read %s, write %s, delete %s: %q holds %v, %s should be %v", p, q, r, n, got, verb, want)
						}
					}
				}
			}
		}
	}
	if !slices.Contains(names, "") {
		t.Fatal("the empty name belongs to the test")
	}
}
