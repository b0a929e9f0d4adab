package triage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/triage"
)

func TestMergeBaselines(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, ids ...string) string {
		t.Helper()
		var list []scan.Finding
		for _, id := range ids {
			list = append(list, scan.Finding{Rule: "r", Place: scan.Place{Path: "p"}, Identity: id})
		}
		path := filepath.Join(dir, name)
		if err := triage.WriteBaseline(path, list); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base, ours, theirs := file("base", "kept", "gone-here", "gone-there"), file("ours", "kept", "gone-there", "new-here"), file("theirs", "kept", "gone-here", "new-there")
	if err := triage.MergeBaselines(base, ours, theirs); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(file("want", "kept", "new-here", "new-there"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := os.WriteFile(theirs, []byte("<<<<<<< ours\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := triage.MergeBaselines(base, ours, theirs); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a broken side: %v", err)
	}
}
