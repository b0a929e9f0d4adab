package cli

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
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
			if dir != "" {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return failf(exitCannotWrite, "%w", err)
				}
				return writePages(cmd.Root(), dir)
			}
			c, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return failf(exitNotFound, "no command of that name").withHint("keephold --help lists them")
			}
			var page bytes.Buffer
			writePage(&page, c)
			return env.print(page.String())
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write the pages of all commands into this directory")
	return c
}

// writePages writes the page of a command and those of all commands below it.
func writePages(c *cobra.Command, dir string) error {
	for _, child := range c.Commands() {
		if isListed(child) {
			if err := writePages(child, dir); err != nil {
				return err
			}
		}
	}
	var page bytes.Buffer
	writePage(&page, c)
	if err := os.WriteFile(filepath.Join(dir, pageName(c)+".1"), page.Bytes(), 0o644); err != nil { //nolint:gosec // pages are for everybody
		return failf(exitCannotWrite, "%w", err)
	}
	return nil
}

func isListed(c *cobra.Command) bool {
	return c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand()
}
