package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

func TestNormalizeName(t *testing.T) {
	for in, want := range map[string]string{
		"app": "app", " Team-A.read_only\n": "team-a.read_only", "DEFAULT": "default", "a@b:c+d": "a@b:c+d", "...": "...",
	} {
		n, err := policy.NormalizeName(in)
		if err != nil || n.String() != want {
			t.Errorf("%q: got %q, %v", in, n, err)
		}
	}
	for _, in := range []string{"", "  ", ".", "..", "a/b", "a b", "a\x00", "ro\u212a", "rööt", "ｒｏｏｔ", "root\u200b", strings.Repeat("a", 129), "a\u00a0"} {
		if n, err := policy.NormalizeName(in); err == nil {
			t.Errorf("%q became %q", in, n)
		}
	}
}

// TestAdvisoryRootPolicyNameNormalisedLate: whatever becomes "root" is known as root after it became so, and what is not exactly that has no power.
func TestAdvisoryRootPolicyNameNormalisedLate(t *testing.T) {
	for _, in := range []string{"root", "ROOT", " root", "Root\t", "\r\nrOOt "} {
		n, err := policy.NormalizeName(in)
		if err != nil || !n.IsRoot() || !n.Reserved() {
			t.Errorf("%q: got %q, root %v, %v", in, n, n.IsRoot(), err)
		}
		if _, err := policy.NewGrant(in, []string{"read"}, "shop/prod", "*", false); err == nil {
			t.Errorf("a grant to %q was taken", in)
		}
		if s := policy.Compile(time.Time{}, &policy.Policy{Name: in}); s.IsRoot() || s.Capabilities("x") != 0 {
			t.Errorf("a policy called %q has power by its name", in)
		}
	}
	for in, reserved := range map[string]bool{"Response-Wrapping ": true, "default": false, "rootx": false} {
		if n, err := policy.NormalizeName(in); err != nil || n.Reserved() != reserved || n.IsRoot() {
			t.Errorf("%q: got %q, reserved %v, %v", in, n, n.Reserved(), err)
		}
	}
}

func FuzzNormalizeName(f *testing.F) {
	for _, s := range []string{"root", " ROOT ", "a.b", "\u212a", "\u00a0root", "..", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := policy.NormalizeName(s)
		if err != nil {
			return
		}
		again, err := policy.NormalizeName(n.String())
		if err != nil || again != n {
			t.Fatalf("%q became %q, and that %q (%v)", s, n, again, err)
		}
		if n.IsRoot() != strings.EqualFold(strings.TrimSpace(s), "root") {
			t.Fatalf("%q: root %v", s, n.IsRoot())
		}
	})
}
