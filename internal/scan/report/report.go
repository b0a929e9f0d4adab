// Package report writes what a scan found in the formats that people and their tools read.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/keephold/keephold/internal/scan"
)

// Options of all writers.
type Options struct {
	Show    bool   // secrets in clear; otherwise they are masked everywhere
	Version string // of the tool
	Rules   []Rule // for formats that list them
	Staged  bool   // what was looked at is no commit yet
	Remote  Remote // where findings in gitleaks' formats link to
}

// Rule is what a report says about a rule.
type Rule struct {
	ID, Description string
	Tags            []string
}

// Writer writes one report.
type Writer func(w io.Writer, r scan.Report, o Options) error

// Formats lists the names of the formats. "gitleaks" is the peer's JSON.
func Formats() []string {
	return []string{"table", "json", "jsonl", "csv", "sarif", "junit", "markdown", "github", "gitleaks", "gitleaks-csv", "gitleaks-sarif", "gitleaks-junit"}
}

// For returns the writer of a format.
func For(format string) (Writer, bool) {
	w, ok := writerOf(format)
	return w.masked(false), ok
}

func writerOf(format string) (Writer, bool) {
	switch format {
	case "table":
		return table, true
	case "json":
		return document, true
	case "jsonl":
		return jsonLines, true
	case "csv":
		return csvFile, true
	case "sarif":
		return sarif, true
	case "junit":
		return junit, true
	case "markdown":
		return markdown, true
	case "github":
		return annotations, true
	case "gitleaks":
		return gitleaks, true
	case "gitleaks-csv":
		return gitleaksCSV, true
	case "gitleaks-sarif":
		return gitleaksSARIF, true
	case "gitleaks-junit":
		return gitleaksJUnit, true
	}
	return nil, false
}

// Mask shows that there is a secret and how long it is, and nothing of it.
func Mask(secret string) string {
	return fmt.Sprintf("[%d characters]", len([]rune(secret)))
}

// Hide masks the secret of a finding.
func Hide(f scan.Finding) scan.Finding { return Options{}.hide(f) }

// hide masks the secrets of a finding unless they are to be shown.
func (o Options) hide(f scan.Finding) scan.Finding {
	if o.Show {
		return f
	}
	mask := Mask(f.Secret)
	f.Match = strings.ReplaceAll(f.Match, f.Secret, mask)
	f.LineText = strings.ReplaceAll(f.LineText, f.Secret, mask)
	if f.Decoded != "" { // the text holds it encoded
		f.Match, f.LineText = mask, mask
	}
	f.Secret = mask
	return f
}

// masked is the writer of a report in which nothing stands in clear: a match or a line may hold the secret of another
// finding, and what a commit says may hold any, also one that is accepted. Lines are masked for who prints them; for others
// they only tell columns.
func (w Writer) masked(lines bool) Writer {
	if w == nil {
		return nil
	}
	return func(to io.Writer, r scan.Report, o Options) error {
		if o.Show || len(r.Findings) == 0 {
			return w(to, r, o)
		}
		var secrets []string
		for _, f := range r.Findings {
			if f.Secret != "" {
				secrets = append(secrets, f.Secret)
			}
		}
		slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, s := range slices.Compact(secrets) {
			pairs = append(pairs, s, Mask(s))
		}
		all := strings.NewReplacer(pairs...)
		found := slices.Clone(r.Findings)
		for i := range found {
			f := &found[i]
			f.Match, f.Message = all.Replace(f.Match), ""
			if lines {
				f.LineText = all.Replace(f.LineText)
			}
		}
		r.Findings = found
		return w(to, r, o)
	}
}

func where(f scan.Finding) string {
	path := f.Path
	if path == "" {
		path = "commit message"
	}
	return fmt.Sprintf("%s:%d", path, f.Line)
}

func short(commit string) string { return commit[:min(len(commit), 10)] }

func table(w io.Writer, r scan.Report, o Options) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if len(r.Findings) > 0 {
		fmt.Fprintln(t, "WHERE\tRULE\tSURE\tCOMMIT\tSECRET\tID")
	}
	for _, f := range r.Findings {
		f = o.hide(f)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", where(f), f.Rule, f.Confidence, short(f.Commit), oneLine(f.Secret), f.Identity)
	}
	return t.Flush()
}

func oneLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		line += " …"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, line)
}

// jsonFinding is our own JSON form. Fields are added, never renamed.
type jsonFinding struct {
	ID          string   `json:"id"`
	Rule        string   `json:"rule"`
	Description string   `json:"description"`
	Confidence  string   `json:"confidence"`
	Score       int      `json:"score"`
	Path        string   `json:"path,omitempty"`
	Line        int      `json:"line"`
	Column      int      `json:"column"`
	EndLine     int      `json:"end_line"`
	EndColumn   int      `json:"end_column"`
	Secret      string   `json:"secret"`
	Match       string   `json:"match"`
	Decoded     string   `json:"decoded,omitempty"`
	Commit      string   `json:"commit,omitempty"`
	Object      string   `json:"object,omitempty"`
	Author      string   `json:"author,omitempty"`
	Email       string   `json:"email,omitempty"`
	Date        string   `json:"date,omitempty"`
	Why         []string `json:"why,omitempty"`
	Live        string   `json:"live,omitempty"` // live, dead or unknown, when the vendor was asked
}

func toJSON(f scan.Finding, o Options) jsonFinding {
	f = o.hide(f)
	j := jsonFinding{
		ID: f.Identity, Rule: f.Rule, Description: f.Description, Confidence: f.Confidence.String(), Score: f.Score, Path: f.Path, Line: f.Line, Column: f.Column, EndLine: f.EndLine, EndColumn: f.EndColumn,
		Secret: f.Secret, Match: f.Match, Decoded: f.Decoded, Commit: f.Commit, Object: f.Object, Author: f.Author, Email: f.Email,
		Live: f.Live,
	}
	if !f.Date.IsZero() {
		j.Date = f.Date.UTC().Format("2006-01-02T15:04:05Z")
	}
	for _, x := range f.Explain {
		j.Why = append(j.Why, fmt.Sprintf("%+d %s", x.Points, x.Why))
	}
	return j
}

func encoder(w io.Writer, indent string) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e
}

func document(w io.Writer, r scan.Report, o Options) error {
	findings := []jsonFinding{}
	for _, f := range r.Findings {
		findings = append(findings, toJSON(f, o))
	}
	return encoder(w, "  ").Encode(map[string]any{
		"schema_version": 1, "findings": findings, "allowed": r.Allowed, "complete": r.Coverage.Complete(), "took_ms": r.Took.Milliseconds(),
		"scanned": map[string]any{"chunks": r.Coverage.Chunks, "bytes": r.Coverage.Bytes, "commits": r.Coverage.Commits, "skipped": skips(r), "notes": r.Coverage.Notes},
	})
}

func skips(r scan.Report) []map[string]any {
	out := []map[string]any{}
	for _, s := range r.Coverage.Skipped {
		out = append(out, map[string]any{"why": s.Why, "count": s.Count, "example": s.Example})
	}
	return out
}

func jsonLines(w io.Writer, r scan.Report, o Options) error {
	e := encoder(w, "")
	for _, f := range r.Findings {
		if err := e.Encode(toJSON(f, o)); err != nil {
			return err
		}
	}
	return nil
}

func markdown(w io.Writer, r scan.Report, o Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %d possible secrets\n\n", len(r.Findings))
	if len(r.Findings) > 0 {
		b.WriteString("| Where | Rule | Sure | Commit | Id |\n| --- | --- | --- | --- | --- |\n")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` |\n", strings.ReplaceAll(where(f), "|", `\|`), f.Rule, f.Confidence, short(f.Commit), f.Identity)
	}
	for _, s := range r.Coverage.Skipped {
		fmt.Fprintf(&b, "\n**Not scanned**: %d × %s\n", s.Count, s.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// annotations are GitHub's workflow commands: what stands in a property is escaped more than what is said.
func annotations(w io.Writer, r scan.Report, _ Options) error {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	for _, f := range r.Findings {
		at := ""
		if f.Path != "" {
			at = fmt.Sprintf("file=%s,line=%d,endLine=%d,col=%d,", property.Replace(f.Path), f.Line, f.EndLine, f.Column)
		}
		fmt.Fprintf(&b, "::error %stitle=%s::%s\n", at, property.Replace("secret: "+f.Rule), data.Replace(message(f)))
	}
	for _, k := range r.Coverage.Skipped {
		fmt.Fprintf(&b, "::warning title=not scanned::%s\n", data.Replace(fmt.Sprintf("%d × %s %s", k.Count, k.Why, k.Example)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func message(f scan.Finding) string {
	m := fmt.Sprintf("%s has detected secret for file %s", f.Rule, f.Path)
	if f.Path == "" && f.Commit != "" {
		return fmt.Sprintf("%s has detected secret in the message of commit %s.", f.Rule, f.Commit)
	}
	if f.Commit != "" {
		m += " at commit " + f.Commit
	}
	return m + "."
}

// peerFinding is gitleaks' JSON form, in its order of keys.
type peerFinding struct {
	RuleID      string
	Description string
	StartLine   int
	EndLine     int
	StartColumn int
	EndColumn   int
	Match       string
	Secret      string
	File        string
	SymlinkFile string
	Line        string `json:"-"`
	Commit      string
	Link        string `json:",omitempty"`
	Entropy     float32
	Author      string
	Email       string
	Date        string
	Message     string
	Tags        []string
	Fingerprint string
}

func peer(f scan.Finding, o Options) peerFinding {
	if !o.Show {
		f = o.hide(f)
	}
	p := peerFinding{
		RuleID: f.Rule, Description: f.Description, StartLine: f.Line, EndLine: f.EndLine, StartColumn: f.Column, EndColumn: f.EndColumn, Match: f.Match, Secret: f.Secret, File: f.Path, SymlinkFile: f.Link,
		Line: f.LineText, Commit: f.Commit, Entropy: float32(f.Entropy), Author: f.Author, Email: f.Email, Message: f.Message, Tags: o.tags(f.Rule),
	}
	if f.Line > 1 && !f.Opens { // it counts the line end before, but on the first line of what it looks at
		p.StartColumn++
		p.Line = "\n" + p.Line
	}
	if f.EndLine > f.Line || f.Line > 1 && !f.Opens {
		p.EndColumn++
	}
	if f.Decoded != "" {
		for layer := range strings.SplitSeq(f.Decoded, ">") {
			p.Tags = append(slices.Clip(p.Tags), "decoded:"+layer)
		}
		p.Tags = append(slices.Clip(p.Tags), fmt.Sprintf("decode-depth:%d", 1+strings.Count(f.Decoded, ">")))
	}
	if !f.Date.IsZero() || o.Staged {
		p.Date = f.Date.UTC().Format("2006-01-02T15:04:05Z")
	}
	p.Fingerprint = fmt.Sprintf("%s:%s:%d", f.Path, f.Rule, f.Line)
	if f.Commit != "" {
		p.Fingerprint = f.Commit + ":" + p.Fingerprint
	}
	p.Link = o.Remote.of(p)
	return p
}

func gitleaks(w io.Writer, r scan.Report, o Options) error {
	out := []peerFinding{}
	for _, f := range r.Findings {
		out = append(out, peer(f, o))
	}
	return peerEncoder(w).Encode(out)
}

// tags are those of a rule; none is an empty list.
func (o Options) tags(rule string) []string {
	for _, r := range o.Rules {
		if r.ID == rule && len(r.Tags) > 0 {
			return r.Tags
		}
	}
	return []string{}
}
