package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

func csvFile(w io.Writer, r scan.Report, o Options) error {
	if len(r.Findings) == 0 {
		return nil
	}
	c := csv.NewWriter(w)
	rows := [][]string{{"RuleID", "Commit", "File", "SymlinkFile", "Secret", "Match", "StartLine", "EndLine", "StartColumn", "EndColumn", "Author", "Message", "Date", "Email", "Fingerprint", "Tags"}}
	linked := peer(r.Findings[0], o).Link != ""
	if linked {
		rows[0] = append(rows[0], "Link")
	}
	for _, f := range r.Findings {
		p := peer(f, o)
		row := []string{
			p.RuleID, p.Commit, p.File, p.SymlinkFile, p.Secret, p.Match, strconv.Itoa(p.StartLine), strconv.Itoa(p.EndLine), strconv.Itoa(p.StartColumn), strconv.Itoa(p.EndColumn),
			p.Author, p.Message, p.Date, p.Email, p.Fingerprint, strings.Join(p.Tags, " "),
		}
		if linked {
			row = append(row, p.Link)
		}
		rows = append(rows, row)
	}
	return c.WriteAll(rows)
}

type object = map[string]any

// sarif is SARIF 2.1.0.
func sarif(w io.Writer, r scan.Report, o Options) error {
	rules := []object{}
	seen := map[string]bool{}
	add := func(id, description string) {
		if !seen[id] {
			seen[id] = true
			rules = append(rules, object{"id": id, "shortDescription": object{"text": description}})
		}
	}
	for _, x := range o.Rules {
		add(x.ID, x.Description)
	}
	results := []object{}
	for _, f := range r.Findings {
		f = o.hide(f)
		add(f.Rule, f.Description)
		region := object{"startLine": f.Line, "startColumn": max(1, f.Column), "endLine": f.EndLine, "endColumn": f.EndColumn + 1, "snippet": object{"text": f.Secret}}
		result := object{
			"ruleId": f.Rule, "level": level(f), "message": object{"text": message(f)},
			"locations":           []object{{"physicalLocation": object{"artifactLocation": object{"uri": uri(f)}, "region": region}}},
			"partialFingerprints": object{"keephold/v1": f.Identity},
		}
		if f.Commit != "" {
			result["partialFingerprints"] = object{"keephold/v1": f.Identity, "commitSha": f.Commit, "author": f.Author, "email": f.Email, "date": f.Date.UTC().Format("2006-01-02T15:04:05Z"), "commitMessage": f.Message}
		}
		results = append(results, result)
	}
	notes := []object{}
	for _, s := range r.Coverage.Skipped {
		notes = append(notes, object{"level": "warning", "message": object{"text": fmt.Sprintf("not scanned: %d × %s", s.Count, s.Why)}})
	}
	return encoder(w, " ").Encode(object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []object{{
			"tool":        object{"driver": object{"name": "keephold", "semanticVersion": o.Version, "informationUri": "https://github.com/keephold/keephold", "rules": rules}},
			"results":     results,
			"invocations": []object{{"executionSuccessful": r.Coverage.Complete(), "toolExecutionNotifications": notes}},
		}},
	})
}

func level(f scan.Finding) string {
	if f.Confidence >= 3 {
		return "error"
	}
	return "warning"
}

func uri(f scan.Finding) string {
	if f.Path == "" {
		return ".git/" + f.Commit
	}
	return strings.ReplaceAll(f.Path, " ", "%20")
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	File    string       `xml:"file,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Data    string `xml:",chardata"`
}

func junit(w io.Writer, r scan.Report, o Options) error { return junitOf(w, r, o, "keephold") }

func junitOf(w io.Writer, r scan.Report, o Options, suiteName string) error {
	type suite struct {
		Failures string      `xml:"failures,attr"`
		Name     string      `xml:"name,attr"`
		Tests    string      `xml:"tests,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	type suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   suite    `xml:"testsuite"`
	}
	n := strconv.Itoa(len(r.Findings))
	out := suites{Suite: suite{Failures: n, Name: suiteName, Tests: n}}
	for _, f := range r.Findings {
		name := fmt.Sprintf("%s has detected a secret in file %s, line %d", f.Rule, f.Path, f.Line)
		if f.Commit != "" {
			name += ", at commit " + f.Commit
		}
		data, err := json.MarshalIndent(peer(f, o), "", "\t")
		if err != nil {
			return err
		}
		out.Suite.Cases = append(out.Suite.Cases, junitCase{f.Description, f.Path, name + ".", "", junitFailure{name + ".", f.Description, string(data)}})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "\t")
	return e.Encode(out)
}
