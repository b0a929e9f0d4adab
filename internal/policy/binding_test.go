package policy_test

import (
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func TestBindingsThatCannotBe(t *testing.T) {
	at := policy.Place{Space: "shop/prod", Path: "KEY"}
	ann := []string{"ann"}
	space := []policy.Binding{{Principals: ann, Verbs: []policy.Verb{"azure:get"}}}
	if p, err := policy.AttachedPolicy("x", policy.Place{Space: "shop/prod"}, space, ann); err != nil || len(p.Rules) == 0 {
		t.Errorf("a whole Space: %v, %v", p, err)
	}
	for name, b := range map[string]policy.Binding{
		"nobody":    {Verbs: []policy.Verb{"azure:get"}},
		"no verb":   {Principals: ann, Verbs: []policy.Verb{"azure:fly"}},
		"no rights": {Principals: ann},
	} {
		if err := policy.CheckBindings(at, []policy.Binding{b}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := policy.CheckBindings(at, []policy.Binding{{Principals: ann, Verbs: []policy.Verb{"azure:get"}}}); err != nil {
		t.Error(err)
	}
	if p, err := policy.AttachedPolicy("x", at, []policy.Binding{{Principals: ann, Verbs: []policy.Verb{"azure:fly"}}}, ann); err == nil {
		t.Errorf("compiled to %v", p)
	}
}

func TestWordsAreKnownInAnyCase(t *testing.T) {
	for s, want := range map[string]policy.Verb{"azure:get": "azure:get", "AZURE:Get": "azure:get", "azure:fly": ""} {
		if got, ok := policy.ParseWord(s); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %t", s, got, ok)
		}
	}
}

func TestGrantOfARoleReadsAsItIsTyped(t *testing.T) {
	g := policy.Grant{Role: "web", Verbs: []policy.Verb{"read"}, As: "shop/*"}
	if got := g.String(); got != "grant web read 'shop/*'" {
		t.Errorf("got %q", got)
	}
}

// What a Set says of its size grows with what it holds.
func TestSizeOfASet(t *testing.T) {
	var none *policy.Set
	if none.Size() != 0 {
		t.Errorf("no Set has %d bytes", none.Size())
	}
	last := 0
	for _, paths := range [][]string{{}, {"a/*"}, {"a/*", "b/c"}, {"a/*", "b/c", "d/+/e/*"}} {
		p := &policy.Policy{Name: "p"}
		for _, s := range paths {
			pattern, err := policy.ParsePattern(s)
			if err != nil {
				t.Fatal(err)
			}
			p.Rules = append(p.Rules, policy.Rule{Capabilities: policy.Read, Pattern: pattern})
		}
		if got := policy.Compile(time.Time{}, p).Size(); got <= last {
			t.Errorf("a Set of %q has %d bytes, one of less %d", paths, got, last)
		} else {
			last = got
		}
	}
}
