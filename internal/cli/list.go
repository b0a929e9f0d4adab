package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func listCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "list [SPACE[/FOLDER]]",
		Short:   "list the names in a folder, or the Spaces",
		Example: "  keephold list\n  keephold list secret/app",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return env.listSpaces(cmd, o, a)
			}
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			names, err := a.names(cmd, t, "LIST")
			if err != nil {
				return err
			}
			return env.printNames(o, t, names)
		},
	}
}

func treeCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "tree SPACE[/FOLDER]",
		Short: "list every path below a folder",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			names, err := a.names(cmd, t, "SCAN")
			if err != nil {
				return err
			}
			return env.printNames(o, t, names)
		},
	}
}

// names lists a folder; one with nothing in it is an empty list.
func (a *api) names(cmd *cobra.Command, t target, method string) ([]string, error) {
	var out struct {
		Keys []string `json:"keys"`
	}
	err := a.call(cmd.Context(), method, t.url("metadata"), nil, &out)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	return out.Keys, explain(err, "cannot list "+t.String())
}

func (env Env) printNames(o *options, t target, names []string) error {
	if o.json {
		if names == nil {
			names = []string{}
		}
		return env.printJSON(map[string]any{"space": t.space, "path": t.path, "names": names})
	}
	if len(names) == 0 {
		return nil
	}
	return env.print(strings.Join(names, "\n") + "\n")
}

func (env Env) listSpaces(cmd *cobra.Command, o *options, a *api) error {
	var out struct {
		Secret map[string]struct {
			Type        string            `json:"type"`
			Description string            `json:"description"`
			Options     map[string]string `json:"options"`
		} `json:"secret"`
	}
	if err := a.call(cmd.Context(), http.MethodGet, "sys/internal/ui/mounts", nil, &out); err != nil {
		return explain(err, "cannot list the Spaces")
	}
	if o.json {
		return env.printJSON(map[string]any{"spaces": sortedKeys(out.Secret)})
	}
	var rows [][]string
	for _, name := range sortedKeys(out.Secret) {
		rows = append(rows, []string{name, "v" + out.Secret[name].Options["version"], out.Secret[name].Description})
	}
	return env.table([]string{"SPACE", "KV", "DESCRIPTION"}, rows)
}
