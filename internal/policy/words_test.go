package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

// TestWordsGiveWhatTheyName: each vendor's verb gives exactly the operations that it stands for, asked of one secret and of its Space.
func TestWordsGiveWhatTheyName(t *testing.T) {
	tests := []struct {
		verb      policy.Verb
		gives     []policy.Operation
		withholds []policy.Operation
	}{
		{"secretsmanager:GetSecretValue", []policy.Operation{"aws.GetSecretValue", "vault.kv2.read", "gcp.AccessSecretVersion", "azure.GetSecret"}, []policy.Operation{"aws.DescribeSecret", "aws.PutSecretValue", "aws.ListSecrets"}},
		{"secretsmanager:ListSecrets", []policy.Operation{"aws.ListSecrets", "aws.ListSecrets.item", "azure.GetSecrets"}, []policy.Operation{"aws.GetSecretValue", "aws.TagResource"}},
		{"secretsmanager:BatchGetSecretValue", []policy.Operation{"aws.BatchGetSecretValue"}, []policy.Operation{"aws.BatchGetSecretValue.item", "aws.GetSecretValue"}},
		{"secretsmanager:PutResourcePolicy", []policy.Operation{"aws.PutResourcePolicy", "gcp.SetIamPolicy"}, []policy.Operation{"aws.DeleteResourcePolicy", "aws.GetSecretValue"}},
		{"secretsmanager:DeleteSecret", []policy.Operation{"aws.DeleteSecret", "aws.DeleteSecret.force", "gcp.DeleteSecret"}, []policy.Operation{"aws.RestoreSecret"}},
		{"roles/secretmanager.secretAccessor", []policy.Operation{"gcp.AccessSecretVersion", "aws.GetSecretValue"}, []policy.Operation{"gcp.GetSecret", "gcp.ListSecrets"}},
		{"roles/secretmanager.viewer", []policy.Operation{"gcp.GetSecret", "gcp.ListSecrets", "gcp.GetIamPolicy"}, []policy.Operation{"gcp.AccessSecretVersion", "gcp.SetIamPolicy", "gcp.UpdateSecret"}},
		{"roles/secretmanager.secretVersionAdder", []policy.Operation{"gcp.AddSecretVersion", "gcp.AddSecretVersion.first"}, []policy.Operation{"gcp.AccessSecretVersion", "gcp.GetSecretVersion"}},
		{"roles/secretmanager.secretVersionManager", []policy.Operation{"gcp.AddSecretVersion", "gcp.DestroySecretVersion", "gcp.DisableSecretVersion", "gcp.GetSecretVersion"}, []policy.Operation{"gcp.AccessSecretVersion", "gcp.DeleteSecret"}},
		{"roles/secretmanager.admin", []policy.Operation{"gcp.AccessSecretVersion", "gcp.SetIamPolicy", "gcp.CreateSecret", "gcp.DeleteSecret", "gcp.ListSecrets"}, []policy.Operation{"aws.RotateSecret"}},
		{"azure:get", []policy.Operation{"azure.GetSecret"}, []policy.Operation{"azure.GetSecrets", "azure.SetSecret"}},
		{"azure:list", []policy.Operation{"azure.GetSecrets", "azure.GetSecretVersions", "azure.GetDeletedSecrets"}, []policy.Operation{"azure.GetSecret"}},
		{"azure:set", []policy.Operation{"azure.SetSecret", "azure.SetSecret.new", "azure.UpdateSecret"}, []policy.Operation{"azure.GetSecret", "azure.RecoverDeletedSecret", "azure.UpdateSecret.disable"}},
		{"azure:delete", []policy.Operation{"azure.DeleteSecret", "azure.UpdateSecret.disable"}, []policy.Operation{"azure.PurgeDeletedSecret", "azure.RecoverDeletedSecret"}},
		{"azure:recover", []policy.Operation{"azure.RecoverDeletedSecret", "azure.UpdateSecret.enable"}, []policy.Operation{"azure.DeleteSecret"}},
		{"azure:purge", []policy.Operation{"azure.PurgeDeletedSecret"}, []policy.Operation{"azure.DeleteSecret"}},
		{"azure:backup", []policy.Operation{"azure.BackupSecret"}, []policy.Operation{"azure.GetSecret", "azure.RestoreSecret"}},
		{"azure:restore", []policy.Operation{"azure.RestoreSecret"}, []policy.Operation{"azure.BackupSecret"}},
	}
	for _, test := range tests {
		s := grantSet(t, grant(t, string(test.verb), "shop/prod", "*"))
		may := func(op policy.Operation) bool {
			return s.Decide(policy.Request{Resource: op.Resource("shop/prod", "KEY"), Capability: op.Capability()}).Allowed
		}
		for _, op := range test.gives {
			if !may(op) {
				t.Errorf("%s does not give %s", test.verb, op)
			}
		}
		for _, op := range test.withholds {
			if may(op) {
				t.Errorf("%s gives %s", test.verb, op)
			}
		}
	}
}

// TestEveryWordGivesItsOperations ranges over all of them.
func TestEveryWordGivesItsOperations(t *testing.T) {
	n := 0
	for _, prefix := range []string{"secretsmanager:", "roles/", "azure:"} {
		for _, v := range policy.Words(prefix) {
			n++
			if _, err := policy.NewGrant("web", []string{string(v)}, "shop/prod", "*", false); err != nil {
				t.Errorf("%s: %v", v, err)
			}
			if got, ok := policy.ParseWord(string(v)); !ok || got != v {
				t.Errorf("%s is read as %q", v, got)
			}
		}
	}
	if n < 23+5+8 {
		t.Errorf("%d verbs of the vendors, at least %d were expected", n, 23+5+8)
	}
}

func TestListsAreGivenOnWholeSpaces(t *testing.T) {
	for _, verb := range []string{"secretsmanager:ListSecrets", "secretsmanager:GetRandomPassword", "azure:list"} {
		if _, err := policy.NewGrant("web", []string{verb}, "shop/prod", "a/*", false); err == nil {
			t.Errorf("%s was given below a/", verb)
		}
	}
	s := grantSet(t, grant(t, "roles/secretmanager.viewer", "shop/prod", "a"))
	list := policy.Operation("gcp.ListSecrets")
	if s.Decide(policy.Request{Resource: list.Resource("shop/prod", ""), Capability: list.Capability()}).Allowed {
		t.Error("a role on one secret lists the project")
	}
}

func TestAlsoTellsWhatIsNotSaid(t *testing.T) {
	tests := []struct {
		verbs []policy.Verb
		deny  bool
		want  []policy.Verb
	}{
		{[]policy.Verb{"secretsmanager:GetSecretValue"}, false, nil},
		{[]policy.Verb{"secretsmanager:DescribeSecret"}, false, nil}, // ListSecretVersionIds reads no more than it
		{[]policy.Verb{"secretsmanager:PutResourcePolicy"}, false, nil},
		{[]policy.Verb{"secretsmanager:UntagResource"}, false, []policy.Verb{"secretsmanager:TagResource", "secretsmanager:UpdateSecretVersionStage"}},
		{[]policy.Verb{"secretsmanager:PutSecretValue", "secretsmanager:UntagResource", "secretsmanager:TagResource", "secretsmanager:UpdateSecretVersionStage"}, false, []policy.Verb{"secretsmanager:UpdateSecret"}},
		{[]policy.Verb{"secretsmanager:PutSecretValue"}, false, nil},
		{[]policy.Verb{"secretsmanager:PutSecretValue"}, true, []policy.Verb{"secretsmanager:UpdateSecret"}},
	}
	for _, test := range tests {
		if got := policy.Also(test.verbs, test.deny); !slices.Equal(got, test.want) {
			t.Errorf("%v, deny %v: got %v, want %v", test.verbs, test.deny, got, test.want)
		}
	}
}

// TestBindings: an attached policy is decided like every other, and reaches exactly what it stands on.
func TestBindings(t *testing.T) {
	at := policy.Place{Space: "aws/1/r", Path: "a/+/b*"}
	bindings := []policy.Binding{
		{Principals: []string{"identity:1"}, Verbs: []policy.Verb{"secretsmanager:GetSecretValue"}},
		{Principals: []string{policy.Everyone}, Deny: true, Verbs: []policy.Verb{"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret"}},
	}
	set := func(who ...string) *policy.Set {
		p, err := policy.AttachedPolicy("aws policy of a", at, bindings, who)
		if err != nil {
			t.Fatal(err)
		}
		all := []*policy.Policy{p}
		g, err := policy.GrantPolicy(name(t, "web"), grant(t, "write", "aws/1/r", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return policy.Compile(time.Time{}, append(all, g)...)
	}
	may := func(s *policy.Set, op policy.Operation, path, protected string) bool {
		return s.Decide(policy.Request{Resource: op.Resource("aws/1/r", path), Capability: op.Capability(), Protected: protected}).Allowed
	}
	named := set("identity:1", policy.Everyone)
	if !may(named, "aws.GetSecretValue", "a/+/b*", "") || !may(named, "aws.GetSecretValue", "a/+/b*", "aws/1/r") {
		t.Error("who is named may not read, in a protected Space or not")
	}
	if may(named, "aws.GetSecretValue", "a/x/b*", "") || may(named, "aws.GetSecretValue", "a/+/bc", "") {
		t.Error("a path is read as a pattern")
	}
	if may(set(policy.Everyone), "aws.GetSecretValue", "a/+/b*", "") {
		t.Error("who is not named may read")
	}
	if may(named, "aws.PutSecretValue", "a/+/b*", "") || !may(named, "aws.PutSecretValue", "a/c", "") {
		t.Error("the denial does not hold, or holds elsewhere")
	}
	if p, err := policy.AttachedPolicy("x", at, bindings[:1], []string{"identity:2"}); p != nil || err != nil {
		t.Errorf("nothing is said of somebody else: got %v, %v", p, err)
	}
	for _, bad := range []policy.Binding{{Principals: []string{"a"}, Verbs: []policy.Verb{"read"}}, {Verbs: []policy.Verb{"azure:get"}}, {Principals: []string{"a"}}} {
		if policy.CheckBindings(at, []policy.Binding{bad}) == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if !policy.Verb("azure:get").OnSecret() || policy.Verb("secretsmanager:CreateSecret").OnSecret() {
		t.Error("what can be done to a secret")
	}
}

func TestGrantsMatchInThreeWays(t *testing.T) {
	for match, paths := range map[policy.Matching][]string{
		policy.MatchPattern: {"a/+/*", "a/x/y", "a/+/*"},
		policy.MatchExact:   {"a/+/*", "a/+/*"},
		policy.MatchGlob:    {"a/*-x?", "a/b/c-xy"},
	} {
		g := policy.Grant{Role: "web", Verbs: []policy.Verb{"azure:get"}, Space: "s", Paths: paths[:1], Match: match}
		s := grantSet(t, g)
		for _, path := range paths[1:] {
			if !s.Decide(policy.Request{Resource: "s/data/" + path, Capability: policy.Read}).Allowed {
				t.Errorf("%s %q: %q is refused", match, paths[0], path)
			}
		}
		if s.Decide(policy.Request{Resource: "s/data/b", Capability: policy.Read}).Allowed {
			t.Errorf("%s %q: everything is given", match, paths[0])
		}
	}
	if _, err := (policy.Grant{Role: "web", Verbs: []policy.Verb{"read"}, Space: "s", Paths: []string{"a"}, Match: "magic"}).Rules(); err == nil {
		t.Error("an unknown way to match was taken")
	}
}
