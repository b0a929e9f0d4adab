package cli

import (
	"bufio"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

type authAnswer struct {
	Token    string   `json:"client_token"`
	Policies []string `json:"policies"`
	TTL      int64    `json:"lease_duration"`
}

func loginCommand(env Env, o *options) *cobra.Command {
	var method, mount, user, roleID string
	var stdin, printToken bool
	c := &cobra.Command{
		Use:   "login [ADDRESS]",
		Short: "sign in to a server and keep the session for the commands that follow",
		Example: `  keephold login https://keephold.internal:8200 --user ana
  keephold login --method approle --role-id ID --stdin < secret-id`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.addr = args[0]
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if user != "" {
				method = "userpass"
			}
			proof, err := env.proof(method, stdin)
			if err != nil {
				return err
			}
			if mount == "" {
				mount = method
			}
			got, err := a.signIn(cmd, method, mount, user, roleID, proof)
			if err != nil {
				return err
			}
			if printToken {
				return env.print(got.Token + "\n")
			}
			if err := env.keepSession(session{Addr: a.addr, Token: got.Token}); err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"addr": a.addr, "policies": got.Policies, "ttl": got.TTL})
			}
			env.talk("signed in to %s with policies %s", a.addr, strings.Join(got.Policies, ", "))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&method, "method", "token", "token, userpass or approle")
	f.StringVar(&mount, "path", "", "where the method is mounted, if not under its own name")
	f.StringVar(&user, "user", "", "name to sign in with (userpass)")
	f.StringVar(&roleID, "role-id", "", "role to sign in with (approle)")
	f.BoolVar(&stdin, "stdin", false, "read the token, password or secret-id from stdin")
	f.BoolVar(&printToken, "print-token", false, "print the token instead of keeping it")
	return c
}

// proof asks for the token, password or secret-id.
func (env Env) proof(method string, stdin bool) (secret.Value, error) {
	if stdin {
		line, err := bufio.NewReader(env.awake()).ReadString('\n')
		if err != nil && line == "" {
			return secret.Value{}, failf(exitIO, "nothing on stdin: %w", err)
		}
		return secret.NewValue([]byte(strings.TrimRight(line, "\r\n"))), nil
	}
	return env.hidden(map[string]string{"token": "Token: ", "userpass": "Password: ", "approle": "Secret id: "}[method])
}

func (a *api) signIn(cmd *cobra.Command, method, mount, user, roleID string, proof secret.Value) (got authAnswer, err error) {
	switch method {
	case "token":
		a.token = proof
		var self struct {
			Policies []string `json:"policies"`
			TTL      int64    `json:"ttl"`
		}
		err = a.call(cmd.Context(), http.MethodGet, "auth/token/lookup-self", nil, &self)
		got = authAnswer{reveal(proof), self.Policies, self.TTL}
	case "userpass":
		if user == "" {
			return got, usagef("who signs in? give --user")
		}
		err = a.call(cmd.Context(), http.MethodPost, "auth/"+escapePath(mount)+"/login/"+escapePath(user), map[string]string{"password": reveal(proof)}, &got)
	case "approle":
		err = a.call(cmd.Context(), http.MethodPost, "auth/"+escapePath(mount)+"/login", map[string]string{"role_id": roleID, "secret_id": reveal(proof)}, &got)
	default:
		return got, usagef("--method %q is none of token, userpass, approle", method)
	}
	if err != nil {
		f := explain(err, "sign-in refused")
		return got, f
	}
	return got, nil
}

func logoutCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "revoke the session's token and forget it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env.session().Addr == "" {
				return nil
			}
			a, err := env.connect(cmd.Context(), o)
			if err == nil {
				err = a.call(cmd.Context(), http.MethodPost, "auth/token/revoke-self", nil, nil)
			}
			if err != nil && status(err) != http.StatusForbidden {
				env.talk("the token could not be revoked: %v", err)
			}
			return env.dropSession()
		},
	}
}

func whoamiCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "say who the keep takes me for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if a.addr == localAddr {
				return env.whoamiHere(o)
			}
			var self struct {
				Name     string   `json:"display_name"`
				Policies []string `json:"policies"`
				Identity []string `json:"identity_policies"`
				Entity   string   `json:"entity_id"`
				Path     string   `json:"path"`
				TTL      int64    `json:"ttl"`
				Type     string   `json:"type"`
			}
			if err := a.call(cmd.Context(), http.MethodGet, "auth/token/lookup-self", nil, &self); err != nil {
				return explain(err, "not signed in to "+a.addr)
			}
			if o.json {
				return env.printJSON(map[string]any{"addr": a.addr, "name": self.Name, "policies": append(self.Policies, self.Identity...), "entity": self.Entity, "via": self.Path, "ttl": self.TTL, "type": self.Type})
			}
			return env.table([]string{"NAME", "POLICIES", "VIA", "AT"}, [][]string{{self.Name, strings.Join(append(self.Policies, self.Identity...), ","), self.Path, a.addr}})
		},
	}
}

// whoamiHere answers for a user's own keep, where nobody signs in: whose files they are, his they are.
func (env Env) whoamiHere(o *options) error {
	dir, err := env.dataDir()
	if err != nil {
		return err
	}
	if o.json {
		return env.printJSON(map[string]any{"addr": localAddr, "name": "owner", "policies": []string{policy.NameRoot}, "entity": "", "via": dir, "ttl": 0, "type": "local"})
	}
	return env.table([]string{"NAME", "POLICIES", "VIA", "AT"}, [][]string{{"owner", policy.NameRoot, "the files are yours", dir}})
}
