package cli

import (
	"bufio"
	"path/filepath"
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
			// While git receives a push, what comes in lies in a directory of its own.
			incoming := filepath.SplitList(env.Getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES"))
			if dir := env.Getenv("GIT_OBJECT_DIRECTORY"); dir != "" {
				incoming = append(incoming, dir)
			}
			repo, err := git.OpenWith(".", incoming...)
			if err != nil {
				return failf(exitIO, "cannot open the repository: %w", err)
			}
			defer func() { _ = repo.Close() }() // only unmaps
			src := &git.Range{Repo: repo}
			receiving := false
			lines := bufio.NewScanner(env.awake())
			for lines.Scan() {
				fields := strings.Fields(lines.Text())
				to, from, ok := pushedIDs(fields)
				receiving = receiving || len(fields) == receiveFields
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
			known := repo.RemoteRefs()
			if receiving {
				known = repo.Refs() // what a server has, it has
			}
			src.Exclude = append(src.Exclude, known...)
			return env.scan(cmd.Context(), o, s, ".", src)
		},
	}
}

// receiveFields is how many words a line of a pre-receive hook has; one of a pre-push hook has one more.
const receiveFields = 3

func pushedIDs(f []string) (to, from string, ok bool) {
	switch len(f) {
	case receiveFields + 1:
		return f[1], f[3], true
	case receiveFields:
		return f[1], f[0], true
	}
	return "", "", false
}

func isZero(x string) bool { return strings.Trim(x, "0") == "" }
