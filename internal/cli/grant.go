package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

type grants struct {
	Role   string `json:"role"`
	Grants []struct {
		Text  string   `json:"text"`
		Verbs []string `json:"verbs"`
		Space string   `json:"space"`
		Paths []string `json:"paths"`
	} `json:"grants"`
}

func grantCommand(env Env, o *options) *cobra.Command {
	var take, all bool
	c := &cobra.Command{
		Use:   "grant [ROLE [VERBS PATTERN]]",
		Short: "let a role do something, in plain words; show or take back what it may",
		Long: `Let a role do something, in plain words. Verbs are read, write, list, delete, destroy, manage, rotate, admin and deny,
with commas between several. A pattern is SPACE/PATH, where * at the end stands for anything, + for one part, and
{A,B} for several; in a project, ENV/NAME stands for the Space of that environment. A role is used as a policy of its name.

It can be said in the words of each cloud, too: actions of IAM on the ARN of a secret, a Google role on a project or a secret, and the permissions
of an Azure access policy (get, list, set, delete, recover, backup, restore, purge) on a vault. Who gets it is then a role as well, or one
machine identity: identity:NAME, or what its clients call it (an ARN, the email of a service account, a client id).

With a role alone its grants are shown, without one the roles that have some.`,
		Example: "  keephold grant web read 'shop/prod/*'\n  keephold grant web read,list 'shop/prod/{DB,STRIPE}'\n  keephold grant web --take-back read 'shop/prod/*'\n  keephold grant web\n" +
			"  keephold grant deployer secretsmanager:GetSecretValue 'arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/*'\n" +
			"  keephold grant robot@shop.iam.gserviceaccount.com roles/secretmanager.secretAccessor projects/shop/secrets/db\n" +
			"  keephold grant identity:app azure:get,azure:list azure:shop-vault",
		Args: cobra.MaximumNArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern, patterns := "", []string(nil)
			if len(args) == 3 {
				if pattern = args[2]; strings.Contains(pattern, "/") { // one word is a whole Space or vault, no setting
					patterns = args[2:]
				}
			}
			a, places, err := env.connectFor(cmd.Context(), o, patterns...)
			if err != nil {
				return err
			}
			if len(places) > 0 {
				pattern = places[0]
			}
			if len(args) == 0 {
				var out struct {
					Roles []string `json:"roles"`
				}
				if err := a.call(cmd.Context(), http.MethodGet, "keephold/grants", nil, &out); err != nil {
					return explain(err, "cannot list the roles")
				}
				return env.columns(o, "roles", out.Roles)
			}
			path := "keephold/grants/" + escapePath(args[0])
			var g grants
			switch {
			case all && len(args) == 1:
				if err := a.call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
					return explain(err, "cannot take the grants of "+args[0]+" back")
				}
				return env.done(o, map[string]any{"role": args[0], "did": "taken back"}, "%s has no grant any more", args[0])
			case len(args) == 1 && !take:
				err = a.call(cmd.Context(), http.MethodGet, path, nil, &g)
			case len(args) == 3:
				body := map[string]any{"verbs": strings.Split(args[1], ","), "pattern": pattern, "remove": take}
				err = a.call(cmd.Context(), http.MethodPut, path, body, &g)
			default:
				return usagef("%s may do what, and where?", args[0]).withHint("keephold grant %s read 'SPACE/*'", args[0])
			}
			if err != nil {
				return explain(err, "grants of "+args[0])
			}
			return env.printGrants(o, g)
		},
	}
	c.Flags().BoolVar(&take, "take-back", false, "take this grant back")
	c.Flags().BoolVar(&all, "take-back-all", false, "take every grant of the role back")
	return c
}

func (env Env) printGrants(o *options, g grants) error {
	texts := make([]string, len(g.Grants))
	for i, one := range g.Grants {
		texts[i] = one.Text
	}
	if o.json {
		return env.printJSON(map[string]any{"role": g.Role, "grants": g.Grants})
	}
	if len(texts) == 0 {
		return nil
	}
	return env.print(strings.Join(texts, "\n") + "\n")
}
