package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// csvFile is gitleaks' CSV, made safe for spreadsheets: a cell that one would take for a formula, as the name of a file may
// look, begins with an apostrophe (OWASP, CSV Injection).
func csvFile(w io.Writer, r scan.Report, o Options) error {
	return writeCSV(w, r, o, func(cell string) string {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			return "'" + cell
		}
		return cell
	})
}

func gitleaksCSV(w io.Writer, r scan.Report, o Options) error {
	return writeCSV(w, r, o, func(cell string) string { return cell })
}

func writeCSV(w io.Writer, r scan.Report, o Options, safe func(string) string) error {
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
		for i := range row {
			row[i] = safe(row[i])
		}
		rows = append(rows, row)
	}
	return c.WriteAll(rows)
}
