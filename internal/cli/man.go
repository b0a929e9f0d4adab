package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand(env Env, _ *options) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "man [COMMAND…]",
		Short: "print a manual page, or write all of them",
		Example: `  keephold man get | man -l -
  keephold man --dir /usr/local/share/man/man1`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			// One date for all builds of a version: pages are compared byte by byte.
			header := &doc.GenManHeader{Section: "1", Source: "keephold", Manual: "Keephold", Date: new(time.Time)}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if dir != "" {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return failf(exitCannotWrite, "%w", err)
				}
				if err := doc.GenManTree(root, header, dir); err != nil {
					return failf(exitCannotWrite, "%w", err)
				}
				return nil
			}
			page, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return failf(exitNotFound, "no command of that name").withHint("keephold --help lists them")
			}
			return env.wrote(doc.GenMan(page, header, env.Stdout))
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write the pages of all commands into this directory")
	return c
}
