package iam_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/iam"
)

const (
	arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"
	account = "123456789012"
	web     = `{"AWS":"arn:aws:iam::123456789012:user/web"}`
)

func statement(effect, principal, action, resource, more string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":` + action + `,"Resource":` + resource + more + `}]}`
}

func TestParseTakesWhatCanBeEnforced(t *testing.T) {
	tests := []struct {
		name, text string
		want       iam.Statement
	}{
		{"one action", statement("Allow", web, `"secretsmanager:GetSecretValue"`, `"*"`, ""), iam.Statement{Principals: []string{"arn:aws:iam::123456789012:user/web"}, Verbs: []policy.Verb{"secretsmanager:GetSecretValue"}}},
		{"any case", statement("Deny", `"*"`, `["SecretsManager:getsecretvalue"]`, `"`+arn+`"`, `,"Sid":"a"`), iam.Statement{Deny: true, Principals: []string{"*"}, Verbs: []policy.Verb{"secretsmanager:GetSecretValue"}}},
		{"an account", statement("Deny", `{"AWS":["123456789012","arn:aws:iam::123456789012:root"]}`, `"secretsmanager:Describe*"`, `"arn:aws:secretsmanager:*:*:secret:prod/db-??????"`, ""), iam.Statement{Deny: true, Principals: []string{"account:123456789012"}, Verbs: []policy.Verb{"secretsmanager:DescribeSecret"}}},
	}
	for _, test := range tests {
		got, err := iam.Parse(test.text, arn, account)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: got %v, %v", test.name, got, err)
			continue
		}
		if g := got[0]; g.Deny != test.want.Deny || !slices.Equal(g.Principals, test.want.Principals) || !slices.Equal(g.Verbs, test.want.Verbs) {
			t.Errorf("%s: got %+v, want %+v", test.name, g, test.want)
		}
	}
}

// TestParseRefuses: what cannot be enforced as it is written is refused, and so is what would do more than it says.
func TestParseRefuses(t *testing.T) {
	get := `"secretsmanager:GetSecretValue"`
	tests := []struct{ name, text, why string }{
		{"no JSON", `{`, "invalid Json"},
		{"nothing", ``, "Missing required field"},
		{"a member twice", `{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}`, "invalid Json"},
		{"no statement", `{"Version":"2012-10-17","Statement":[]}`, "Statement"},
		{"a version", strings.Replace(statement("Allow", web, get, `"*"`, ""), "2012-10-17", "2020-01-01", 1), "version"},
		{"an element", `{"Purpose":"x","Statement":{}}`, "Purpose"},
		{"an effect", statement("Maybe", web, get, `"*"`, ""), "effect"},
		{"a condition", statement("Allow", web, get, `"*"`, `,"Condition":{}`), "Condition"},
		{"not a principal", strings.Replace(statement("Deny", web, get, `"*"`, ""), "Principal", "NotPrincipal", 1), "NotPrincipal"},
		{"not an action", strings.Replace(statement("Deny", web, get, `"*"`, ""), "Action", "NotAction", 1), "NotAction"},
		{"not a resource", strings.Replace(statement("Deny", web, get, `"*"`, ""), "Resource", "NotResource", 1), "NotResource"},
		{"another account", statement("Allow", `{"AWS":"arn:aws:iam::210987654321:user/web"}`, get, `"*"`, ""), "account"},
		{"a pattern of users", statement("Allow", `{"AWS":"arn:aws:iam::123456789012:user/w*"}`, get, `"*"`, ""), "principal"},
		{"a session", statement("Allow", `{"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"}`, get, `"*"`, ""), "sessions"},
		{"a service", statement("Allow", `{"Service":"lambda.amazonaws.com"}`, get, `"*"`, ""), "Service"},
		{"a principal that is a text", statement("Allow", `"web"`, get, `"*"`, ""), "principal"},
		{"another service's action", statement("Allow", web, `"s3:GetObject"`, `"*"`, ""), "s3:GetObject"},
		{"our own verb", statement("Allow", web, `"read"`, `"*"`, ""), "read"},
		{"what is done to no secret", statement("Allow", web, `"secretsmanager:CreateSecret"`, `"*"`, ""), "CreateSecret"},
		{"another secret", statement("Allow", web, get, `"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mail-AbCdEf"`, ""), "not the secret"},
		{"half of what moves labels", statement("Allow", web, `"secretsmanager:TagResource"`, `"*"`, ""), "also allows secretsmanager:UntagResource, secretsmanager:UpdateSecretVersionStage"},
		{"a denial that denies more", statement("Deny", web, `"secretsmanager:UpdateSecret"`, `"*"`, ""), "also denies secretsmanager:PutSecretValue"},
		{"a Sid twice", `{"Statement":[` + strings.Repeat(`{"Sid":"a","Effect":"Allow","Principal":"*","Action":`+get+`,"Resource":"*"},`, 1) + `{"Sid":"a","Effect":"Allow","Principal":"*","Action":` + get + `,"Resource":"*"}]}`, "unique"},
		{"too much", `{"Id":"` + strings.Repeat("x", iam.MaxText) + `"}`, "invalid Json"},
	}
	for _, test := range tests {
		got, err := iam.Parse(test.text, arn, account)
		if err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: got %v, %v; want %q", test.name, got, err, test.why)
		}
	}
}

// TestEverythingIsWhatItSays: the widest pattern hides nothing, so nothing is told apart that is not named.
func TestEverythingIsWhatItSays(t *testing.T) {
	for _, effect := range []string{"Allow", "Deny"} {
		got, err := iam.Parse(statement(effect, web, `"secretsmanager:*"`, `"*"`, ""), arn, account)
		if err != nil || len(got[0].Verbs) < 15 {
			t.Errorf("%s: got %v, %v", effect, got, err)
		}
	}
}

// FuzzParse: whatever is taken names at least one principal and one action, and says no more than its verbs.
func FuzzParse(f *testing.F) {
	f.Add(statement("Allow", web, `"secretsmanager:GetSecretValue"`, `"*"`, ""))
	f.Add(statement("Deny", `{"AWS":["*","123456789012"]}`, `["secretsmanager:Get*","secretsmanager:*Tag*"]`, `["*"]`, `,"Sid":"x"`))
	f.Add(`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := iam.Parse(text, arn, account)
		if err != nil {
			var cannot *iam.UnenforceableError
			if !errors.Is(err, iam.ErrSyntax) && !errors.As(err, &cannot) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		for _, s := range got {
			if len(s.Verbs) == 0 || len(s.Principals) == 0 {
				t.Errorf("%q: %+v says nothing", text, s)
			}
			b := policy.Binding{Principals: s.Principals, Deny: s.Deny, Verbs: s.Verbs}
			if err := policy.CheckBindings(policy.Place{Space: "aws/1/r", Path: "prod/db"}, []policy.Binding{b}); err != nil {
				t.Errorf("%q does not compile: %v", text, err)
			}
		}
	})
}
