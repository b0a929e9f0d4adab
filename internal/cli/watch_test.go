package cli

import (
	"slices"
	"testing"

	"github.com/keephold/keephold/redact"
)

// TestReplacedStayMasked: a program that ends after a change may still write the value that it had.
func TestReplacedStayMasked(t *testing.T) {
	old := []redact.Secret{{Name: "KEY", Value: "old-value-1"}, {Name: "SAME", Value: "same-value-1"}, {Name: "GONE", Value: "gone-value-1"}}
	now := []redact.Secret{{Name: "KEY", Value: "new-value-2"}, {Name: "SAME", Value: "same-value-1"}}
	want := []redact.Secret{old[0], old[2]}
	if got := replaced(old, now); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	red, _ := redact.New(slices.Concat(now, replaced(old, now)), redact.Options{})
	if got := red.String("old-value-1 new-value-2 gone-value-1 same-value-1"); got != "•••KEY••• •••KEY••• •••GONE••• •••SAME•••" {
		t.Errorf("got %q", got)
	}
}
