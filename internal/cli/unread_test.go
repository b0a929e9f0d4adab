package cli

import (
	"slices"
	"testing"

	"github.com/keephold/keephold/internal/settings/toml"
)

// TestReaches orders readings of a chain by how far they came: a program that runs is not started again with less.
func TestReaches(t *testing.T) {
	e := environment{name: "prod", chain: []toml.Env{{Name: "prod"}, {Name: "staging"}, {Name: "dev"}}}
	order := []*unread{ // each came farther than those before it
		e.unreadFrom(0, true), e.unreadFrom(0, false), e.unreadFrom(1, true), e.unreadFrom(1, false), e.unreadFrom(2, true), e.unreadFrom(2, false), nil,
	}
	for i, a := range order {
		for j, b := range order {
			if got := a.reaches(b); got != (i >= j) {
				t.Errorf("%v reaches as far as %v: got %v", a.names(), b.names(), got)
			}
		}
	}
	for i, want := range [][]string{{"prod", "staging", "dev"}, {"prod", "staging", "dev"}, {"staging", "dev"}, {"staging", "dev"}, {"dev"}, {"dev"}, {}} {
		if got := order[i].names(); !slices.Equal(got, want) {
			t.Errorf("%d: got %q, want %q", i, got, want)
		}
	}
	if got := e.unreadFrom(2, false).inheritance(); got != "" {
		t.Errorf("the last one has nothing to inherit: %s", got)
	}
}
