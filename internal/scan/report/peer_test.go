package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/report"
)

// The bytes are those that gitleaks 8 wrote for the same find.
func TestPeerFormats(t *testing.T) {
	f := scan.Finding{
		Rule: "tok", Description: "A <tok>", Line: 4, Column: 7, EndLine: 4, EndColumn: 16, Match: "tok-def456", Secret: "def456", Entropy: scan.Entropy("def456"),
		Place: scan.Place{Path: "b.txt", Commit: "8d42", Author: "Tester", Email: "t@example.net", Message: "second\n\nbody", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	o := report.Options{Show: true, Rules: []report.Rule{{ID: "tok", Description: "A <tok>", Tags: []string{"t1", "t2"}}}}
	for format, want := range map[string][]string{
		"gitleaks":       {"[\n {\n  \"RuleID\": \"tok\",\n  \"Description\": \"A \\u003ctok\\u003e\",\n  \"StartLine\": 4,\n  \"EndLine\": 4,\n  \"StartColumn\": 8,\n  \"EndColumn\": 17,", "\"Entropy\": 2.5849626,", "\"Tags\": [\n   \"t1\",\n   \"t2\"\n  ],", "\"Fingerprint\": \"8d42:b.txt:tok:4\"\n }\n]\n"},
		"gitleaks-csv":   {"tok,8d42,b.txt,,def456,tok-def456,4,4,8,17,Tester,\"second\n\nbody\",2026-01-02T03:04:05Z,t@example.net,8d42:b.txt:tok:4,t1 t2\n"},
		"gitleaks-sarif": {"{\n \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n \"version\": \"2.1.0\",\n \"runs\": [\n  {\n   \"tool\": {\n    \"driver\": {\n     \"name\": \"gitleaks\",\n     \"semanticVersion\": \"v8.0.0\",", "\"properties\": {\n      \"tags\": [\n       \"t1\","},
		"gitleaks-junit": {"<testsuite failures=\"1\" name=\"gitleaks\" tests=\"1\" time=\"\">", "<testcase classname=\"A &lt;tok&gt;\" file=\"b.txt\" name=\"tok has detected a secret in file b.txt, line 4, at commit 8d42.\" time=\"\">"},
	} {
		write, ok := report.For(format)
		if !ok {
			t.Fatalf("no format %s", format)
		}
		var b bytes.Buffer
		if err := write(&b, scan.Report{Findings: []scan.Finding{f}}, o); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks\n%s\nin\n%s", format, w, b.String())
			}
		}
	}
}

func TestRedactedHidesWhatIsRequired(t *testing.T) {
	f := scan.Finding{Rule: "pass", Secret: "q1w2e3r4", Required: []scan.Near{{Rule: "user", Line: 1, Secret: "annabell"}}}
	for percent, want := range map[int]string{100: "Required:    user:1:REDACTED\n", 50: "Required:    user:1:anna...\n"} {
		out := report.Blocks(report.Redacted([]scan.Finding{f}, percent), true, report.Options{})
		if !strings.Contains(out, want) || strings.Contains(out, "annabell") {
			t.Errorf("%d %%: %q is not in\n%s", percent, want, out)
		}
	}
	if f.Required[0].Secret != "annabell" {
		t.Error("the finding itself was changed")
	}
}
