package report

import (
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/keephold/keephold/internal/scan"
)

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
		start, end := columns(f)
		f = o.hide(f)
		add(f.Rule, f.Description)
		region := object{"startLine": max(1, f.Line), "startColumn": start, "endLine": max(1, f.EndLine), "endColumn": end, "snippet": object{"text": f.Secret}}
		result := object{
			"ruleId": f.Rule, "level": level(f), "message": object{"text": message(f)},
			"locations":           []object{{"physicalLocation": object{"artifactLocation": object{"uri": uri(f)}, "region": region}}},
			"partialFingerprints": object{"keephold/v1": f.Identity},
		}
		if f.Commit != "" {
			prints := object{"keephold/v1": f.Identity, "commitSha": f.Commit, "author": f.Author, "email": f.Email, "date": f.Date.UTC().Format("2006-01-02T15:04:05Z")}
			if f.Message != "" {
				prints["commitMessage"] = f.Message
			}
			result["partialFingerprints"] = prints
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
			"columnKind":  "utf16CodeUnits",
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

// uri names the file as RFC 3986 wants it; of a message it is the commit.
func uri(f scan.Finding) string {
	if f.Path == "" {
		if f.Commit == "" {
			return "stdin"
		}
		return ".git/" + f.Commit
	}
	parts := strings.Split(f.Path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	out := strings.Join(parts, "/")
	if path.IsAbs(f.Path) {
		return "file://" + out
	}
	parts[0] = strings.ReplaceAll(parts[0], ":", "%3A") // what stands before a colon would be a scheme
	return strings.Join(parts, "/")
}

// columns are where a match begins and where it has ended, counted from 1 in units of UTF-16 as SARIF has them (3.30.6).
func columns(f scan.Finding) (start, end int) {
	last := f.LineText
	for range f.EndLine - f.Line {
		_, rest, ok := strings.Cut(last, "\n")
		if !ok {
			break
		}
		last = rest
	}
	return max(1, units(f.LineText, f.Column-1)+1), max(1, units(last, f.EndColumn)+1)
}

// units counts the first n bytes of a line in UTF-16; what is beyond the text that is known counts by bytes.
func units(line string, n int) int {
	if n <= 0 {
		return n
	}
	if n > len(line) {
		return n
	}
	count := 0
	for _, r := range line[:n] {
		count += max(1, utf16.RuneLen(r))
	}
	return count
}
