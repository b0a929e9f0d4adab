package cli

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func listCommand(env Env, o *options) *cobra.Command {
	var envName string
	c := &cobra.Command{
		Use:     "list [SPACE[/FOLDER]]",
		Short:   "list the names in a folder; alone, the settings of the project, or outside one the Spaces",
		Example: "  keephold list\n  keephold list --env prod\n  keephold list secret/app",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				p, err := findProject()
				if err == nil {
					return env.printSettings(cmd.Context(), o, p, envName)
				}
				var f *fault
				if envName != "" || errors.As(err, &f) && f.code != exitNotFound {
					return err
				}
			}
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
	c.Flags().StringVarP(&envName, "env", "e", "", "environment of the project")
	return c
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

type spaceInfo struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Options     map[string]string `json:"options"`
}

// spaces are the Spaces that the caller may know of, by name with a "/" at its end.
func (a *api) spaces(ctx context.Context) (map[string]spaceInfo, error) {
	var out struct {
		Secret map[string]spaceInfo `json:"secret"`
	}
	err := a.call(ctx, http.MethodGet, "sys/internal/ui/mounts", nil, &out)
	return out.Secret, explain(err, "cannot list the Spaces")
}

func (env Env) listSpaces(cmd *cobra.Command, o *options, a *api) error {
	spaces, err := a.spaces(cmd.Context())
	if err != nil {
		return err
	}
	if o.json {
		return env.printJSON(map[string]any{"spaces": sortedKeys(spaces)})
	}
	var rows [][]string
	for _, name := range sortedKeys(spaces) {
		rows = append(rows, []string{name, "v" + spaces[name].Options["version"], spaces[name].Description})
	}
	return env.table([]string{"SPACE", "KV", "DESCRIPTION"}, rows)
}
