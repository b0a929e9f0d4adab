package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/hygiene"
	"github.com/keephold/keephold/internal/server"
)

func devCommand(env Env, o *options) *cobra.Command {
	var cfg server.DevConfig
	var tokenFile string
	c := &cobra.Command{
		Use:   "dev",
		Short: "serve a keep for development: unsealed, in memory unless --store is given",
		Long: `Serve a keep for development: unsealed, with the Space secret/ and a ready-made AppRole. Everything is in memory
and gone at the end, unless --store names a directory; a key file beside the data opens it again by itself.

With --json one line on stdout says what a program needs, as soon as the server answers. This is the one command
that takes a secret on the command line (--token), for throw-away servers in tests.`,
		Example: `  keephold dev
  keephold dev --json --listen 127.0.0.1:0
  keephold dev --store ~/.local/share/keephold/dev`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tokenFile != "" {
				b, err := os.ReadFile(tokenFile)
				if err != nil {
					return err
				}
				cfg.Token = strings.TrimSpace(string(b))
			}
			cfg.Version = env.Version
			hygiene.Harden() // swap is no news to a developer
			d, err := server.OpenDev(cmd.Context(), cfg)
			if err != nil {
				return serverFault(err)
			}
			return env.runDev(cmd.Context(), o, d)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&cfg.Listen, "listen", nil, "address to listen on (default 127.0.0.1:8200 and [::1]:8200)")
	f.StringVar(&cfg.Token, "token", "", "root token to use")
	f.StringVar(&tokenFile, "token-file", "", "file that holds the root token to use")
	f.StringSliceVar(&cfg.As, "as", nil, "another face of the keep: aws:ACCOUNT/REGION, gcp:PROJECT or azure:VAULT")
	f.BoolVar(&cfg.PlaintextAnywhere, "allow-plaintext-anywhere", false, "serve plaintext also on addresses that are not loopback")
	f.StringVar(&cfg.Dir, "store", "", "directory to keep the data in; opened again by itself")
	return c
}

// runDev serves, and says so when everything that it says is there.
func (env Env) runDev(ctx context.Context, o *options, d *server.Dev) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	err := d.Complete(ctx)
	if err == nil {
		err = env.announce(o, d)
	}
	if err == nil || ctx.Err() != nil { // who was told to stop meanwhile has nothing to announce
		return <-ended
	}
	stop()
	return errors.Join(err, <-ended)
}

// announce prints what a person needs to go on, or one line for a program.
func (env Env) announce(o *options, d *server.Dev) error {
	token := reveal(d.Token)
	vars := devEnv(d)
	if err := writeGoogle(d, vars["gcp"]); err != nil {
		return err
	}
	if o.json {
		return env.wrote(json.NewEncoder(env.Stdout).Encode(map[string]any{
			"schema_version": schema, "addr": d.Addr, "token": token, "ca_file": d.CAFile, "role_id": d.RoleID, "secret_id": reveal(d.SecretID), "env": vars,
		}))
	}
	env.talk("keephold dev is ready, for development only\n\n  address    %s\n  token      %s\n  role_id    %s\n  secret_id  %s", d.Addr, token, d.RoleID, reveal(d.SecretID))
	for _, dialect := range []string{"aws", "gcp", "azure"} {
		env.talkExports(dialect, vars[dialect])
	}
	env.talk("\nin another terminal:\n\n  export KEEPHOLD_ADDR=%s KEEPHOLD_TOKEN=%s\n  keephold put secret/app password\n  keephold get secret/app --field password\n", d.Addr, token)
	return nil
}

// devEnv is one object for each dialect: what its unchanged clients need in their environment.
func devEnv(d *server.Dev) map[string]map[string]string {
	out := map[string]map[string]string{}
	for dialect, e := range d.Env() {
		out[dialect] = map[string]string{}
		for k, v := range e.Plain {
			out[dialect][k] = v
		}
		for k, v := range e.Secret {
			out[dialect][k] = reveal(v)
		}
	}
	return out
}

// talkExports shows an environment as lines to paste.
func (env Env) talkExports(dialect string, vars map[string]string) {
	if len(vars) == 0 {
		return
	}
	env.talk("\nfor clients of %s:\n", dialect)
	names := make([]string, 0, len(vars))
	for k := range vars {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		env.talk("  export %s=%s", k, vars[k])
	}
}
