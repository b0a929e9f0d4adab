package cli

import (
	"context"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func spaceCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:     "space",
		Short:   "make, describe, rename and remove Spaces",
		Example: "  keephold space make shop/prod --description 'the shop, production'\n  keephold space rename shop/prod shop/live",
	}, spaceListCommand(env, o), spaceMakeCommand(env, o), spaceRenameCommand(env, o), spaceRemoveCommand(env, o))
}

// enableSpace enables a Space as the vendor's mount.
func (a *api) enableSpace(ctx context.Context, name string, body map[string]any) error {
	return a.call(ctx, http.MethodPost, "sys/mounts/"+escapePath(strings.Trim(name, "/")), body, nil)
}

func spaceListCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the Spaces that you may know of",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			return env.listSpaces(cmd, o, a)
		}),
	}
}

func spaceMakeCommand(env Env, o *options) *cobra.Command {
	var description, home string
	var flat bool
	c := &cobra.Command{
		Use:   "make NAME",
		Short: "make a Space, with versions unless --no-versions",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if home != "vault" {
				body := map[string]string{"home": home, "description": description}
				if err := a.call(cmd.Context(), http.MethodPut, "keephold/spaces/"+escapePath(strings.Trim(args[0], "/")), body, nil); err != nil {
					return explain(err, "cannot make the Space "+args[0])
				}
				return env.done(o, map[string]any{"space": args[0], "did": "made"}, "made the Space %s", args[0])
			}
			version := "2"
			if flat {
				version = "1"
			}
			err := a.enableSpace(cmd.Context(), args[0], map[string]any{"type": "kv", "description": description, "options": map[string]string{"version": version}})
			if err != nil {
				return explain(err, "cannot make the Space "+args[0])
			}
			return env.done(o, map[string]any{"space": args[0], "did": "made"}, "made the Space %s", args[0])
		}),
	}
	c.Flags().StringVar(&description, "description", "", "what it is for")
	c.Flags().StringVar(&home, "home", "vault", "the dialect whose rules hold in it: vault, aws (aws/ACCOUNT/REGION), gcp (gcp/PROJECT) or azure (azure/VAULT)")
	c.Flags().BoolVar(&flat, "no-versions", false, "keep only the newest of each secret (kv v1)")
	return c
}

func spaceRenameCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "give a Space another name, with everything in it",
		Args:  cobra.ExactArgs(2),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if err := a.call(cmd.Context(), http.MethodPost, "sys/remount", map[string]string{"from": args[0], "to": args[1]}, nil); err != nil {
				return explain(err, "cannot rename "+args[0])
			}
			return env.done(o, map[string]any{"space": args[1], "was": args[0], "did": "renamed"}, "renamed %s to %s", args[0], args[1])
		}),
	}
}

func spaceRemoveCommand(env Env, o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "remove a Space with every secret in it, for good",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if err := env.confirm("remove the Space "+args[0]+" with every secret in it", yes); err != nil {
				return err
			}
			if err := a.call(cmd.Context(), http.MethodDelete, "sys/mounts/"+escapePath(strings.Trim(args[0], "/")), nil, nil); err != nil {
				return explain(err, "cannot remove the Space "+args[0])
			}
			return env.done(o, map[string]any{"space": args[0], "did": "removed"}, "removed the Space %s", args[0])
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
