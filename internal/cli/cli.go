// Package cli turns words into calls: one file a command, which parses, makes one call, and prints. The rules of the
// terminal stand in ui.go, the exit codes in exit.go, and where a command finds its keep in connect.go.
package cli

import (
	"context"
	"errors"
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
	o := new(options)
	root := rootCommand(env, o)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if closed := o.closeAll(); err == nil {
		err = closed
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return env.report(err)
}

func rootCommand(env Env, o *options) *cobra.Command {
	root := &cobra.Command{
		Use:           "keephold",
		Short:         "keephold looks after a secret for its whole life",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       env.Version,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	f := root.PersistentFlags()
	f.StringVar(&o.addr, "addr", "", "address of the server (KEEPHOLD_ADDR)")
	f.StringVar(&o.caFile, "cacert", "", "file with the CA of the server (KEEPHOLD_CACERT)")
	f.StringVar(&o.namespace, "namespace", "", "namespace to work in (KEEPHOLD_NAMESPACE)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "say nothing but errors on stderr")
	root.AddGroup(
		&cobra.Group{ID: "project", Title: "A project's settings:"},
		&cobra.Group{ID: "secrets", Title: "Secrets:"},
		&cobra.Group{ID: "people", Title: "People and programs:"},
		&cobra.Group{ID: "server", Title: "Servers:"},
	)
	for _, c := range commands {
		cmd := c.make(env, o)
		cmd.GroupID = c.group
		root.AddCommand(cmd)
	}
	return root
}

// commands is every command there is, by what it is for.
var commands = []struct {
	group string
	make  func(Env, *options) *cobra.Command
}{
	{"project", initCommand},
	{"project", trustCommand},
	{"project", importCommand},
	{"project", exportCommand},
	{"project", setCommand},
	{"project", unsetCommand},
	{"project", checkCommand},
	{"project", explainCommand},
	{"project", envCommand},
	{"secrets", getCommand},
	{"secrets", putCommand},
	{"secrets", patchCommand},
	{"secrets", listCommand},
	{"secrets", treeCommand},
	{"secrets", deleteCommand},
	{"secrets", undeleteCommand},
	{"secrets", destroyCommand},
	{"secrets", historyCommand},
	{"secrets", rollbackCommand},
	{"people", loginCommand},
	{"people", logoutCommand},
	{"people", whoamiCommand},
	{"server", devCommand},
	{"server", serverCommand},
	{"server", configCommand},
	{"", versionCommand},
}
