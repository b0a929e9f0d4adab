package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func rule(t testing.TB, path string, caps policy.Capability) policy.Rule {
	t.Helper()
	p, err := policy.ParsePattern(path)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Rule{Pattern: p, Capabilities: caps, Origin: policy.Origin{Policy: "p", Line: 1, Text: path}}
}

func compile(rules ...policy.Rule) *policy.Set {
	return policy.Compile(time.Time{}, &policy.Policy{Name: "p", Rules: rules})
}

func TestProtectedSpaceIsReachedOnlyByItsWholeName(t *testing.T) {
	tests := []struct {
		path string
		want bool
	}{
		{"shop/prod/data/KEY", true},
		{"shop/prod/data/*", true},
		{"shop/prod/*", true},
		{"shop/prod/+/KEY", true},
		{"shop/prod/+/+", true},
		{"shop/prod*", false},
		{"shop/pro*", false},
		{"shop/*", false},
		{"shop/+/data/KEY", false},
		{"shop/+/*", false},
		{"+/prod/data/KEY", false},
		{"*", false},
		{"+/+/+/+", false},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			s := compile(rule(t, tt.path, policy.Read))
			r := policy.Request{Resource: "shop/prod/data/KEY", Capability: policy.Read}
			if d := s.Decide(r); !d.Allowed {
				t.Fatalf("not protected: got %v", d.Reason)
			}
			r.Protected = "shop/prod"
			d := s.Decide(r)
			if d.Allowed != tt.want {
				t.Errorf("protected: got %v (%v), want %v", d.Allowed, d.Reason, tt.want)
			}
			if !tt.want && (d.Reason != policy.ReasonProtected || d.Capabilities != 0) {
				t.Errorf("got %v with %v, want %v with nothing", d.Reason, d.Capabilities, policy.ReasonProtected)
			}
			if got := s.CapabilitiesIn("shop/prod", r.Resource); (got != 0) != tt.want {
				t.Errorf("capabilities: got %v", got)
			}
			if got := s.HasAnyBelowIn("shop/prod", "shop/prod/"); got != tt.want {
				t.Errorf("has any below: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAbsoluteDenyIsDecidedFirst(t *testing.T) {
	glob, err := policy.ParseGlob("shop/*/DB_?")
	if err != nil {
		t.Fatal(err)
	}
	deny := rule(t, "shop/prod/data/PAY*", policy.Read)
	deny.Effect = policy.AbsoluteDeny
	all := rule(t, "shop/prod/metadata/dir", 0)
	all.Effect = policy.AbsoluteDeny
	s := compile(rule(t, "shop/prod/data/PAYMENT", policy.Read|policy.Update), rule(t, "shop/prod/*", policy.Every), deny, all,
		policy.Rule{Effect: policy.AbsoluteDeny, Pattern: glob, Capabilities: policy.Deny})
	tests := []struct {
		resource string
		caps     policy.Capability
		want     policy.Reason
		left     policy.Capability
	}{
		{"shop/prod/data/PAYMENT", policy.Read, policy.ReasonAbsoluteDeny, policy.Update},
		{"shop/prod/data/PAYMENT", policy.Update, policy.ReasonGranted, policy.Update},
		{"shop/prod/metadata/dir/", policy.List, policy.ReasonAbsoluteDeny, policy.Every},
		{"shop/prod/metadata/dir", policy.List, policy.ReasonAbsoluteDeny, 0},
		{"shop/prod/data/DB_1", policy.Delete, policy.ReasonAbsoluteDeny, policy.Deny},
		{"shop/prod/data/DB_12", policy.Delete, policy.ReasonGranted, policy.Every},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.caps, " ", tt.resource), func(t *testing.T) {
			d := s.Decide(policy.Request{Resource: tt.resource, Capability: tt.caps})
			if d.Reason != tt.want || d.Allowed != (tt.want == policy.ReasonGranted) {
				t.Errorf("got %v, want %v", d.Reason, tt.want)
			}
			if got := s.Capabilities(tt.resource); got != tt.left {
				t.Errorf("capabilities: got %v, want %v", got, tt.left)
			}
		})
	}
}

func TestRootAndNothing(t *testing.T) {
	tests := []struct {
		name  string
		set   *policy.Set
		allow bool
		names []string
	}{
		{"root", policy.Root(), true, []string{"root"}},
		{"root of the namespace", policy.RootOf("team"), true, []string{"root"}},
		{"root of the root namespace", policy.RootOf(""), true, []string{"root"}},
		{"root of another", policy.RootOf("tea"), false, []string{"deny"}},
		{"nil", nil, false, []string{"deny"}},
		{"empty", policy.Compile(time.Time{}, nil), false, []string{"deny"}},
		{"a policy called root", policy.Compile(time.Time{}, &policy.Policy{Name: "root"}), false, []string{"deny"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.set.Decide(policy.Request{Resource: "team/secret/data/x", Capability: policy.Read, Protected: "team/secret"})
			if d.Allowed != tt.allow {
				t.Errorf("decide: got %v", d)
			}
			if got := tt.set.CapabilityNames("team/secret/data/x"); !slices.Equal(got, tt.names) {
				t.Errorf("names: got %v, want %v", got, tt.names)
			}
			if got := tt.set.HasAnyBelow("team/"); got != tt.allow {
				t.Errorf("has any below: got %v", got)
			}
			if got := tt.set.MayList("team/secret/metadata/"); got != tt.allow {
				t.Errorf("may list: got %v", got)
			}
			if tt.set.NeedsParams() || !tt.set.Expires().IsZero() || len(tt.set.Patterns()) > 0 || len(tt.set.Explain(policy.Request{}).Matches) > 0 {
				t.Error("an empty Set or root needs nothing and shows nothing")
			}
		})
	}
	if !policy.Root().IsRoot() || (*policy.Set)(nil).IsRoot() {
		t.Error("IsRoot")
	}
	if d := policy.Root().Decide(policy.Request{Resource: "x"}); d.Allowed {
		t.Error("a request that asks for nothing was allowed")
	}
}

func TestNamespacesComeBeforeTheName(t *testing.T) {
	seg := rule(t, "+/data/x", policy.Update)
	inner := &policy.Policy{Name: "inner", Namespace: "team/dev", Rules: []policy.Rule{rule(t, "secret/*", policy.Read), seg}}
	outer := &policy.Policy{Name: "outer", Rules: []policy.Rule{rule(t, "team/ops/*", policy.Read)}}
	s := policy.Compile(time.Time{}, inner, outer)
	for resource, want := range map[string]policy.Capability{
		"team/dev/secret/data/x": policy.Read, // the later wildcard
		"team/dev/kv/data/x":     policy.Update,
		"secret/data/x":          0,
		"team/ops/kv/x":          policy.Read,
		"team/devx/secret/x":     0,
	} {
		if got := s.Capabilities(resource); got != want {
			t.Errorf("%s: got %v, want %v", resource, got, want)
		}
	}
	if got := s.Patterns(); !slices.Equal(got, []string{"team/dev/+/data/x", "team/dev/secret/*", "team/ops/*"}) {
		t.Errorf("patterns: got %v", got)
	}
}

func TestExpiredRulesEnd(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	short, long, past := rule(t, "a", policy.Read), rule(t, "b", policy.Read), rule(t, "c", policy.Read)
	short.Expires, long.Expires, past.Expires = now.Add(time.Minute), now.Add(time.Hour), now
	s := policy.Compile(now, &policy.Policy{Rules: []policy.Rule{long, short, past}})
	if got := s.Expires(); !got.Equal(short.Expires) {
		t.Errorf("expires: got %v", got)
	}
	tests := []struct {
		resource string
		now      time.Time
		want     policy.Reason
	}{
		{"a", now, policy.ReasonGranted},
		{"b", now.Add(30 * time.Second), policy.ReasonGranted},
		{"c", now, policy.ReasonNoMatch},
		{"a", now.Add(time.Minute), policy.ReasonExpired},
		{"b", now.Add(time.Minute), policy.ReasonExpired}, // until the Set is compiled again
		{"a", time.Time{}, policy.ReasonExpired},          // a caller that forgets the clock gets nothing
	}
	for _, tt := range tests {
		if got := s.Decide(policy.Request{Resource: tt.resource, Capability: policy.Read, Now: tt.now}).Reason; got != tt.want {
			t.Errorf("%s at %v: got %v, want %v", tt.resource, tt.now, got, tt.want)
		}
	}
}

func TestCapabilitiesForm(t *testing.T) {
	s := compile(rule(t, "secret/*", policy.Update|policy.Create|policy.Sudo|policy.List), rule(t, "secret/no", policy.Deny), rule(t, "kv/dir", policy.List))
	for resource, want := range map[string][]string{
		"secret/x":  {"create", "list", "sudo", "update"},
		"secret/no": {"deny"},
		"other":     {"deny"},
		"kv/dir/":   {"list"},
	} {
		if got := s.CapabilityNames(resource); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", resource, got, want)
		}
	}
	if got := policy.Every.String(); got != "create,delete,list,patch,read,scan,subscribe,sudo,update" {
		t.Errorf("every: got %s", got)
	}
	for _, name := range []string{"raed", "", "Read", strings.Repeat("x", 500)} {
		if _, err := policy.ParseCapability(name); err == nil || len(err.Error()) > 250 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestHasAnyBelow(t *testing.T) {
	tests := []struct {
		path, prefix string
		caps         policy.Capability
		want         bool
	}{
		{"secret/data/x", "secret/", policy.Read, true},
		{"secret/data/x", "secret/data/x", policy.Read, true},
		{"secret/data/x", "secret/data/x/", policy.Read, false},
		{"secret/data/x", "kv/", policy.Read, false},
		{"secret/data/x", "secret/", policy.Deny, false},
		{"secret/data/x", "secret/", 0, false},
		{"secret/*", "secret/", policy.Read, true},
		{"secret/data/*", "secret/", policy.Read, true},
		{"*", "secret/", policy.Read, true},
		{"*", "secret/", policy.Deny, false},
		{"sec*", "secret/", policy.Read, true},
		{"sex*", "secret/", policy.Read, false},
		{"+/data/x", "secret/", policy.Read, true},
		{"+/data/x", "secret", policy.Read, true},
		{"+", "secret/", policy.Read, false},
		{"+/*", "secret/", policy.Read, true},
		{"+/+/x", "secret/data/", policy.Read, true},
		{"+/+/x", "secret/data/x/", policy.Read, false},
		{"secret/+/x*", "secret/data/", policy.Read, true},
		{"secret/+/x*", "secret/data/y", policy.Read, false},
		{"secret/+/x*", "secret/data/xyz/", policy.Read, true},
		{"secret/+/x*", "secret/data/xyz", policy.Read, true},
		{"secret/+/xyz*", "secret/data/xy", policy.Read, true},
		{"secret/+/x", "secret/da", policy.Read, true},
		{"secret/+/x", "sec", policy.Read, true},
		{"secret/+/x", "kv", policy.Read, false},
		{"secret/+/x", "kv/", policy.Read, false},
		{"secret/+/x", "secret/", policy.Deny, false},
		{"secret/+/x/*", "sec", policy.Read, true},
		{"+/+", "a/b", policy.Read, true},
		{"secret/+/+", "", policy.Read, true},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.prefix, func(t *testing.T) {
			s := compile(rule(t, tt.path, tt.caps), rule(t, "zzz/+/+/zzz", policy.Deny))
			if got := s.HasAnyBelow(tt.prefix); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	for glob, want := range map[string]bool{"secret/*/x": true, "s*": true, "kv/*": false, "secret/x": true, "?": true} {
		p, err := policy.ParseGlob(glob)
		if err != nil {
			t.Fatal(err)
		}
		if got := compile(policy.Rule{Pattern: p, Capabilities: policy.Read}).HasAnyBelow("secret/"); got != want {
			t.Errorf("glob %s: got %v, want %v", glob, got, want)
		}
	}
}

func TestGlobsTakePartInThePriorityOrder(t *testing.T) {
	var rules []policy.Rule
	for glob, caps := range map[string]policy.Capability{"a/*/c": policy.Read, "a/b*/c": policy.Update, "a/b/?": policy.Delete, "x": policy.Scan} {
		p, err := policy.ParseGlob(glob)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, policy.Rule{Pattern: p, Capabilities: caps})
	}
	rules = append(rules, rule(t, "a/*", policy.List))
	s := compile(rules...)
	for resource, want := range map[string]policy.Capability{"a/x/c": policy.Read, "a/x/y/c": policy.Read, "a/bb/c": policy.Update, "a/b/c": policy.Delete, "a/x": policy.List, "x": policy.Scan, "b": 0} {
		if got := s.Capabilities(resource); got != want {
			t.Errorf("%s: got %v, want %v", resource, got, want)
		}
	}
	if _, err := policy.ParseGlob("a\x00"); err == nil {
		t.Error("a control character was taken")
	}
}

func raw(t testing.TB, body string) map[string]json.RawMessage {
	t.Helper()
	if body == "" {
		return nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func values(t testing.TB, list ...string) []policy.Value {
	t.Helper()
	out := []policy.Value{}
	for _, s := range list {
		v, err := policy.ParseValue([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestAdditiveRules(t *testing.T) {
	add := func(path string, caps policy.Capability, c *policy.Conditions) policy.Rule {
		r := rule(t, path, caps)
		r.Effect, r.Conditions = policy.Additive, c
		return r
	}
	plain := func(path string, caps policy.Capability, c *policy.Conditions) policy.Rule {
		r := rule(t, path, caps)
		r.Conditions = c
		return r
	}
	wrapped := &policy.Conditions{MinWrapTTL: time.Second}
	tests := []struct {
		name      string
		rules     []policy.Rule
		ask       policy.Capability
		resource  string
		protected string
		want      policy.Reason
		caps      policy.Capability
	}{
		{"alone", []policy.Rule{add("s/*", policy.Read, nil)}, policy.Read, "s/x", "", policy.ReasonGranted, policy.Read},
		{"added to the deciding rule", []policy.Rule{plain("s/x", policy.List, nil), add("s/*", policy.Read, nil)}, policy.Read, "s/x", "", policy.ReasonGranted, policy.Read | policy.List},
		{"both needed together", []policy.Rule{plain("s/x", policy.Sudo, nil), add("s/*", policy.Update, nil)}, policy.Update | policy.Sudo, "s/x", "", policy.ReasonGranted, policy.Update | policy.Sudo},
		{"a deny wins", []policy.Rule{plain("s/x", policy.Deny, nil), add("s/x", policy.Read, nil)}, policy.Read, "s/x", "", policy.ReasonDeny, policy.Deny},
		{"half of what is needed", []policy.Rule{add("s/x", policy.Update, nil)}, policy.Update | policy.Sudo, "s/x", "", policy.ReasonCapability, policy.Update},
		{"no condition is halved", []policy.Rule{plain("s/x", policy.Sudo, wrapped), add("s/*", policy.Update, nil)}, policy.Update | policy.Sudo, "s/x", "", policy.ReasonCapability, policy.Sudo},
		{"its own condition", []policy.Rule{add("s/*", policy.Read, wrapped)}, policy.Read, "s/x", "", policy.ReasonNoMatch, 0},
		{"nothing of it matches", []policy.Rule{plain("s/x", policy.List, nil), add("t/*", policy.Read, nil)}, policy.Read, "s/x", "", policy.ReasonCapability, policy.List},
		{"a list with its slash", []policy.Rule{add("s/dir", policy.List, nil)}, policy.List, "s/dir/", "", policy.ReasonGranted, policy.List},
		{"a read does not lose its slash", []policy.Rule{add("s/dir", policy.Read, nil)}, policy.Read, "s/dir/", "", policy.ReasonNoMatch, 0},
		{"a protected Space it does not name", []policy.Rule{add("*", policy.Read, nil)}, policy.Read, "s/x", "s", policy.ReasonProtected, 0},
		{"a protected Space it names", []policy.Rule{add("s/*", policy.Read, nil), add("*", policy.Update, nil)}, policy.Read, "s/x", "s", policy.ReasonGranted, policy.Read},
		{"the more specific one is told", []policy.Rule{add("*", policy.Read, nil), add("s/*", policy.Read, nil)}, policy.Read, "s/x", "", policy.ReasonGranted, policy.Read},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := compile(tt.rules...)
			d := s.Decide(policy.Request{Resource: tt.resource, Capability: tt.ask, Protected: tt.protected})
			if d.Reason != tt.want || d.Capabilities != tt.caps || d.Allowed != (tt.want == policy.ReasonGranted) {
				t.Errorf("got %v with %v, want %v with %v", d.Reason, d.Capabilities, tt.want, tt.caps)
			}
			if tt.name == "the more specific one is told" && d.Rule.Pattern.String() != "s/*" {
				t.Errorf("got %v", d.Rule.Pattern)
			}
		})
	}
	s := compile(add("s/dir", policy.List|policy.Read, nil), add("s/+/x", policy.Read, nil), plain("t/x", policy.Read, nil))
	if got := s.Capabilities("s/dir/"); got != policy.List {
		t.Errorf("capabilities of a directory: got %v", got)
	}
	if got := s.CapabilitiesIn("s", "s/dir"); got != policy.List|policy.Read {
		t.Errorf("capabilities in a protected Space: got %v", got)
	}
	if got := s.CapabilitiesIn("s/dir", "s/dir/x"); got != 0 {
		t.Errorf("capabilities in a protected Space that is not named: got %v", got)
	}
	if !s.HasAnyBelow("s/") || s.HasAnyBelowIn("s/dir", "s/dir/y") || s.HasAnyBelow("u/") {
		t.Error("has any below")
	}
	if got := s.Patterns(); !slices.Equal(got, []string{"s/+/x", "s/dir", "t/x"}) {
		t.Errorf("patterns: got %v", got)
	}
}
