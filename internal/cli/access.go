package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func accessCommand(env Env, o *options) *cobra.Command {
	var doing string
	c := &cobra.Command{
		Use:   "access NAME | ENV/NAME | SPACE/PATH",
		Short: "say who can read a secret, or do something else with it",
		Long: `Say who can read a secret, or do something else with it: policies, and the roles, users, entities and groups that have
them. What others' policies deny is taken into account. policy explain says what you may do yourself.`,
		Example: "  keephold access --who prod/STRIPE_KEY\n  keephold access prod/STRIPE_KEY --for write",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, t, err := env.secretFor(cmd.Context(), o, args[0])
			if err != nil {
				return err
			}
			for _, op := range t.operations() {
				if op.Name == doing {
					return env.printAccess(cmd, o, a, t, op)
				}
			}
			return usagef("there is no operation %q", doing)
		},
	}
	c.Flags().Bool("who", true, "say who; there is nothing else to say yet")
	c.Flags().StringVar(&doing, "for", "read", "read, write, patch, delete, undelete, destroy, list or history")
	return c
}

func (env Env) printAccess(cmd *cobra.Command, o *options, a *api, t target, op operation) error {
	var r struct {
		Policies   []string `json:"policies"`
		Tokens     []string `json:"token_roles"`
		AppRoles   []string `json:"approles"`
		Users      []string `json:"users"`
		JWTRoles   []string `json:"jwt_roles"`
		Identities []string `json:"identities"`
		Entities   []string `json:"entities"`
		Groups     []string `json:"groups"`
		More       bool     `json:"more"`
	}
	if err := a.call(cmd.Context(), http.MethodPut, "keephold/who-can", map[string]string{"resource": op.API, "capability": op.Needs}, &r); err != nil {
		return explain(err, "cannot tell who can "+op.Name+" "+t.String())
	}
	if o.json {
		return env.printJSON(map[string]any{
			"space": t.space, "path": t.path, "operation": op.Name, "policies": r.Policies, "token_roles": r.Tokens, "approles": r.AppRoles,
			"users": r.Users, "jwt_roles": r.JWTRoles, "identities": r.Identities, "entities": r.Entities, "groups": r.Groups, "more": r.More,
		})
	}
	var rows [][]string
	for _, kind := range []struct {
		name string
		who  []string
	}{{"policy", r.Policies}, {"token role", r.Tokens}, {"approle", r.AppRoles}, {"user", r.Users}, {"jwt role", r.JWTRoles}, {"identity", r.Identities}, {"entity", r.Entities}, {"group", r.Groups}} {
		if len(kind.who) > 0 {
			rows = append(rows, []string{kind.name, strings.Join(kind.who, ", ")})
		}
	}
	if r.More {
		env.talk("there are more than were looked at")
	}
	return env.table([]string{"KIND", "WHO"}, rows)
}
