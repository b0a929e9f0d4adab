package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func TestExplainNearestMiss(t *testing.T) {
	tests := []struct {
		name      string
		paths     map[string]policy.Capability
		ask       policy.Capability
		resource  string
		suggest   string // of the nearest miss
		why       string
		protected string
	}{
		{name: "kv v2 without data/", paths: map[string]policy.Capability{"secret/app": policy.Read}, resource: "secret/data/app", suggest: "secret/data/app", why: "keeps versions"},
		{name: "kv v2 without data/, glob", paths: map[string]policy.Capability{"secret/app/*": policy.Read}, resource: "secret/data/app/db", suggest: "secret/data/app/*", why: "keeps versions"},
		{name: "kv v2 without metadata/", paths: map[string]policy.Capability{"shop/prod/app/*": policy.List}, ask: policy.List, resource: "shop/prod/metadata/app/", suggest: "shop/prod/metadata/app/*", why: "metadata/ after the Space"},
		{name: "kv v2 with a plus", paths: map[string]policy.Capability{"+/app": policy.Read}, resource: "secret/data/app", suggest: "+/data/app", why: "keeps versions"},
		{name: "data/ where metadata/ is needed", paths: map[string]policy.Capability{"secret/data/app/*": policy.Read | policy.List}, ask: policy.List, resource: "secret/metadata/app/", suggest: "secret/metadata/app/*", why: "it is for data/, and this needs metadata/"},
		{name: "metadata/ where data/ is needed", paths: map[string]policy.Capability{"secret/metadata/app": policy.Read}, resource: "secret/data/app", suggest: "secret/data/app", why: "it is for metadata/"},
		{name: "kv v1 with data/", paths: map[string]policy.Capability{"kv/data/app": policy.Read}, resource: "kv/app", suggest: "kv/app", why: "keeps no versions"},
		{name: "kv v1 with data/, deeper", paths: map[string]policy.Capability{"kv/data/app/*": policy.Read}, resource: "kv/app/db", suggest: "kv/app/*", why: "keeps no versions"},
		{name: "no star", paths: map[string]policy.Capability{"secret/data/app": policy.Read}, resource: "secret/data/app/db", suggest: "secret/data/app/*", why: "one name only"},
		{name: "no star after a slash", paths: map[string]policy.Capability{"secret/data/app/": policy.Read}, resource: "secret/data/app/db", suggest: "secret/data/app/*", why: "one name only"},
		{name: "no star after a plus", paths: map[string]policy.Capability{"secret/data/+": policy.Read}, resource: "secret/data/app/db", suggest: "secret/data/+/*", why: "one name only"},
		{name: "below, not itself", paths: map[string]policy.Capability{"secret/data/app/*": policy.Read}, resource: "secret/data/app", suggest: "secret/data/app", why: "below the name"},
		{name: "slash too many", paths: map[string]policy.Capability{"sys/policy/": policy.Read}, resource: "sys/policy", suggest: "sys/policy", why: "does not end in a slash"},
		{name: "slash too few", paths: map[string]policy.Capability{"sys/policy": policy.Read}, resource: "sys/policy/", suggest: "sys/policy/", why: "ends in a slash"},
		{name: "star in the middle", paths: map[string]policy.Capability{"secret/data/*/key": policy.Read}, resource: "secret/data/app/key", suggest: "secret/data/+/key", why: "only as the last character"},
		{name: "star in the middle and at the end", paths: map[string]policy.Capability{"secret/data/*/key*": policy.Read}, resource: "secret/data/app/keys", suggest: "secret/data/+/key*", why: "only as the last character"},
		{name: "case", paths: map[string]policy.Capability{"secret/data/App": policy.Read}, resource: "secret/data/app", suggest: "secret/data/app", why: "upper and lower"},
		{name: "typo", paths: map[string]policy.Capability{"secret/data/payment": policy.Read}, resource: "secret/data/paymnet", suggest: "secret/data/paymnet", why: "spelling"},
		{name: "typo in a prefix", paths: map[string]policy.Capability{"shop/prid/*": policy.Read}, resource: "shop/prod/data/x", suggest: "shop/prod/*", why: "spelling"},
		{name: "capability", paths: map[string]policy.Capability{"secret/data/app": policy.Read}, ask: policy.Update, resource: "secret/data/app", why: "does not hold update"},
		{name: "near and without the capability", paths: map[string]policy.Capability{"secret/app": policy.List}, resource: "secret/data/app", suggest: "secret/data/app", why: "and it does not hold read"},
		{name: "shadowed", paths: map[string]policy.Capability{"secret/*": policy.Read, "secret/data/app": policy.List}, resource: "secret/data/app", why: "more specific and decides alone"},
		{name: "protected", paths: map[string]policy.Capability{"shop/*": policy.Read}, resource: "shop/prod/data/x", protected: "shop/prod", suggest: "shop/prod/data/x", why: "is protected"},
		{name: "template", paths: map[string]policy.Capability{"secret/data/{{identity.entity.name}}/+": policy.Read}, resource: "secret/data/ada/x", why: "no value for this caller"},
		{name: "nothing near", paths: map[string]policy.Capability{"pki/issue/web": policy.Read, "a": policy.Read, "no/w*y": policy.Read}, resource: "secret/data/x"},
		{name: "a deny is no miss", paths: map[string]policy.Capability{"secret/app": policy.Deny, "secret/data/*": policy.Deny}, resource: "secret/data/app"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var rules []policy.Rule
			for path, caps := range tt.paths {
				rules = append(rules, rule(t, path, caps))
			}
			r := policy.Request{Resource: tt.resource, Capability: tt.ask, Protected: tt.protected}
			if r.Capability == 0 {
				r.Capability = policy.Read
			}
			x := compile(rules...).Explain(r)
			if x.Decision.Allowed {
				t.Fatal("it is allowed")
			}
			if tt.why == "" {
				if len(x.Misses) > 0 {
					t.Fatalf("got the misses %+v", x.Misses)
				}
				return
			}
			if len(x.Misses) == 0 {
				t.Fatal("no miss was found")
			}
			if m := x.Misses[0]; m.Suggest != tt.suggest || !strings.Contains(m.Why, tt.why) {
				t.Errorf("got %q because %q, want %q because %q", m.Suggest, m.Why, tt.suggest, tt.why)
			}
		})
	}
}

// TestExplainSuggestionsWork: whatever path is suggested grants the request once it is written.
func TestExplainSuggestionsWork(t *testing.T) {
	paths := []string{"secret/app", "secret/app/*", "secret/metadata/app/*", "secret/data/app", "secret/data/App", "secret/*/x", "secret/data/+", "+/app/*", "secret/data/apq/*", "kv/data/app/*"}
	resources := []string{"secret/data/app", "secret/data/app/", "secret/data/app/x", "secret/metadata/app/", "secret/data/x", "kv/app/x"}
	tried := 0
	for _, path := range paths {
		for _, resource := range resources {
			r := policy.Request{Resource: resource, Capability: policy.Read}
			for _, m := range compile(rule(t, path, policy.Read)).Explain(r).Misses {
				tried++
				if m.Suggest == "" || !compile(rule(t, m.Suggest, policy.Read)).Decide(r).Allowed {
					t.Errorf("%s for %s: the suggestion %q does not grant it", path, resource, m.Suggest)
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d suggestions were tried", tried)
	}
}

func TestExplainRanksEveryMatch(t *testing.T) {
	deny := rule(t, "secret/data/app/*", policy.Update)
	deny.Effect = policy.AbsoluteDeny
	glob, _ := policy.ParseGlob("secret/*app*")
	s := policy.Compile(time.Time{},
		&policy.Policy{Name: "a", Rules: []policy.Rule{rule(t, "secret/*", policy.Read), rule(t, "secret/data/app/+", policy.Read|policy.List)}},
		&policy.Policy{Name: "b", Rules: []policy.Rule{rule(t, "secret/*", policy.Update), rule(t, "+/data/app/x", policy.Read), deny, {Pattern: glob, Capabilities: policy.Read}}})
	x := s.Explain(policy.Request{Resource: "secret/data/app/x", Capability: policy.Read})
	if !x.Decision.Allowed || len(x.Misses) > 0 {
		t.Fatalf("got %+v", x)
	}
	var got []string
	for _, m := range x.Matches {
		got = append(got, m.Pattern)
		if m.Deciding != (m.Pattern == "secret/data/app/+") || m.Deciding != (m.Rank == 1) {
			t.Errorf("%+v", m)
		}
	}
	want := "secret/data/app/+ secret/data/app/* secret/* secret/* secret/*app* +/data/app/x"
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
	x = s.Explain(policy.Request{Resource: "secret/data/app/x", Capability: policy.Update})
	if m := x.Matches[0]; x.Decision.Reason != policy.ReasonAbsoluteDeny || m.Rule.Effect != policy.AbsoluteDeny || !m.Deciding || m.Grants {
		t.Errorf("got %v by %+v", x.Decision.Reason, m)
	}
	x = s.Explain(policy.Request{Resource: "secret/data/app/", Capability: policy.List})
	if !x.Decision.Allowed || x.Matches[0].Pattern != "secret/data/app/+" {
		t.Errorf("a list with its slash: got %+v", x)
	}
	x = s.Explain(policy.Request{Resource: "secret/data/app/sub/", Capability: policy.List})
	if x.Decision.Allowed || len(x.Matches) == 0 {
		t.Errorf("a list below: got %+v", x)
	}
}

func TestExplainInWords(t *testing.T) {
	typed := rule(t, "secret/app", policy.Read)
	typed.Origin = policy.Origin{Policy: "web", Line: 3, Text: "secret/app"}
	wide := rule(t, "secret/*", policy.List)
	wide.Origin = policy.Origin{Policy: "base", Text: "secret/*"}
	s := compile(typed, wide, rule(t, "secret/data/+", policy.List))
	x := s.Explain(policy.Request{Resource: "secret/data/app", Capability: policy.Read})
	want := `denied: read secret/data/app: capability not granted
decided by path "secret/data/+" (policy p, line 1)
also matches, and does not count: path "secret/*" (policy base)
nearly: path "secret/data/+" (policy p, line 1): it matches, but does not hold read
nearly: path "secret/app" (policy web, line 3): the Space keeps versions (kv v2), whose names have data/ after the Space; did you mean "secret/data/app"?
`
	if got := x.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := s.Explain(policy.Request{Resource: "secret/data/app", Capability: policy.List}).String(); !strings.HasPrefix(got, "allowed: list secret/data/app: granted\n") {
		t.Errorf("got %s", got)
	}
	if policy.Allow.String() != "allow" || policy.Additive.String() != "additive" || policy.AbsoluteDeny.String() != "absolute deny" {
		t.Error("effects")
	}
}

func TestExplainIsBounded(t *testing.T) {
	var rules []policy.Rule
	for _, c := range "abcdefghijkl" {
		rules = append(rules, rule(t, "secret/data/ap"+string(c), policy.Read))
	}
	rules = append(rules, rule(t, "secret/data/"+strings.Repeat("x", 300), policy.Read))
	if x := compile(rules...).Explain(policy.Request{Resource: "secret/data/apz", Capability: policy.Read}); len(x.Misses) != 5 {
		t.Errorf("got %d misses", len(x.Misses))
	}
}
