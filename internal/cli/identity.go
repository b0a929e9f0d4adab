package cli

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// machineIdentity is what the native API answers; Secret only when it was just made.
type machineIdentity struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	ID       string     `json:"id"`
	Home     string     `json:"home"`
	Public   string     `json:"public"`
	Policies []string   `json:"policies"`
	Owner    string     `json:"owner,omitempty"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	KeyID    string     `json:"key_id,omitempty"`
	Secret   string     `json:"secret,omitempty"`
	Trust    []string   `json:"trust,omitempty"`
}

func identityCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:   "identity",
		Short: "make, rotate and remove what programs sign in as",
		Example: `  keephold identity create web --as aws-key --home 123456789012 --policy web --out web.env
  keephold identity rotate web --out web.env --grace 1h
  keephold identity list`,
	}, identityCreateCommand(env, o), identityListCommand(env, o), identityRotateCommand(env, o), identityTrustCommand(env, o), identityDeleteCommand(env, o))
}

// identityHomes are where an identity lives unless it is said: as in keephold dev, and in the configuration's defaults.
var identityHomes = map[string]string{"aws-key": "000000000000", "aws-role": "000000000000", "gcp-sa": "dev", "azure-system": "adfs", "azure-user": "adfs"}

func identityCreateCommand(env Env, o *options) *cobra.Command {
	var kind, home, owner, ttl, session, out string
	var policies []string
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "make an identity; its credentials are written once",
		Long: `Make an identity that programs sign in as. Its credentials are written once, to a file that only you may read, in the
form that the vendor's clients take: environment variables, or for gcp-sa the JSON key file.

A system-assigned identity (azure-system) ends with its owner: identity:NAME or space:NAME.`,
		Args: cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if kind == "approle" {
				return env.createAppRole(cmd, o, a, args[0], policies, out)
			}
			if identityHomes[kind] == "" {
				return usagef("--as %q is no kind of identity", kind).withHint("aws-key, aws-role, gcp-sa, azure-system, azure-user or approle")
			}
			body := map[string]any{"kind": kind, "home": cmp.Or(home, identityHomes[kind]), "policies": policies, "owner": owner, "ttl": ttl, "session": session}
			var made machineIdentity
			return env.once(o, a, out, args[0], &made, func() error {
				return a.call(cmd.Context(), http.MethodPut, "keephold/identities/"+escapePath(args[0]), body, &made)
			})
		}),
	}
	f := c.Flags()
	f.StringVar(&kind, "as", "", "aws-key, aws-role, gcp-sa, azure-system, azure-user or approle")
	f.StringVar(&home, "home", "", "account, project or tenant that it belongs to")
	f.StringSliceVar(&policies, "policy", nil, "policies that it has")
	f.StringVar(&owner, "owner", "", "what it ends with: identity:NAME or space:NAME")
	f.StringVar(&ttl, "ttl", "", "how long it lives (default: until it is deleted)")
	f.StringVar(&session, "session", "", "longest life of what is issued to it")
	outFlag(c, &out)
	return c
}

func outFlag(c *cobra.Command, out *string) {
	c.Flags().StringVar(out, "out", "", "file for the credentials, readable by you alone")
	_ = c.MarkFlagRequired("out") // the flag is there: it was made a line above
}

// once reserves the file before anything is made, so that credentials that nobody is shown again are not lost to a
// directory that cannot be written.
func (env Env) once(o *options, a *api, out, name string, made *machineIdentity, do func() error) error {
	file := &output{w: env.Stdout}
	if err := file.open(out); err != nil {
		return err
	}
	if file.file == nil {
		return usagef("--out names a file for the credentials")
	}
	err := do()
	if err == nil {
		err = writeCredentials(file, a.addr, made)
	}
	if err != nil {
		_ = file.finish(false)
		return explain(err, "cannot make credentials of "+name)
	}
	if err := file.finish(true); err != nil {
		return err
	}
	doc := map[string]any{"name": made.Name, "kind": made.Kind, "id": made.ID, "public": made.Public, "key_id": made.KeyID, "out": out}
	return env.done(o, doc, "%s is %s; its credentials are in %s", made.Name, cmp.Or(made.Public, made.KeyID), out)
}

// writeCredentials writes what the vendor's clients read.
func writeCredentials(file *output, addr string, id *machineIdentity) error {
	var text string
	switch id.Kind {
	case "aws-key":
		text = lines("AWS_ACCESS_KEY_ID", id.KeyID, "AWS_SECRET_ACCESS_KEY", id.Secret, "AWS_ENDPOINT_URL", addr)
	case "aws-role":
		text = lines("AWS_CONTAINER_CREDENTIALS_FULL_URI", addr+"/v1/keephold/aws/credentials/"+id.KeyID, "AWS_CONTAINER_AUTHORIZATION_TOKEN", id.Secret, "AWS_ENDPOINT_URL", addr)
	case "gcp-sa":
		b, err := json.MarshalIndent(googleKey(addr, id), "", "  ")
		if err != nil {
			return err
		}
		text = string(b) + "\n"
	case "approle":
		text = lines("VAULT_ADDR", addr, "ROLE_ID", id.Public, "SECRET_ID", id.Secret)
	default:
		text = lines("AZURE_TENANT_ID", id.Home, "AZURE_CLIENT_ID", id.Public, "AZURE_CLIENT_SECRET", id.Secret, "AZURE_AUTHORITY_HOST", addr,
			"IDENTITY_ENDPOINT", addr+"/msi/token", "IDENTITY_HEADER", id.Public+"."+id.Secret) // as the endpoint takes it: who, and the proof
	}
	_, err := file.Write([]byte(text))
	return err
}

// googleKey is the JSON key file of a service account, without universe_domain, which is not ours to give.
func googleKey(addr string, id *machineIdentity) map[string]string {
	if addr == localAddr { // nobody is reached there; keephold run --intercept answers the vendor's own address
		addr = "https://oauth2.googleapis.com"
	}
	return map[string]string{
		"type": "service_account", "project_id": id.Home, "private_key_id": id.KeyID, "private_key": id.Secret, "client_email": id.Public,
		"client_id": id.ID, "token_uri": addr + "/token",
	}
}

// lines are settings of an environment, but for addresses of the local keep, where nobody is reached: keephold run --as or
// --intercept leads a program's clients to it.
func lines(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if strings.HasPrefix(pairs[i+1], localAddr) {
			continue
		}
		b.WriteString(pairs[i] + "=" + pairs[i+1] + "\n")
	}
	return b.String()
}

func (env Env) createAppRole(cmd *cobra.Command, o *options, a *api, name string, policies []string, out string) error {
	made := machineIdentity{Name: name, Kind: "approle"}
	return env.once(o, a, out, name, &made, func() error {
		role := "auth/approle/role/" + escapePath(name)
		if err := a.call(cmd.Context(), http.MethodPost, role, map[string]any{"token_policies": policies}, nil); err != nil {
			return err
		}
		return appRoleSecret(cmd, a, role, &made)
	})
}

func appRoleSecret(cmd *cobra.Command, a *api, role string, made *machineIdentity) error {
	var id struct {
		RoleID string `json:"role_id"`
	}
	if err := a.call(cmd.Context(), http.MethodGet, role+"/role-id", nil, &id); err != nil {
		return err
	}
	var s struct {
		SecretID string `json:"secret_id"`
	}
	if err := a.call(cmd.Context(), http.MethodPost, role+"/secret-id", nil, &s); err != nil {
		return err
	}
	made.Public, made.Secret = id.RoleID, s.SecretID
	return nil
}

func identityListCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the identities, without what proves them",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			var out struct {
				Identities []machineIdentity `json:"identities"`
			}
			if err := a.call(cmd.Context(), http.MethodGet, "keephold/identities", nil, &out); err != nil {
				return explain(err, "cannot list the identities")
			}
			if o.json {
				return env.printJSON(map[string]any{"identities": out.Identities})
			}
			rows := make([][]string, len(out.Identities))
			for i, id := range out.Identities {
				rows[i] = []string{id.Name, id.Kind, id.Public, strings.Join(id.Policies, ","), strings.Join(id.Trust, ",")}
			}
			return env.table([]string{"NAME", "KIND", "PUBLIC", "POLICIES", "TRUSTS"}, rows)
		}),
	}
}

func identityRotateCommand(env Env, o *options) *cobra.Command {
	var grace, out, kind string
	c := &cobra.Command{
		Use:   "rotate NAME",
		Short: "give an identity fresh credentials",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			made := machineIdentity{Name: args[0], Kind: kind}
			return env.once(o, a, out, args[0], &made, func() error {
				if kind == "approle" {
					return appRoleSecret(cmd, a, "auth/approle/role/"+escapePath(args[0]), &made)
				}
				return a.call(cmd.Context(), http.MethodPut, "keephold/identities-rotate/"+escapePath(args[0]), map[string]string{"grace": grace}, &made)
			})
		}),
	}
	c.Flags().StringVar(&grace, "grace", "", "how long the former credentials go on working (default: they end now)")
	c.Flags().StringVar(&kind, "as", "", "approle, when it is one")
	outFlag(c, &out)
	return c
}

func identityDeleteCommand(env Env, o *options) *cobra.Command {
	var yes bool
	var kind string
	c := &cobra.Command{
		Use:   "delete NAME",
		Short: "remove an identity; what it was given for a while ends too",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if err := env.confirm("remove the identity "+args[0], yes); err != nil {
				return err
			}
			path := "keephold/identities/" + escapePath(args[0])
			if kind == "approle" {
				path = "auth/approle/role/" + escapePath(args[0])
			}
			if err := a.call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
				return explain(err, "cannot remove "+args[0])
			}
			return env.done(o, map[string]any{"name": args[0], "did": "removed"}, "removed %s", args[0])
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().StringVar(&kind, "as", "", "approle, when it is one")
	return c
}
