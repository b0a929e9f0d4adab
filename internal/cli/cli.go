// Package cli turns words into calls: one file a command, which parses, makes one call, and prints. The rules of the
// terminal stand in ui.go, the exit codes in exit.go, and where a command finds its keep in connect.go.
package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/launch"
)

// Env is everything a command may touch besides the keep.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Version        string
	Name           string // what the program was called as: "keephold", or "kh" for short

	interrupted <-chan struct{} // closed when the command is to end
}

// Run runs one command line and answers the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	if len(args) > 0 && args[0] == launch.MonitorArgument { // no command: a part of run
		return launch.Monitor(args[1:])
	}
	o := new(options)
	out := &output{w: env.Stdout}
	env.Stdout, env.interrupted = out, ctx.Done()
	err := rootCommand(env, o, out, linked(env.Name, args)).ExecuteContext(ctx)
	if closed := o.closeAll(); err == nil {
		err = closed
	}
	if finished := out.finish(err == nil); err == nil {
		err = finished
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return env.report(err)
}

func rootCommand(env Env, o *options, out *output, args []string) *cobra.Command {
	name := "keephold"
	if env.Name == "kh" {
		name = "kh"
	}
	root := &cobra.Command{
		Use:           name,
		Short:         "keephold looks after a secret for its whole life",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       env.Version,
		Example: `  keephold dev &
  keephold put secret/app password
  keephold get secret/app --field password`,
		PersistentPreRunE: func(*cobra.Command, []string) error { return out.open(o.output) },
	}
	root.CompletionOptions.DisableDefaultCmd = true // completion.go has it
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate(helpTemplate)
	f := root.PersistentFlags()
	f.StringVar(&o.addr, "addr", "", "address of the server (KEEPHOLD_ADDR)")
	f.StringVar(&o.caFile, "cacert", "", "file with the CA of the server (KEEPHOLD_CACERT)")
	f.StringVar(&o.namespace, "namespace", "", "namespace to work in (KEEPHOLD_NAMESPACE)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "say nothing but errors on stderr")
	f.StringVarP(&o.output, "output", "o", "", "write the output to this file, for you alone, instead of stdout")
	root.AddGroup(
		&cobra.Group{ID: "project", Title: "A project's settings:"},
		&cobra.Group{ID: "secrets", Title: "Secrets:"},
		&cobra.Group{ID: "people", Title: "People and programs:"},
		&cobra.Group{ID: "guard", Title: "Guarding:"},
		&cobra.Group{ID: "server", Title: "Servers:"},
	)
	only := asked(args)
	for _, c := range commands() {
		if only != "" && c.name != only {
			continue
		}
		cmd := c.make(env, o)
		cmd.GroupID = c.group
		if n := strings.Count(cmd.Use, "SPACE"); n > 0 {
			cmd.ValidArgsFunction = env.completeNames(o, n, true)
		} else if c.group == "project" && strings.Contains(cmd.Use, " NAME") {
			cmd.ValidArgsFunction = env.completeNames(o, 1, false)
		}
		if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
			env.completeFlags(cmd)
		}
		root.AddCommand(cmd)
	}
	group(root)
	discipline(root)
	return root
}

// group makes cmd one that only holds others: alone it shows them, and an unknown one gets a suggestion.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		f := usagef("%s has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return f.withHint("did you mean %q?", near[0])
		}
		return f.withHint("%s --help lists them", cmd.CommandPath())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// discipline sees to it that each command below cmd ends with an exit code of ours: what the parser refuses is a
// mistake of usage, and what a command returns without a code is an answer of the API or an internal error.
func discipline(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		f := usagef("%w", err)
		if code, ok := peerUsage(c); ok {
			f.code = code.flag
		}
		if near := nearestFlag(c, err.Error()); near != "" {
			return f.withHint("did you mean %s?", near)
		}
		return f.withHint("%s --help", c.CommandPath())
	})
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			var f *fault
			if err == nil || errors.As(err, &f) {
				return err
			}
			f = usagef("%w", err)
			if code, ok := peerUsage(c); ok {
				f.code = code.words
			}
			return f.withHint("%s", c.UseLine())
		}
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			var f *fault
			var e *apiError
			switch {
			case err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled):
				return err
			case errors.As(err, &e):
				return explain(err, c.Name())
			}
			return failf(exitInternal, "%w", err)
		}
	}
	for _, c := range cmd.Commands() {
		discipline(c)
	}
}
