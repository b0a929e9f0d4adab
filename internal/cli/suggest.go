package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearestFlag finds the flag that somebody may have meant, in the parser's complaint "unknown flag: --feild".
func nearestFlag(cmd *cobra.Command, complaint string) string {
	_, wrong, ok := strings.Cut(complaint, "unknown flag: --")
	if !ok {
		return ""
	}
	best, limit := "", 3
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := distance(wrong, f.Name); d < limit && !f.Hidden {
			best, limit = "--"+f.Name, d
		}
	})
	return best
}

// distance counts the letters to insert, remove or replace to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
