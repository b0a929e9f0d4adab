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

// bashAlone stands in for what the script takes from the bash-completion package, where that is not installed.
const bashAlone = `if ! declare -F _get_comp_words_by_ref >/dev/null && ! declare -F _init_completion >/dev/null; then
    _get_comp_words_by_ref() {
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
        cur=${words[cword]} prev=${words[cword - 1]}
    }
fi
`

func completionCommand(env Env, _ *options) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "print the completion script of a shell",
		Long: `Print the completion script of a shell. Commands, flags, environments, settings and the paths of secrets are completed.
Settings come from keephold.toml and from names that earlier commands wrote down for this user alone: completion never
opens a keep and never sees a value. Only SPACE/PATH asks, and only a server, for names.`,
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
				if err = env.print(bashAlone); err == nil {
					err = root.GenBashCompletionV2(env.Stdout, true)
				}
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

// completeNames completes the first n arguments: settings of the project from keephold.toml and the names that other
// commands saw, or SPACE/PATH from a server. The local keep is never opened for it, no value is ever asked for, and
// whatever goes wrong is an empty completion: a shell is no place for an error.
func (env Env) completeNames(o *options, n int, paths bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		envName, _ := cmd.Flags().GetString("env")
		if names, ok := env.completeSetting(typed, envName); ok {
			return names, cobra.ShellCompDirectiveNoFileComp
		}
		if !paths || env.isLocal(o) {
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

// completeSetting completes NAME and ENV/NAME; ok is false if nothing of the project fits.
func (env Env) completeSetting(typed, envName string) (out []string, ok bool) {
	p, err := findProject()
	if err != nil {
		return nil, false
	}
	before := ""
	if first, rest, slash := strings.Cut(typed, "/"); slash {
		if p.Env(first) == nil {
			return nil, false
		}
		before, envName, typed = first+"/", first, rest
	}
	for _, name := range env.settingNames(p, envName) {
		if strings.HasPrefix(name, typed) {
			out = append(out, before+name)
		}
	}
	return out, len(out) > 0
}

// completeFlags sees to the flags that name environments and settings, of cmd and all below it.
func (env Env) completeFlags(cmd *cobra.Command) {
	register := func(flag string, complete cobra.CompletionFunc) {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, complete) // the flag is there
		}
	}
	register("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		if p, err := findProject(); err == nil {
			for _, e := range p.Envs {
				out = append(out, e.Name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	register("only", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		envName, _ := cmd.Flags().GetString("env")
		done := typed[:strings.LastIndexByte(typed, ',')+1]
		names, _ := env.completeSetting(typed[len(done):], envName)
		for i := range names {
			names[i] = done + names[i]
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	for _, c := range cmd.Commands() {
		env.completeFlags(c)
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
