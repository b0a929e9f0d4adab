package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

// at is the secret db, or another, in a Space that every dialect has a name for.
func at(t testing.TB, path string, faces ...secret.Face) policy.Standpoint {
	t.Helper()
	p, err := secret.ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Standpoint{Space: "shop/prod", Path: p, Faces: faces, Who: "web@shop.iam.gserviceaccount.com"}
}

// attached is a policy that is attached to one secret.
func attached(t testing.TB, b policy.Binding) *policy.Set {
	t.Helper()
	b.Principals = []string{policy.Everyone}
	p, err := policy.AttachedPolicy("aws policy", policy.Place{Space: "shop/prod", Path: "db"}, []policy.Binding{b}, []string{policy.Everyone})
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	return policy.Compile(time.Time{}, p)
}

func TestViewsSayTheRuleInTheWordsOfEachDialect(t *testing.T) {
	aws, gcp, azure := secret.Face{Dialect: secret.AWS, Name: "123456789012/eu-west-1"}, secret.Face{Dialect: secret.GCP, Name: "shop"}, secret.Face{Dialect: secret.Azure, Name: "vault"}
	all := at(t, "db", aws, gcp, azure)
	flat := all
	flat.Flat = true
	anonymous := all
	anonymous.Who = "approle/web"
	other := rule(t, "shop/prod/*", policy.Every&^policy.Deny)
	other.Origin.Policy = "q"
	two := compile(rule(t, "shop/prod/data/db", policy.Read), other)
	glob := grant(t, "read", "shop/prod", "x")
	glob.Paths, glob.Match = []string{"d*b"}, policy.MatchGlob
	flatGrant, err := policy.NewGrant("web", []string{"azure:get"}, "shop/prod", "db", true)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		set      *policy.Set
		at       policy.Standpoint
		resource string // "": the secret's data
		want     map[secret.Dialect]string
	}{
		{"a grant in Google's words", grantSet(t, grant(t, "roles/secretmanager.secretAccessor", "shop/prod", "db")), all, "", map[secret.Dialect]string{
			secret.Vault: `path "shop/prod/data/db" { capabilities = ["read"] }`,
			secret.AWS:   `{"Effect":"Allow","Action":["secretsmanager:GetSecretValue"],"Resource":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-??????"}`,
			secret.GCP:   `projects/shop/secrets/db {"role":"roles/secretmanager.secretAccessor","members":["serviceAccount:web@shop.iam.gserviceaccount.com"]}`,
			secret.Azure: `vault vault {"permissions":{"secrets":["get"]}}`,
		}},
		{"for somebody Google does not know", grantSet(t, grant(t, "read", "shop/prod", "db")), anonymous, "", map[secret.Dialect]string{
			secret.GCP: `projects/shop/secrets/db {"role":"roles/secretmanager.secretAccessor","members":["serviceAccount:EMAIL"]}`,
		}},
		{"several roles", grantSet(t, grant(t, "roles/secretmanager.secretAccessor roles/secretmanager.secretVersionAdder", "shop/prod", "db")), all, "", map[secret.Dialect]string{
			secret.GCP: "\"roles/secretmanager.secretAccessor\"",
		}},
		{"one role for all", grantSet(t, grant(t, "roles/secretmanager.admin", "shop/prod", "*")), all, "", map[secret.Dialect]string{
			secret.GCP: `projects/shop/secrets/db {"role":"roles/secretmanager.admin","members":["serviceAccount:web@shop.iam.gserviceaccount.com"]}`,
		}},
		{"names that dialects have not", grantSet(t, grant(t, "read", "shop/prod", "a/b")), at(t, "a/b", aws, gcp), "shop/prod/data/a/b", map[secret.Dialect]string{
			secret.AWS:   `{"Effect":"Allow","Action":["secretsmanager:GetSecretValue"],"Resource":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-??????"}`,
			secret.GCP:   "no name for the secret",
			secret.Azure: "no name for the secret",
		}},
		{"less than any word gives", compile(rule(t, "shop/prod/data/db", policy.Patch)), all, "patch", map[secret.Dialect]string{
			secret.Vault: `path "shop/prod/data/db" { capabilities = ["patch"] }`,
			secret.AWS:   "no word that gives just this", secret.GCP: "no word that gives just this", secret.Azure: "no word that gives just this",
		}},
		{"a deny of Vault's", compile(rule(t, "shop/prod/data/db", policy.Deny)), all, "", map[secret.Dialect]string{
			secret.Vault: `path "shop/prod/data/db" { capabilities = ["deny"] }`, secret.AWS: "no deny that others may reach past", secret.GCP: "no deny", secret.Azure: "no deny",
		}},
		{"a deny of our own", grantSet(t, grant(t, "deny", "shop/prod", "db")), all, "", map[secret.Dialect]string{
			secret.Vault: `["deny"]`, secret.AWS: `{"Effect":"Deny"`, secret.GCP: "its bindings only give", secret.Azure: "its access policies only give",
		}},
		{"a deny of IAM's", attached(t, policy.Binding{Deny: true, Verbs: []policy.Verb{"secretsmanager:GetSecretValue"}}), all, "", map[secret.Dialect]string{
			secret.Vault: "keeps everything away, and this one only read", secret.AWS: `{"Effect":"Deny","Action":["secretsmanager:GetSecretValue"]`,
		}},
		{"a wildcard that Vault has not", grantSet(t, glob), all, "", map[secret.Dialect]string{
			secret.Vault: "no wildcard there", secret.AWS: `"secretsmanager:GetSecretValue"`,
		}},
		{"what another policy gives is not this one's", two, all, "", map[secret.Dialect]string{
			secret.AWS: `"Action":["secretsmanager:GetSecretValue"]`,
		}},
		{"a Space without versions", grantSet(t, flatGrant), flat, "shop/prod/db", map[secret.Dialect]string{
			secret.Azure: `vault vault {"permissions":{"secrets":["backup","get"]}}`, // which are one there
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := policy.Request{Resource: "shop/prod/data/db", Capability: policy.Read}
			switch {
			case tt.resource == "patch":
				r.Capability = policy.Patch
			case tt.resource != "":
				r.Resource = tt.resource
			}
			x := tt.set.Explain(r)
			x.Views = tt.set.Views(x, tt.at)
			if len(x.Views) != 4 {
				t.Fatalf("%d views of %v", len(x.Views), x.Decision)
			}
			words := x.String()
			for _, v := range x.Views {
				said := v.Text
				if said == "" {
					said = v.Why
				}
				if want := tt.want[v.Dialect]; !strings.Contains(said, want) {
					t.Errorf("as %s: got %q, want %q in it", v.Dialect, said, want)
				}
				if first, _, _ := strings.Cut(said, "\n"); !strings.Contains(words, "as "+v.Dialect.String()+": "+first) {
					t.Errorf("the explanation in words leaves %s out:\n%s", v.Dialect, words)
				}
			}
		})
	}
}

func TestNothingDecidedHasNoViews(t *testing.T) {
	var none *policy.Set
	if got := none.Views(policy.Explanation{}, policy.Standpoint{}); got != nil {
		t.Errorf("a set that is none has views: %v", got)
	}
	s := compile(rule(t, "a", policy.Read))
	if got := s.Views(s.Explain(policy.Request{Resource: "b", Capability: policy.Read}), policy.Standpoint{}); got != nil {
		t.Errorf("a refusal that no rule made has views: %v", got)
	}
}
