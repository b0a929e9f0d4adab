package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/server"
)

func devCommand(env Env, o *options) *cobra.Command {
	var cfg server.DevConfig
	var tokenFile string
	c := &cobra.Command{
		Use:   "dev",
		Short: "serve a keep for development: unsealed, in memory unless --store is given",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tokenFile != "" {
				b, err := os.ReadFile(tokenFile)
				if err != nil {
					return err
				}
				cfg.Token = strings.TrimSpace(string(b))
			}
			cfg.Version = env.Version
			d, err := server.OpenDev(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if o.json {
				err = json.NewEncoder(env.Stdout).Encode(map[string]any{
					"addr": d.Addr, "token": reveal(d.Token), "ca_file": "", "role_id": d.RoleID, "secret_id": reveal(d.SecretID),
					"env": map[string]any{"vault": map[string]string{"VAULT_ADDR": d.Addr, "VAULT_TOKEN": reveal(d.Token)}},
				})
			} else {
				fmt.Fprintf(env.Stderr, "keephold dev is ready, for development only\n\n  address    %s\n  token      %s\n  role_id    %s\n  secret_id  %s\n", d.Addr, reveal(d.Token), d.RoleID, reveal(d.SecretID))
			}
			if err != nil {
				return err
			}
			return d.Run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringSliceVar(&cfg.Listen, "listen", nil, "address to listen on (default 127.0.0.1:8200 and [::1]:8200)")
	f.StringVar(&cfg.Token, "token", "", "root token to use")
	f.StringVar(&tokenFile, "token-file", "", "file that holds the root token to use")
	f.StringVar(&cfg.Dir, "store", "", "directory to keep the data in; opened again by itself")
	return c
}
