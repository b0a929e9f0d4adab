package triage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/triage"
)

// TestPeerBaseline accepts the secrets of a report of gitleaks, wherever in the file they stand now, and not another secret
// at their place. A redacted report knows places only.
func TestPeerBaseline(t *testing.T) {
	at := func(secret string, line int) *scan.Finding {
		return &scan.Finding{Rule: "tok", Secret: secret, Line: line, Place: scan.Place{Path: "a"}}
	}
	for name, tt := range map[string]struct {
		secret        string
		same, another bool
	}{
		"clear":           {"abc123", true, false},
		"redacted":        {"REDACTED", false, true},
		"partly redacted": {"abc...", false, true},
		"by name":         {"", false, true},
	} {
		file := filepath.Join(t.TempDir(), "base.json")
		if err := os.WriteFile(file, []byte(`[{"RuleID": "tok", "File": "a", "Secret": "`+tt.secret+`", "Fingerprint": "a:tok:3"}]`), 0o600); err != nil {
			t.Fatal(err)
		}
		var s triage.Set
		if err := s.ReadBaseline(file); err != nil {
			t.Fatal(err)
		}
		if got := s.Drop(at("abc123", 9)); got != tt.same {
			t.Errorf("%s: the secret in another line is accepted: %v, want %v", name, got, tt.same)
		}
		if got := s.Drop(at("new456", 3)); got != tt.another {
			t.Errorf("%s: another secret in its line is accepted: %v, want %v", name, got, tt.another)
		}
	}
}
