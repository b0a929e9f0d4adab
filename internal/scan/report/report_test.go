package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/report"
)

func written(t *testing.T, format string, r scan.Report, o report.Options) string {
	t.Helper()
	w, ok := report.For(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	var b bytes.Buffer
	if err := w(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// awkward has all that formats have to escape: in a path, in a message, and units that are neither bytes nor characters.
func awkward() scan.Report {
	line := "é😀 key = s3cr3t-one, s3cr3t-two"
	at := func(secret string) (int, int) {
		i := strings.Index(line, secret)
		return i + 1, i + len(secret)
	}
	place := scan.Place{Path: "=a b/c:d#e%f,g?[1]\n.txt", Commit: "8d42", Author: "@Tester", Email: "t@example.net", Message: "with s3cr3t-one and s3cr3t-accepted", Date: time.Unix(0, 0)}
	one := scan.Finding{Rule: "tok", Description: "A token", Place: place, Line: 4, EndLine: 4, Match: line[strings.Index(line, "key"):], Secret: "s3cr3t-one", LineText: line, Confidence: leak.High}
	one.Column, one.EndColumn = at("s3cr3t-one")
	two := one
	two.Secret, two.Match = "s3cr3t-two", "s3cr3t-two"
	two.Column, two.EndColumn = at("s3cr3t-two")
	r := scan.Report{Findings: []scan.Finding{one, two}}
	r.Coverage.Skip("object not in this clone", "50%: a, b\nc")
	return r
}

// TestNothingInClear looks in every format for a secret: its own, that of its neighbour, and one that only a commit's message has.
func TestNothingInClear(t *testing.T) {
	for _, format := range report.Formats() {
		if out := written(t, format, awkward(), report.Options{}); strings.Contains(out, "s3cr3t") {
			t.Errorf("%s has a secret in clear:\n%s", format, out)
		}
	}
	w, err := report.Template("t", "{{range .}}{{.Secret}} {{.Match}} {{.Line}} {{.Message}}{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w(&b, awkward(), report.Options{}); err != nil || strings.Contains(b.String(), "s3cr3t") {
		t.Errorf("a template has a secret in clear: %v: %s", err, b.String())
	}
}

func TestCSVIsNoFormula(t *testing.T) {
	for format, want := range map[string][2]string{"csv": {"'=a b/c:d#e%f,g?[1]\n.txt", "'@Tester"}, "gitleaks-csv": {"=a b/c:d#e%f,g?[1]\n.txt", "@Tester"}} {
		rows, err := csv.NewReader(strings.NewReader(written(t, format, awkward(), report.Options{}))).ReadAll()
		if err != nil || len(rows) != 3 || rows[1][2] != want[0] || rows[1][10] != want[1] {
			t.Errorf("%s: %v %q", format, err, rows)
		}
	}
}

// The runner takes back what is escaped, and no more: %25, %0D and %0A in what is said, also %3A and %2C in properties.
func TestAnnotations(t *testing.T) {
	got := written(t, "github", awkward(), report.Options{})
	want := "::error file==a b/c%3Ad#e%25f%2Cg?[1]%0A.txt,line=4,endLine=4,col=14,title=secret%3A tok::tok has detected secret for file =a b/c:d#e%25f,g?[1]%0A.txt at commit 8d42.\n"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "::warning title=not scanned::1 × object not in this clone 50%25: a, b%0Ac\n") || strings.Count(got, "\n") != 3 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r := awkward()
	r.Findings[0].Path = ""
	if got := written(t, "github", r, report.Options{}); !strings.HasPrefix(got, "::error title=secret%3A tok::tok has detected secret in the message of commit 8d42.\n") {
		t.Errorf("a message: %s", got)
	}
}

func TestSARIFPlaces(t *testing.T) {
	var got struct {
		Runs []struct {
			ColumnKind string
			Results    []struct {
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
					}
				}
			}
			Invocations []struct{ ExecutionSuccessful bool }
		}
	}
	if err := json.Unmarshal([]byte(written(t, "sarif", awkward(), report.Options{})), &got); err != nil {
		t.Fatal(err)
	}
	run := got.Runs[0]
	at := run.Results[0].Locations[0].PhysicalLocation
	if want := "=a%20b/c:d%23e%25f%2Cg%3F%5B1%5D%0A.txt"; at.ArtifactLocation.URI != want {
		t.Errorf("uri %q, want %q", at.ArtifactLocation.URI, want)
	}
	// é is one unit and two bytes, 😀 two units and four bytes.
	if r := at.Region; run.ColumnKind != "utf16CodeUnits" || r.StartColumn != 11 || r.EndColumn != 21 || r.StartLine != 4 || r.EndLine != 4 {
		t.Errorf("region %+v in %s", r, run.ColumnKind)
	}
	if run.Invocations[0].ExecutionSuccessful {
		t.Error("a scan that missed something is successful")
	}
}

// What sprig's full form makes of these, v3.3.0 printed.
func TestTemplateFunctions(t *testing.T) {
	for in, want := range map[string]string{
		`{{abbrev 8 "hello world"}} {{abbrev 3 "hello"}}`:           "hello... hello",
		`{{abbrevboth 5 10 "1234 5678 9123"}}`:                      "...5678...",
		`{{wrap 5 "one two three"}}|{{wrapWith 3 "/" "one two"}}`:   "one\ntwo\nthree|one/two",
		`{{initials "First Try"}} {{untitle "First Try"}}`:          "FT first try",
		`{{nospace "a b c"}} {{swapcase "This Is"}}`:                "abc tHIS iS",
		`{{snakecase "FirstName"}} {{kebabcase "FirstName"}}`:       "first_name first-name",
		`{{camelcase "http_server"}} {{sha512sum "" | trunc 8}}`:    "HttpServer cf83e135",
		`{{quote "a"}} {{sub 3 1}} {{"x" | upper}} {{default 1 0}}`: `"a" 2 X 1`,
	} {
		w, err := report.Template("t", in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var b strings.Builder
		if err := w(&b, scan.Report{}, report.Options{}); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v; want %q", in, b.String(), err, want)
		}
	}
	if _, err := report.Template("t", `{{env "HOME"}}`); err == nil {
		t.Error("a template reads the environment")
	}
}
