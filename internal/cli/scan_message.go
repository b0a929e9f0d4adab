package cli

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan/files"
)

// scanMessageCommand is the commit-msg hook: git gives it the file with the message (githooks(5)).
func scanMessageCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "message FILE",
		Short: "scan the message of a commit; for commit-msg hooks",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return failf(exitIO, "cannot read the message: %w", err)
			}
			return env.scan(cmd.Context(), o, s, ".", &files.Stream{Name: "commit message", Reader: strings.NewReader(messageOf(string(b)))})
		},
	}
}

// messageOf is what git keeps of the file: lines that begin with # stay out, and all below the scissors.
func messageOf(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.Contains(line, "------------------------ >8 ------------------------"):
			return b.String()
		case strings.HasPrefix(line, "#"):
			b.WriteString("\n") // the numbers of the lines stay
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}
