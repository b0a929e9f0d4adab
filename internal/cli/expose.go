package cli

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

type exposures struct {
	Exposures []struct {
		Space string   `json:"space"`
		Home  string   `json:"home"`
		Faces []string `json:"faces"`
	} `json:"exposures"`
}

func exposeCommand(env Env, o *options) *cobra.Command {
	var as string
	var remove bool
	c := &cobra.Command{
		Use:   "expose [SPACE --as FACE]",
		Short: "let clients of another dialect reach a Space; list who reaches what",
		Long: `Let clients of another dialect reach a Space, by a name of theirs: aws:ACCOUNT/REGION, gcp:PROJECT, azure:VAULT, or
vault:MOUNT, which renames the mount. Policies and the audit log go on naming the Space: a face is no second way
past them. A secret whose name a dialect has no words for cannot be made in a Space that is exposed in it.

Without a Space the faces are listed.`,
		Example: "  keephold expose shop/prod --as aws:123456789012/eu-west-1\n  keephold expose shop/prod --as gcp:shop --remove\n  keephold expose",
		Args:    cobra.MaximumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			switch {
			case len(args) == 0 && as == "":
				return env.listExposures(cmd, o, a)
			case len(args) == 0 || as == "":
				return usagef("expose which Space, and as what?").withHint("keephold expose SPACE --as aws:ACCOUNT/REGION")
			}
			path := "keephold/exposures/" + escapePath(strings.Trim(args[0], "/"))
			if remove {
				if err := a.call(cmd.Context(), http.MethodDelete, path+"?as="+url.QueryEscape(as), nil, nil); err != nil {
					return explain(err, "cannot take "+as+" from "+args[0])
				}
				return env.done(o, map[string]any{"space": args[0], "as": as, "did": "removed"}, "%s is not %s any more", args[0], as)
			}
			if err := a.call(cmd.Context(), http.MethodPut, path, map[string]string{"as": as}, nil); err != nil {
				return explain(err, "cannot expose "+args[0])
			}
			return env.done(o, map[string]any{"space": args[0], "as": as, "did": "exposed"}, "exposed %s as %s", args[0], as)
		}),
	}
	c.Flags().StringVar(&as, "as", "", "the face: aws:ACCOUNT/REGION, gcp:PROJECT, azure:VAULT or vault:MOUNT")
	c.Flags().BoolVar(&remove, "remove", false, "take this face from the Space")
	return c
}

func (env Env) listExposures(cmd *cobra.Command, o *options, a *api) error {
	var out exposures
	if err := a.call(cmd.Context(), http.MethodGet, "keephold/exposures", nil, &out); err != nil {
		return explain(err, "cannot list the faces")
	}
	if o.json {
		return env.printJSON(map[string]any{"exposures": out.Exposures})
	}
	rows := make([][]string, len(out.Exposures))
	for i, e := range out.Exposures {
		rows[i] = []string{e.Space, e.Home, strings.Join(e.Faces, " ")}
	}
	return env.table([]string{"SPACE", "HOME", "FACES"}, rows)
}
