package cli

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTime is how long a shell waits for names before it goes without.
const completeTime = 400 * time.Millisecond

func completionCommand(env Env, _ *options) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "print the completion script of a shell",
		Long: `Print the completion script of a shell. Commands, flags and the paths of secrets are completed; of a secret only its
name is ever asked for.`,
		Example: `  source <(keephold completion bash)
  keephold completion zsh > "${fpath[1]}/_keephold"
  keephold completion fish > ~/.config/fish/completions/keephold.fish`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(env.Stdout, true)
			case "zsh":
				err = root.GenZshCompletion(env.Stdout)
			case "fish":
				err = root.GenFishCompletion(env.Stdout, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(env.Stdout)
			}
			return env.wrote(err)
		},
	}
}

// completePaths completes the first n arguments as SPACE/PATH. Only names are asked for, never a value, and whatever
// goes wrong is an empty completion: a shell is no place for an error.
func (env Env) completePaths(o *options, n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
		defer cancel()
		a, err := env.connect(ctx, o)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		var out []string
		for _, name := range a.namesBelow(ctx, typed) {
			if strings.HasPrefix(name, typed) {
				out = append(out, name)
				if strings.HasSuffix(name, "/") {
					directive |= cobra.ShellCompDirectiveNoSpace
				}
			}
		}
		return out, directive
	}
}

// namesBelow lists the folder that what was typed so far ends in, or the Spaces.
func (a *api) namesBelow(ctx context.Context, typed string) []string {
	folder := typed[:strings.LastIndexByte(typed, '/')+1]
	if folder == "" {
		spaces, err := a.spaces(ctx)
		if err != nil {
			return nil
		}
		return sortedKeys(spaces)
	}
	t, err := a.find(ctx, folder)
	if err != nil {
		return nil
	}
	var out struct {
		Keys []string `json:"keys"`
	}
	if a.call(ctx, http.MethodGet, t.url("metadata")+"?list=true", nil, &out) != nil {
		return nil
	}
	for i, k := range out.Keys {
		out.Keys[i] = folder + k
	}
	return out.Keys
}
