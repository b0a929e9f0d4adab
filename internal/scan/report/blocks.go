package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// Redacted hides a percentage of each secret as gitleaks does: all of it becomes REDACTED, less leaves the beginning.
func Redacted(in []scan.Finding, percent int) []scan.Finding {
	out := make([]scan.Finding, len(in))
	for i, f := range in {
		mask := hidden(f.Secret, percent)
		if f.Secret != "" { // a file that was found for its name has none
			f.Match = strings.ReplaceAll(f.Match, f.Secret, mask)
			f.LineText = strings.ReplaceAll(f.LineText, f.Secret, mask)
			f.Message = strings.ReplaceAll(f.Message, f.Secret, mask) // which the peer leaves in clear
			f.Secret = mask
		}
		f.Required = slices.Clone(f.Required)
		for j := range f.Required { // which the peer leaves in clear too
			near := &f.Required[j]
			near.Secret = hidden(near.Secret, percent)
		}
		out[i] = f
	}
	return out
}

func hidden(secret string, percent int) string {
	if percent >= 100 {
		return "REDACTED"
	}
	n := int(math.RoundToEven(float64(len(secret)) * float64(100-percent) / 100))
	return secret[:min(max(n, 0), len(secret))] + "..."
}

// Blocks prints findings as gitleaks --verbose does: with what stands around the match unless it is to be plain.
func Blocks(in []scan.Finding, plain bool, o Options) string {
	var b strings.Builder
	o.Show = true
	for _, f := range in {
		p := peer(f, o)
		row := func(name string, value any) { fmt.Fprintf(&b, "%-12s %v\n", name+":", value) }
		p.Match, p.Secret, p.Line = strings.TrimSpace(p.Match), strings.TrimSpace(p.Secret), strings.TrimSpace(p.Line)
		row("Finding", surrounded(p, plain))
		row("Secret", cut(p, plain))
		row("RuleID", p.RuleID)
		row("Entropy", fmt.Sprintf("%f", p.Entropy))
		if p.File == "" { // of stdin it says no more
			b.WriteString(required(f.Required) + "\n")
			continue
		}
		if len(p.Tags) > 0 {
			row("Tags", p.Tags)
		}
		row("File", p.File)
		row("Line", p.StartLine)
		if p.Commit != "" {
			row("Commit", p.Commit)
			row("Author", p.Author)
			row("Email", p.Email)
			row("Date", p.Date)
		}
		row("Fingerprint", p.Fingerprint)
		if p.Commit != "" && p.Link != "" {
			row("Link", p.Link)
		}
		b.WriteString(required(f.Required) + "\n")
	}
	return b.String()
}

// required are the lines that say what else stands near a finding.
func required(found []scan.Near) string {
	var b strings.Builder
	for i, n := range found {
		name := ""
		if i == 0 {
			name = "Required:"
		}
		secret := strings.TrimSpace(n.Secret)
		if len(secret) > 40 {
			secret = secret[:37] + "..."
		}
		fmt.Fprintf(&b, "%-12s %s:%d:%s\n", name, n.Rule, n.Line, secret)
	}
	return b.String()
}

// around is how much of a line is shown on each side of a match, and longest how much of a secret.
const around, longest = 20, 100

// inLine says where in its line a match stands; -1 when only the match is shown.
func inLine(p peerFinding, plain bool) int {
	if plain || strings.HasPrefix(p.Match, "file detected:") {
		return -1
	}
	return strings.Index(p.Line, p.Match)
}

func surrounded(p peerFinding, plain bool) string {
	at := inLine(p, plain)
	if at < 0 {
		return p.Match
	}
	start := p.Line[:at]
	if at > around {
		start = "..." + p.Line[at-around:at]
	}
	end := at + len(p.Match)
	if len(p.Line)-1 <= end {
		end = len(p.Line)
	}
	rest := p.Line[end:]
	if len(rest) > around {
		rest = rest[:around] + "..."
	}
	match := p.Match
	if before, after, ok := strings.Cut(p.Match, p.Secret); ok {
		match = before + cut(p, plain) + after
	}
	return strings.TrimPrefix(strings.TrimLeft(start, " "), "\n") + match + rest
}

func cut(p peerFinding, plain bool) string {
	if inLine(p, plain) >= 0 && len(p.Secret) > longest {
		return p.Secret[:longest] + "..."
	}
	return p.Secret
}
