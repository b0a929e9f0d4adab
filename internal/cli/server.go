package cli

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/hygiene"
	"github.com/keephold/keephold/internal/server"
)

func serverCommand(env Env, _ *options) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "server",
		Short: "serve a keep as its configuration file says",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readServerConfig(file)
			if err != nil {
				return err
			}
			for _, w := range hygiene.Harden() {
				env.talk("keephold: warning: %s", w)
			}
			s, err := server.Open(cmd.Context(), cfg, env.Version, env.Stderr)
			if err != nil {
				return serverFault(err)
			}
			for _, a := range s.Addrs {
				env.talk("keephold serves %s", a)
			}
			if s.CAFile != "" {
				env.talk("clients trust it with KEEPHOLD_CACERT=%s", s.CAFile)
			}
			if err := s.Run(cmd.Context()); err != nil {
				return serverFault(err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "/etc/keephold/keephold-server.toml", "configuration file")
	return c
}

func readServerConfig(file string) (server.File, error) {
	cfg, err := server.ReadFile(file, os.Environ())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cfg, failf(exitNotFound, "no configuration file %s", file).withHint("give another with --config, or try keephold dev")
	case err != nil:
		return cfg, failf(exitBadData, "%w", err).withHint("keephold config check %s", file)
	}
	return cfg, nil
}

// serverFault gives an error of starting or running a server its exit code.
func serverFault(err error) error {
	codes := map[server.Fault]int{server.FaultBusy: exitBusy, server.FaultBadData: exitBadData, server.FaultReadOnly: exitCannotWrite, server.FaultAddress: exitUnreachable}
	if code, ok := codes[server.FaultOf(err)]; ok {
		return failf(code, "%w", err)
	}
	return failf(exitInternal, "%w", err)
}

func configCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{Use: "config", Short: "look at configuration files"}, &cobra.Command{
		Use:   "check FILE",
		Short: "check a server's configuration file",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := readServerConfig(args[0]); err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"file": args[0], "ok": true})
			}
			env.talk("%s is in order", args[0])
			return nil
		},
	})
}
