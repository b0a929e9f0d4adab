package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func TestParsePattern(t *testing.T) {
	tests := []struct {
		in   string
		kind policy.Kind
		out  string
	}{
		{"a/b", policy.KindLiteral, "a/b"},
		{"/a/b", policy.KindLiteral, "a/b"},
		{"//a", policy.KindLiteral, "/a"},
		{"", policy.KindLiteral, ""},
		{"*", policy.KindPrefix, "*"},
		{"a/b*", policy.KindPrefix, "a/b*"},
		{"a**", policy.KindPrefix, "a**"},
		{"+", policy.KindSegment, "+"},
		{"a/+/*", policy.KindSegment, "a/+/*"},
		{"a+/b", policy.KindLiteral, "a+/b"},
		{"a/+b/c*", policy.KindPrefix, "a/+b/c*"},
	}
	for _, tt := range tests {
		p, err := policy.ParsePattern(tt.in)
		if err != nil || p.Kind() != tt.kind || p.String() != tt.out {
			t.Errorf("%q: got %q of kind %d, %v", tt.in, p, p.Kind(), err)
		}
	}
	for _, in := range []string{"a/+*", "+*", "a+*b", "a\n", "a\x7f", "a\xff", strings.Repeat("a", policy.MaxPattern+1), strings.Repeat("a/", 64) + "+"} {
		if p, err := policy.ParsePattern(in); err == nil {
			t.Errorf("%q became %q", in, p)
		}
	}
	if p, err := policy.ParsePattern(strings.Repeat("a/", 63) + "+"); err != nil || p.Kind() != policy.KindSegment {
		t.Errorf("a wildcard in segment 64: %v", err)
	}
}

func TestLiteralAndBelowTakeAnyBytes(t *testing.T) {
	if !policy.Literal("a/+/*").Matches("a/+/*") || policy.Literal("a/+/*").Matches("a/b/c") {
		t.Error("literal")
	}
	if !policy.Below("a/+").Matches("a/+x") || policy.Below("a/+").Matches("a/bx") {
		t.Error("below")
	}
	var zero policy.Pattern
	if zero.Matches("x") || !zero.Matches("") {
		t.Error("zero")
	}
}

func TestNamespaceMustNotPushWildcardsOffTheMask(t *testing.T) {
	p := &policy.Policy{Namespace: "a/b", Rules: []policy.Rule{rule(t, strings.Repeat("x/", 63)+"+", policy.Read), rule(t, strings.Repeat("x/", 61)+"+", policy.Update)}}
	s := policy.Compile(time.Time{}, p)
	if got := s.Capabilities("a/b/" + strings.Repeat("x/", 63) + "y"); got != 0 {
		t.Errorf("got %v", got)
	}
	if got := s.Capabilities("a/b/" + strings.Repeat("x/", 61) + "y"); got != policy.Update {
		t.Errorf("got %v", got)
	}
}

func TestDeepWildcards(t *testing.T) {
	s := compile(rule(t, strings.Repeat("+/", 63)+"+", policy.Read), rule(t, strings.Repeat("+/", 10)+"*", policy.List))
	if got := s.Capabilities(strings.Repeat("x/", 63) + "y"); got != policy.Read {
		t.Errorf("got %v", got)
	}
	if got := s.Capabilities(strings.Repeat("x/", 500) + "y"); got != policy.List {
		t.Errorf("got %v", got)
	}
}

// FuzzParsePattern: a pattern that was read is stable, and every structure that answers for it agrees with Matches.
func FuzzParsePattern(f *testing.F) {
	for _, s := range [][2]string{{"secret/*", "secret/x"}, {"a/+/b*", "a/x/bc"}, {"/a", "a"}, {"+", ""}, {"a/{{identity.entity.id}}", "a/x"}, {"a**", "a*b"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := policy.ParsePattern(text)
		if err != nil {
			return
		}
		if again, err := policy.ParsePattern("/" + p.String()); err != nil || again != p {
			t.Fatalf("%q became %q, and that %q (%v)", text, p, again, err)
		}
		s := compile(policy.Rule{Pattern: p, Capabilities: policy.Read})
		if got := s.Decide(policy.Request{Resource: name, Capability: policy.Read}).Allowed; got != p.Matches(name) {
			t.Fatalf("%q and %q: the set says %v", p, name, got)
		}
		if p.Matches(name) {
			for i := range len(name) + 1 {
				if !s.HasAnyBelow(name[:i]) {
					t.Fatalf("%q matches %q, and nothing is below %q", p, name, name[:i])
				}
			}
		}
		s.Explain(policy.Request{Resource: name, Capability: policy.Update})
	})
}

// FuzzGlob holds the matcher of globs against the simplest one there is.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**a", "ba")
	f.Fuzz(func(t *testing.T, glob, name string) {
		if len(glob) > 40 || len(name) > 40 || strings.Count(glob, "*") > 4 {
			return
		}
		p, err := policy.ParseGlob(glob)
		if err != nil {
			return
		}
		if got, want := p.Matches(name), simpleGlob(glob, name); got != want {
			t.Fatalf("%q and %q: got %v, want %v", glob, name, got, want)
		}
	})
}

func simpleGlob(glob, s string) bool {
	switch {
	case glob == "":
		return s == ""
	case glob[0] == '*':
		return simpleGlob(glob[1:], s) || s != "" && simpleGlob(glob, s[1:])
	}
	return s != "" && (glob[0] == '?' || glob[0] == s[0]) && simpleGlob(glob[1:], s[1:])
}
