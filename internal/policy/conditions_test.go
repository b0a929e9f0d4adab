package policy_test

import (
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

type params = map[string][]policy.Value

func TestConditions(t *testing.T) {
	const rw = policy.Read | policy.Create | policy.Update | policy.Patch | policy.Delete | policy.List
	v := func(list ...string) []policy.Value { return values(t, list...) }
	tests := []struct {
		name  string
		conds []*policy.Conditions // of rules for one pattern, merged in this order
		ask   policy.Capability
		body  string
		wrap  time.Duration
		want  policy.Reason
	}{
		{"none", []*policy.Conditions{nil}, policy.Update, `{"a":1}`, 0, policy.ReasonGranted},
		{"allowed: any value", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Create, `{"foo":"x"}`, 0, policy.ReasonGranted},
		{"allowed: upper case name", []*policy.Conditions{{Allowed: params{"Foo": v()}}}, policy.Create, `{"fOO":"x"}`, 0, policy.ReasonGranted},
		{"allowed: other name", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Create, `{"bar":"x"}`, 0, policy.ReasonParameter},
		{"allowed: listed value", []*policy.Conditions{{Allowed: params{"bar": v(`"zip"`, `"zap"`)}}}, policy.Create, `{"bar":"zap"}`, 0, policy.ReasonGranted},
		{"allowed: other value", []*policy.Conditions{{Allowed: params{"bar": v(`"zip"`, `"zap"`)}}}, policy.Create, `{"bar":"zop"}`, 0, policy.ReasonParameter},
		{"allowed: star takes the rest", []*policy.Conditions{{Allowed: params{"bar": v(`"zip"`), "*": v()}}}, policy.Create, `{"bar":"zip","x":1}`, 0, policy.ReasonGranted},
		{"allowed: star does not loosen the listed", []*policy.Conditions{{Allowed: params{"bar": v(`"zip"`), "*": v()}}}, policy.Create, `{"bar":"x"}`, 0, policy.ReasonParameter},
		{"allowed: star alone", []*policy.Conditions{{Allowed: params{"*": v()}}}, policy.Create, `{"bar":"x"}`, 0, policy.ReasonGranted},
		{"allowed: no parameters sent", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Create, "", 0, policy.ReasonGranted},
		{"allowed: empty map restricts nothing", []*policy.Conditions{{Allowed: params{}}}, policy.Create, `{"x":1}`, 0, policy.ReasonGranted},
		{"allowed: read is checked", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Read, `{"bar":"x"}`, 0, policy.ReasonParameter},
		{"allowed: patch is checked", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Patch, `{"bar":"x"}`, 0, policy.ReasonParameter},
		{"allowed: delete is not", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Delete, `{"bar":"x"}`, 0, policy.ReasonGranted},
		{"allowed: list is not", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.List, `{"bar":"x"}`, 0, policy.ReasonGranted},
		{"allowed: broken value", []*policy.Conditions{{Allowed: params{"foo": v()}}}, policy.Create, `BROKEN`, 0, policy.ReasonParameter},
		{"glob: suffix", []*policy.Conditions{{Allowed: params{"bar": v(`"foo-*"`)}}}, policy.Create, `{"bar":"foo-1"}`, 0, policy.ReasonGranted},
		{"glob: prefix", []*policy.Conditions{{Allowed: params{"bar": v(`"*-foo"`)}}}, policy.Create, `{"bar":"1-foo"}`, 0, policy.ReasonGranted},
		{"glob: both", []*policy.Conditions{{Allowed: params{"bar": v(`"*foo*"`)}}}, policy.Create, `{"bar":"1foo2"}`, 0, policy.ReasonGranted},
		{"glob: no match", []*policy.Conditions{{Allowed: params{"bar": v(`"foo-*"`)}}}, policy.Create, `{"bar":"xfoo-1"}`, 0, policy.ReasonParameter},
		{"glob: a star alone permits only itself", []*policy.Conditions{{Allowed: params{"bar": v(`"*"`)}}}, policy.Create, `{"bar":"x"}`, 0, policy.ReasonParameter},
		{"glob: a star alone forbids all text", []*policy.Conditions{{Denied: params{"bar": v(`"*"`)}}}, policy.Create, `{"bar":"x"}`, 0, policy.ReasonParameter},
		{"types: text is not a number", []*policy.Conditions{{Allowed: params{"n": v(`"5"`)}}}, policy.Create, `{"n":5}`, 0, policy.ReasonParameter},
		{"types: number", []*policy.Conditions{{Allowed: params{"n": v(`5`)}}}, policy.Create, `{"n":5.0}`, 0, policy.ReasonGranted},
		{"types: other number", []*policy.Conditions{{Allowed: params{"n": v(`5`)}}}, policy.Create, `{"n":6}`, 0, policy.ReasonParameter},
		{"types: close big numbers differ", []*policy.Conditions{{Allowed: params{"n": v(`9007199254740993`)}}}, policy.Create, `{"n":9007199254740992}`, 0, policy.ReasonParameter},
		{"types: boolean", []*policy.Conditions{{Denied: params{"b": v(`false`)}}}, policy.Create, `{"b":false}`, 0, policy.ReasonParameter},
		{"types: boolean is not its text", []*policy.Conditions{{Denied: params{"b": v(`"false"`)}}}, policy.Create, `{"b":false}`, 0, policy.ReasonGranted},
		{"types: null", []*policy.Conditions{{Denied: params{"b": v(`null`)}}}, policy.Create, `{"b":null}`, 0, policy.ReasonParameter},
		{"types: an object is no number", []*policy.Conditions{{Allowed: params{"b": v(`1`)}}}, policy.Create, `{"b":{"x":1}}`, 0, policy.ReasonParameter},
		{"types: equal objects", []*policy.Conditions{{Allowed: params{"b": v(`{"x":1,"a":2}`)}}}, policy.Create, `{"b":{"a":2,"x":1}}`, 0, policy.ReasonGranted},
		{"denied: any value", []*policy.Conditions{{Denied: params{"foo": v()}}}, policy.Update, `{"foo":1}`, 0, policy.ReasonParameter},
		{"denied: other parameter", []*policy.Conditions{{Denied: params{"foo": v()}}}, policy.Update, `{"bar":1}`, 0, policy.ReasonGranted},
		{"denied: other value", []*policy.Conditions{{Denied: params{"foo": v(`"x"`)}}}, policy.Update, `{"foo":"y"}`, 0, policy.ReasonGranted},
		{"denied: star", []*policy.Conditions{{Denied: params{"*": v()}}}, policy.Update, `{"bar":1}`, 0, policy.ReasonParameter},
		{"denied: star, nothing sent", []*policy.Conditions{{Denied: params{"*": v()}}}, policy.Update, ``, 0, policy.ReasonGranted},
		{"denied wins over allowed", []*policy.Conditions{{Denied: params{"foo": v(`"x"`)}, Allowed: params{"foo": v()}}}, policy.Update, `{"foo":"x"}`, 0, policy.ReasonParameter},
		{"required: missing", []*policy.Conditions{{Required: []string{"name", "ID"}}}, policy.Create, `{"name":1}`, 0, policy.ReasonParameter},
		{"required: there", []*policy.Conditions{{Required: []string{"name", "ID"}}}, policy.Create, `{"name":1,"id":2}`, 0, policy.ReasonGranted},
		{"required: nothing sent", []*policy.Conditions{{Required: []string{"name"}}}, policy.Create, ``, 0, policy.ReasonParameter},
		{"wrap: none asked, minimum set", []*policy.Conditions{{MinWrapTTL: time.Second}}, policy.Read, ``, 0, policy.ReasonWrapTTL},
		{"wrap: none asked, maximum set", []*policy.Conditions{{MaxWrapTTL: time.Second}}, policy.Read, ``, 0, policy.ReasonWrapTTL},
		{"wrap: in bounds", []*policy.Conditions{{MinWrapTTL: time.Second, MaxWrapTTL: time.Minute}}, policy.Read, ``, time.Minute, policy.ReasonGranted},
		{"wrap: too short", []*policy.Conditions{{MinWrapTTL: time.Minute}}, policy.Delete, ``, time.Second, policy.ReasonWrapTTL},
		{"wrap: too long", []*policy.Conditions{{MaxWrapTTL: time.Minute}}, policy.List, ``, time.Hour, policy.ReasonWrapTTL},
		{"merge: the lowest times hold", []*policy.Conditions{{MinWrapTTL: 20 * time.Second, MaxWrapTTL: time.Hour}, {MinWrapTTL: 10 * time.Second, MaxWrapTTL: time.Minute}}, policy.Read, ``, 15 * time.Second, policy.ReasonGranted},
		{"merge: the lowest maximum", []*policy.Conditions{{MaxWrapTTL: time.Minute}, {MaxWrapTTL: time.Hour}}, policy.Read, ``, 2 * time.Minute, policy.ReasonWrapTTL},
		{"merge: impossible times refuse", []*policy.Conditions{{MinWrapTTL: time.Hour}, {MaxWrapTTL: time.Minute}}, policy.Read, ``, 30 * time.Minute, policy.ReasonWrapTTL},
		{"merge: values join", []*policy.Conditions{{Allowed: params{"a": v(`"x"`)}}, {Allowed: params{"a": v(`"y"`)}}}, policy.Update, `{"a":"y"}`, 0, policy.ReasonGranted},
		{"merge: names join", []*policy.Conditions{{Allowed: params{"a": v(`"x"`)}}, {Allowed: params{"b": v()}}}, policy.Update, `{"a":"x","b":1}`, 0, policy.ReasonGranted},
		{"merge: an empty list wins", []*policy.Conditions{{Allowed: params{"a": v(`"x"`)}}, {Allowed: params{"a": v()}}}, policy.Update, `{"a":"z"}`, 0, policy.ReasonGranted},
		{"merge: an empty list stays", []*policy.Conditions{{Denied: params{"a": v()}}, {Denied: params{"a": v(`"x"`)}}}, policy.Update, `{"a":"z"}`, 0, policy.ReasonParameter},
		{"merge: a rule without conditions lifts none", []*policy.Conditions{{Allowed: params{"a": v()}}, nil}, policy.Update, `{"b":1}`, 0, policy.ReasonParameter},
		{"merge: a rule with conditions adds them", []*policy.Conditions{nil, {Allowed: params{"a": v()}}}, policy.Update, `{"b":1}`, 0, policy.ReasonParameter},
		{"merge: required add up", []*policy.Conditions{{Required: []string{"a"}}, {Required: []string{"a", "b"}}}, policy.Update, `{"a":1}`, 0, policy.ReasonParameter},
		{"page: within", []*policy.Conditions{{PageLimit: 10}}, policy.List, `{"limit":"10"}`, 0, policy.ReasonGranted},
		{"page: too many", []*policy.Conditions{{PageLimit: 20}, {PageLimit: 10}}, policy.List, `{"limit":11}`, 0, policy.ReasonParameter},
		{"page: negative", []*policy.Conditions{{PageLimit: 10}}, policy.Scan, `{"limit":-1}`, 0, policy.ReasonParameter},
		{"page: max", []*policy.Conditions{{PageLimit: 10}}, policy.Scan, `{"limit":"max"}`, 0, policy.ReasonGranted},
		{"page: not a number", []*policy.Conditions{{PageLimit: 10}}, policy.Scan, `{"limit":"many"}`, 0, policy.ReasonParameter},
		{"page: absent", []*policy.Conditions{{PageLimit: 10}}, policy.List, ``, 0, policy.ReasonGranted},
		{"page: absent but required", []*policy.Conditions{{PageLimit: 10, Required: []string{"limit"}}}, policy.List, ``, 0, policy.ReasonParameter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &policy.Policy{Name: "p"}
			for _, c := range tt.conds {
				r := rule(t, "secret/*", rw|policy.Scan)
				r.Conditions = c
				p.Rules = append(p.Rules, r)
			}
			s := policy.Compile(time.Time{}, p)
			r := policy.Request{Resource: "secret/x", Capability: tt.ask, WrapTTL: tt.wrap}
			if tt.body == "BROKEN" {
				r.Params = raw(t, `{"foo":1}`)
				r.Params["foo"] = []byte("{")
			} else {
				r.Params = raw(t, tt.body)
			}
			d := s.Decide(r)
			if d.Reason != tt.want || d.Allowed != (tt.want == policy.ReasonGranted) {
				t.Errorf("got %v (%v), want %v", d.Reason, d.Allowed, tt.want)
			}
			if last := tt.conds[len(tt.conds)-1]; last != nil && last.PageLimit > 0 && d.PageLimit != last.PageLimit {
				t.Errorf("page limit: got %d", d.PageLimit)
			}
		})
	}
}

func TestMergingLeavesThePoliciesAlone(t *testing.T) {
	a := &policy.Conditions{Allowed: params{"A": values(t, `"x"`)}, Required: make([]string, 1, 8)}
	b := &policy.Conditions{Allowed: params{"a": values(t, `"y"`)}, Required: []string{"z"}}
	one, two := rule(t, "x", policy.Update), rule(t, "x", policy.Update)
	one.Conditions, two.Conditions = a, b
	for range 2 {
		compile(one, two)
	}
	if len(a.Allowed) != 1 || len(a.Allowed["A"]) != 1 || len(b.Allowed["a"]) != 1 || len(a.Required) != 1 || a.Required[:2][1] != "" {
		t.Errorf("compiling changed the policies: %v %v", a, b)
	}
}

func TestNeedsParams(t *testing.T) {
	plain, wrap, allowed := rule(t, "a", policy.Read), rule(t, "b", policy.Read), rule(t, "c", policy.Read)
	wrap.Conditions = &policy.Conditions{MinWrapTTL: time.Second}
	allowed.Conditions = &policy.Conditions{Required: []string{"x"}}
	if compile(plain, wrap).NeedsParams() {
		t.Error("wrapping times need no parameters")
	}
	if !compile(plain, allowed).NeedsParams() {
		t.Error("required parameters do")
	}
}

func TestDenyDropsConditions(t *testing.T) {
	deny, cond := rule(t, "a", policy.Deny), rule(t, "a", policy.Read)
	cond.Conditions = &policy.Conditions{MinWrapTTL: time.Second}
	for _, s := range []*policy.Set{compile(deny, cond), compile(cond, deny)} {
		if got := s.Decide(policy.Request{Resource: "a", Capability: policy.Read}).Reason; got != policy.ReasonDeny {
			t.Errorf("got %v", got)
		}
	}
}

func TestParseValue(t *testing.T) {
	for in, want := range map[string]policy.Value{` { "b" : 1.50, "a" : [ true , null ] } `: `{"a":[true,null],"b":1.50}`, `"a\u0062"`: `"ab"`} {
		if got, err := policy.ParseValue([]byte(in)); err != nil || got != want {
			t.Errorf("%s: got %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "{", "1 2", "nul", `"`} {
		if _, err := policy.ParseValue([]byte(in)); err == nil {
			t.Errorf("%q was taken", in)
		}
	}
	if got := policy.StringValue(`a"<`); got != `"a\"\u003c"` {
		t.Errorf("got %s", got)
	}
}
