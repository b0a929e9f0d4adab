package cli

import (
	"bufio"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan/git"
)

// scanPushedCommand is the pre-push hook: git writes "local-ref local-id remote-ref remote-id" lines to stdin
// (githooks(5)). It is the pre-receive hook of a server too, whose lines are "old-id new-id ref".
func scanPushedCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "pushed",
		Short: "scan what a push adds; for pre-push and pre-receive hooks",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			repo, err := openRepo(".")
			if err != nil {
				return err
			}
			defer func() { _ = repo.Close() }() // only unmaps
			src := &git.Range{Repo: repo}
			lines := bufio.NewScanner(env.Stdin)
			for lines.Scan() {
				to, from, ok := pushedIDs(strings.Fields(lines.Text()))
				if !ok {
					return failf(exitBadData, "stdin: %q is no line of a pre-push or pre-receive hook", lines.Text())
				}
				if isZero(to) {
					continue // a deletion adds nothing
				}
				src.Include = append(src.Include, to)
				if !isZero(from) {
					src.Exclude = append(src.Exclude, from)
				}
			}
			if err := lines.Err(); err != nil {
				return failf(exitIO, "cannot read stdin: %w", err)
			}
			src.Exclude = append(src.Exclude, repo.RemoteRefs()...)
			return env.scan(cmd.Context(), o, s, ".", src)
		},
	}
}

func pushedIDs(f []string) (to, from string, ok bool) {
	switch len(f) {
	case 4:
		return f[1], f[3], true
	case 3:
		return f[1], f[0], true
	}
	return "", "", false
}

func isZero(x string) bool { return strings.Trim(x, "0") == "" }
