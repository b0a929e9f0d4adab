package cli

import (
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan/gitsecrets"
)

// gitSecretsCommand is git-secrets' command line: "keephold git-secrets --scan".
func gitSecretsCommand(env Env, _ *options) *cobra.Command {
	return &cobra.Command{
		Use:   "git-secrets",
		Short: "the command line, settings, patterns and hooks of git-secrets",
		Long: "The command line of git-secrets: the same settings of git (secrets.patterns, secrets.allowed, secrets.providers), .gitallowed, hooks, messages and exit codes. " +
			"Called as git-secrets, through a link that 'keephold link git-secrets' makes, it answers 'git secrets' as well.",
		Example:            "  keephold git-secrets --register-aws\n  keephold git-secrets --add 'sk_live_[a-zA-Z0-9]{24}'\n  keephold git-secrets --install\n  keephold git-secrets --scan\n  keephold git-secrets --scan-history",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			t := &gitsecrets.Tool{Stdin: env.awake(), Stdout: env.Stdout, Stderr: env.Stderr, Getenv: env.Getenv, Self: gitSecretsSelf(env)}
			if code := t.Run(cmd.Context(), args); code != 0 {
				return silent(code)
			}
			return nil
		},
	}
}

// gitSecretsSelf is how hooks call the command: as git does when it can find a git-secrets, otherwise through us.
func gitSecretsSelf(env Env) string {
	if _, err := exec.LookPath("git-secrets"); err == nil || env.Name == "git-secrets" {
		return "git secrets"
	}
	return "keephold git-secrets"
}
