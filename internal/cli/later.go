package cli

import "github.com/spf13/cobra"

// laterCommand is a word that people look for and that is not there yet. It says so, instead of guessing at what was meant.
func laterCommand(name, short, instead string) func(Env, *options) *cobra.Command {
	return func(Env, *options) *cobra.Command {
		return &cobra.Command{
			Use:                name,
			Short:              short + " (not available yet)",
			Hidden:             true,
			DisableFlagParsing: true, // whatever is asked of it, the answer is the same
			RunE: func(*cobra.Command, []string) error {
				return usagef("%s is not available yet; nothing was done", name).withHint("%s", instead)
			},
		}
	}
}
