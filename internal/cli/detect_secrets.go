package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan/detectsecrets"
)

// detectSecretsCommand is detect-secrets' command line, and with "hook" in front that of detect-secrets-hook.
func detectSecretsCommand(env Env, _ *options) *cobra.Command {
	return &cobra.Command{
		Use:   "detect-secrets",
		Short: "the command line, plugins, filters and baselines of detect-secrets",
		Long: "The command line of detect-secrets: scan, audit, and its hook as 'keephold detect-secrets hook'. A .secrets.baseline of either tool works with the other. " +
			"No vendor is asked whether a secret is live. Called as detect-secrets or detect-secrets-hook, through links that 'keephold link detect-secrets' makes, it is that tool.",
		Example:            "  keephold detect-secrets scan > .secrets.baseline\n  keephold detect-secrets scan --baseline .secrets.baseline\n  keephold detect-secrets audit .secrets.baseline\n  keephold detect-secrets hook --baseline .secrets.baseline $(git diff --staged --name-only)",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			out, ok := env.Stdout.(*output)
			terminal := ok && out.terminal()
			t := &detectsecrets.Tool{Stdin: env.awake(), Stdout: env.Stdout, Stderr: env.Stderr, Getenv: env.Getenv, Now: time.Now, Terminal: terminal}
			run := t.Run
			if len(args) > 0 && args[0] == "hook" {
				run, args = t.RunHook, args[1:]
			}
			if code := run(cmd.Context(), args); code != 0 {
				return silent(code)
			}
			return nil
		},
	}
}
