// Package cli turns words into calls: one file a command, which parses, makes one call, and prints. The rules of the
// terminal stand in ui.go, the exit codes in exit.go.
package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Env is everything a command may touch besides the keep.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Version        string
}

// Run runs one command line and answers the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	root := &cobra.Command{Use: "keephold", Short: "looks after a secret for its whole life", SilenceErrors: true, SilenceUsage: true, Version: env.Version}
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.AddCommand(devCommand(env))
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(env.Stderr, "keephold: error: %v\n", err)
		return 1
	}
	return 0
}
