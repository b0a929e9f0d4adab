package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func identityTrustCommand(env Env, o *options) *cobra.Command {
	var none bool
	c := &cobra.Command{
		Use:   "trust NAME MOUNT/ROLE...",
		Short: "say whose tokens may take an identity",
		Long: `Say whose tokens may take an identity, instead of what was said before: who could sign in by one of the roles of a jwt mount
(its issuer, audiences, subject and claims) gets the identity's credentials for a while, with nothing stored at the program.
AWS clients do so by AssumeRoleWithWebIdentity (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE), Azure's by a federated token
(AZURE_FEDERATED_TOKEN_FILE). Without this nobody's token takes an identity.

Who may write such a role decides who takes the identity.`,
		Example: `  keephold identity trust deploy jwt/build
  keephold identity trust deploy --none`,
		Args: cobra.MinimumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			name, roles := args[0], args[1:]
			if none != (len(roles) == 0) {
				return usagef("name the roles whose tokens may take %s, or --none", name)
			}
			if err := a.call(cmd.Context(), http.MethodPut, "keephold/identities-trust/"+escapePath(name), map[string]any{"roles": roles}, nil); err != nil {
				return explain(err, "cannot change whom "+name+" trusts")
			}
			doc := map[string]any{"name": name, "trust": roles}
			if none {
				return env.done(o, doc, "nobody's token takes %s", name)
			}
			return env.done(o, doc, "%s is taken by tokens of %s", name, strings.Join(roles, ", "))
		}),
	}
	c.Flags().BoolVar(&none, "none", false, "nobody's tokens any more")
	return c
}
