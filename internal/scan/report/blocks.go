package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// Redacted hides a percentage of each secret as gitleaks does: all of it becomes REDACTED, less leaves the beginning.
func Redacted(in []scan.Finding, percent int) []scan.Finding {
	out := make([]scan.Finding, len(in))
	for i, f := range in {
		mask := "REDACTED"
		if percent < 100 {
			n := int(math.RoundToEven(float64(len(f.Secret)) * float64(100-percent) / 100))
			mask = f.Secret[:min(max(n, 0), len(f.Secret))] + "..."
		}
		if f.Secret != "" { // a file that was found for its name has none
			f.Match = strings.ReplaceAll(f.Match, f.Secret, mask)
			f.LineText = strings.ReplaceAll(f.LineText, f.Secret, mask)
			f.Message = strings.ReplaceAll(f.Message, f.Secret, mask) // which the peer leaves in clear
			f.Secret = mask
		}
		out[i] = f
	}
	return out
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
			b.WriteByte('\n')
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
		b.WriteByte('\n')
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
