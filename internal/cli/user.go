package cli

import (
	"net/http"

	"github.com/spf13/cobra"
)

func userCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:     "user",
		Short:   "let people sign in with a name and a password",
		Example: "  keephold user add ana --policy web\n  keephold user password ana",
	}, userAddCommand(env, o), userListCommand(env, o), userPasswordCommand(env, o), userRemoveCommand(env, o))
}

// newPassword reads a password: twice at the terminal, once from stdin.
func (env Env) newPassword(args []string) (string, error) {
	from, err := env.values(args)
	if err != nil {
		return "", err
	}
	first, err := from.next("Password")
	if err != nil || from.lines != nil {
		return reveal(first), err
	}
	again, err := from.next("Again")
	if err != nil {
		return "", err
	}
	if !first.Equal(again) {
		return "", usagef("the two are not the same; nothing was stored")
	}
	return reveal(first), nil
}

func userAddCommand(env Env, o *options) *cobra.Command {
	var mount, ttl string
	var policies []string
	c := mountFlag(&cobra.Command{
		Use:     "add NAME [-]",
		Short:   "add somebody; the password is asked for, or read from stdin with -",
		Example: "  keephold user add ana --policy web\n  pass show ana | keephold user add ana - --policy web",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := env.newPassword(args[1:])
			if err != nil {
				return err
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := a.ensureMount(cmd, mount, "userpass"); err != nil {
				return err
			}
			body := map[string]any{"password": password}
			if len(policies) > 0 {
				body["token_policies"] = policies
			}
			if ttl != "" {
				body["token_ttl"] = ttl
			}
			if err := a.call(cmd.Context(), http.MethodPost, "auth/"+escapePath(mount)+"/users/"+escapePath(args[0]), body, nil); err != nil {
				return explain(err, "cannot add "+args[0])
			}
			return env.done(o, map[string]any{"user": args[0], "did": "added"}, "added %s; sign in with: keephold login --user %s", args[0], args[0])
		},
	}, &mount, "userpass")
	c.Flags().StringSliceVar(&policies, "policy", nil, "what the user may do")
	c.Flags().StringVar(&ttl, "token-ttl", "", "how long a sign-in is valid")
	return c
}

// ensureMount enables a sign-in method that is not there yet, so that the first user needs no ceremony.
func (a *api) ensureMount(cmd *cobra.Command, mount, kind string) error {
	err := a.call(cmd.Context(), http.MethodGet, "sys/auth/"+escapePath(mount), nil, nil)
	if s := status(err); s != http.StatusBadRequest && s != http.StatusNotFound {
		return nil // it is there, or the caller may not know; then what follows says so
	}
	err = a.call(cmd.Context(), http.MethodPost, "sys/auth/"+escapePath(mount), map[string]string{"type": kind}, nil)
	return explain(err, "cannot enable "+kind)
}

func userListCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "list",
		Short: "list who can sign in with a password",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			names, err := a.keys(cmd.Context(), "auth/"+escapePath(mount)+"/users")
			if err != nil {
				return explain(err, "cannot list the users")
			}
			return env.columns(o, "users", names)
		}),
	}, &mount, "userpass")
}

func userPasswordCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "password NAME [-]",
		Short: "give somebody a new password",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := env.newPassword(args[1:])
			if err != nil {
				return err
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := a.call(cmd.Context(), http.MethodPost, "auth/"+escapePath(mount)+"/users/"+escapePath(args[0])+"/password", map[string]string{"password": password}, nil); err != nil {
				return explain(err, "cannot change the password of "+args[0])
			}
			return env.done(o, map[string]any{"user": args[0], "did": "changed"}, "changed the password of %s", args[0])
		},
	}, &mount, "userpass")
}

func userRemoveCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "remove NAME",
		Short: "let somebody sign in no longer",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if err := a.call(cmd.Context(), http.MethodDelete, "auth/"+escapePath(mount)+"/users/"+escapePath(args[0]), nil, nil); err != nil {
				return explain(err, "cannot remove "+args[0])
			}
			return env.done(o, map[string]any{"user": args[0], "did": "removed"}, "removed %s", args[0])
		}),
	}, &mount, "userpass")
}
