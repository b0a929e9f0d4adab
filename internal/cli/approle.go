package cli

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func approleCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:   "approle",
		Short: "let programs sign in: roles, their ids and their secret ids",
		Example: `  keephold approle write web --policy web --token-ttl 1h
  keephold approle role-id web
  keephold approle secret-id web --wrap 5m`,
	}, approleListCommand(env, o), approleWriteCommand(env, o), approleReadCommand(env, o), approleDeleteCommand(env, o), approleRoleIDCommand(env, o), approleSecretIDCommand(env, o))
}

// mountFlag is where a sign-in method is mounted.
func mountFlag(c *cobra.Command, mount *string, usual string) *cobra.Command {
	c.Flags().StringVar(mount, "path", usual, "where the method is mounted")
	return c
}

func approleListCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "list",
		Short: "list the roles",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			names, err := a.keys(cmd.Context(), "auth/"+escapePath(mount)+"/role")
			if err != nil {
				return explain(err, "cannot list the roles")
			}
			return env.columns(o, "roles", names)
		}),
	}, &mount, "approle")
}

func approleWriteCommand(env Env, o *options) *cobra.Command {
	var mount, tokenTTL, tokenMax, secretTTL string
	var policies, cidrs []string
	var uses int
	c := mountFlag(&cobra.Command{
		Use:   "write ROLE",
		Short: "make a role, or change the fields given",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			body := map[string]any{}
			for flag, field := range map[string]struct {
				name  string
				value any
			}{
				"policy": {"token_policies", policies}, "token-ttl": {"token_ttl", tokenTTL}, "token-max-ttl": {"token_max_ttl", tokenMax},
				"secret-id-ttl": {"secret_id_ttl", secretTTL}, "secret-id-uses": {"secret_id_num_uses", uses}, "from": {"token_bound_cidrs", cidrs},
			} {
				if cmd.Flags().Changed(flag) {
					body[field.name] = field.value
				}
			}
			if err := a.call(cmd.Context(), http.MethodPost, "auth/"+escapePath(mount)+"/role/"+escapePath(args[0]), body, nil); err != nil {
				return explain(err, "cannot store the role "+args[0])
			}
			return env.done(o, map[string]any{"role": args[0], "did": "stored"}, "stored the role %s", args[0])
		}),
	}, &mount, "approle")
	f := c.Flags()
	f.StringSliceVar(&policies, "policy", nil, "policies of its tokens")
	f.StringVar(&tokenTTL, "token-ttl", "", "how long its tokens are valid")
	f.StringVar(&tokenMax, "token-max-ttl", "", "how long they can be renewed for")
	f.StringVar(&secretTTL, "secret-id-ttl", "", "how long a secret id is valid")
	f.IntVar(&uses, "secret-id-uses", 0, "how often a secret id may be used (0: without limit)")
	f.StringSliceVar(&cidrs, "from", nil, "addresses that its tokens may come from (CIDR)")
	return c
}

func approleReadCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "read ROLE",
		Short: "show the settings of a role",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			role := map[string]any{}
			if err := a.call(cmd.Context(), http.MethodGet, "auth/"+escapePath(mount)+"/role/"+escapePath(args[0]), nil, &role); err != nil {
				return explain(err, "cannot read the role "+args[0])
			}
			return env.fields(o, "role", role)
		}),
	}, &mount, "approle")
}

// fields prints the settings of something, one a line.
func (env Env) fields(o *options, what string, m map[string]any) error {
	if o.json {
		return env.printJSON(map[string]any{what: m})
	}
	var rows [][]string
	for _, k := range sortedKeys(m) {
		text := fmt.Sprint(m[k])
		if list, ok := m[k].([]any); ok {
			var words []string
			for _, v := range list {
				words = append(words, fmt.Sprint(v))
			}
			text = strings.Join(words, ",")
		}
		rows = append(rows, []string{k, text})
	}
	return env.table([]string{"SETTING", "VALUE"}, rows)
}

func approleDeleteCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "delete ROLE",
		Short: "remove a role with its secret ids",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if err := a.call(cmd.Context(), http.MethodDelete, "auth/"+escapePath(mount)+"/role/"+escapePath(args[0]), nil, nil); err != nil {
				return explain(err, "cannot remove the role "+args[0])
			}
			return env.done(o, map[string]any{"role": args[0], "did": "removed"}, "removed the role %s", args[0])
		}),
	}, &mount, "approle")
}

func approleRoleIDCommand(env Env, o *options) *cobra.Command {
	var mount string
	return mountFlag(&cobra.Command{
		Use:   "role-id ROLE",
		Short: "print the id that a role signs in with",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			var out struct {
				RoleID string `json:"role_id"`
			}
			if err := a.call(cmd.Context(), http.MethodGet, "auth/"+escapePath(mount)+"/role/"+escapePath(args[0])+"/role-id", nil, &out); err != nil {
				return explain(err, "cannot read the id of "+args[0])
			}
			if o.json {
				return env.printJSON(map[string]any{"role": args[0], "role_id": out.RoleID})
			}
			return env.print(out.RoleID + "\n")
		}),
	}, &mount, "approle")
}

func approleSecretIDCommand(env Env, o *options) *cobra.Command {
	var mount, wrap string
	c := mountFlag(&cobra.Command{
		Use:   "secret-id ROLE",
		Short: "make a secret id and print it once",
		Long: `Make a secret id for a role and print it once. With --wrap a token is printed instead, which gives the secret id to
the first who unwraps it and to nobody else: hand that one over.`,
		Args: cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			a.wrap = wrap
			reply, err := a.ask(cmd.Context(), http.MethodPost, "auth/"+escapePath(mount)+"/role/"+escapePath(args[0])+"/secret-id", map[string]any{})
			if err != nil {
				return explain(err, "cannot make a secret id for "+args[0])
			}
			var made struct {
				SecretID string `json:"secret_id"`
				Accessor string `json:"secret_id_accessor"`
				TTL      int64  `json:"secret_id_ttl"`
			}
			var wrapped struct {
				Token string `json:"token"`
				TTL   int64  `json:"ttl"`
			}
			if wrap != "" {
				if err := decode(reply.WrapInfo, &wrapped); err != nil {
					return err
				}
				if o.json {
					return env.printJSON(map[string]any{"role": args[0], "wrapping_token": wrapped.Token, "ttl": wrapped.TTL})
				}
				return env.print(wrapped.Token + "\n")
			}
			if err := decode(reply.Data, &made); err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"role": args[0], "secret_id": made.SecretID, "accessor": made.Accessor, "ttl": made.TTL})
			}
			return env.print(made.SecretID + "\n")
		}),
	}, &mount, "approle")
	c.Flags().StringVar(&wrap, "wrap", "", "print a token that gives it out once, within this time (for instance 5m)")
	return c
}
