package cli

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
)

func operatorCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:     "operator",
		Short:   "look after a server: its keys, its snapshots, its health",
		Example: "  keephold operator init\n  keephold operator unseal\n  keephold operator status",
	},
		foundCommand(env, o), unsealCommand(env, o), sealCommand(env, o), statusCommand(env, o),
		rekeyCommand(env, o), generateRootCommand(env, o), rotateKeyCommand(env, o),
		verifyCommand(env, o), snapshotCommand(env, o), restoreCommand(env, o), upgradeCommand(env, o),
		shredCommand(env, o),
	)
}

type sealState struct {
	Type        string `json:"type"`
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Threshold   int    `json:"t"`
	Shares      int    `json:"n"`
	Progress    int    `json:"progress"`
	Version     string `json:"version"`
	Recovery    bool   `json:"recovery_seal"`
}

func (s sealState) word() string {
	switch {
	case !s.Initialized:
		return "not initialized"
	case s.Sealed:
		return "sealed"
	}
	return "unsealed"
}

func statusCommand(env Env, o *options) *cobra.Command {
	var sealedOK bool
	c := &cobra.Command{
		Use:   "status",
		Short: "say whether the server is initialized and unsealed",
		Long: `Say whether the server is initialized and unsealed. The exit code is 0 when it is, 75 when it is sealed or not
initialized, and 69 when it cannot be reached.`,
		Example: "  keephold operator status\n  keephold operator status --sealed-ok -q",
		Args:    cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			var s sealState
			if err := a.call(cmd.Context(), http.MethodGet, "sys/seal-status", nil, &s); err != nil {
				return explain(err, "cannot tell the state of "+a.addr)
			}
			if err := env.printSeal(o, a, s); err != nil {
				return err
			}
			if s.word() != "unsealed" && !sealedOK {
				return silent(exitBusy)
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&sealedOK, "sealed-ok", false, "end with 0 also when the server is sealed")
	return c
}

func (env Env) printSeal(o *options, a *api, s sealState) error {
	if o.json {
		return env.printJSON(map[string]any{
			"addr": a.addr, "state": s.word(), "initialized": s.Initialized, "sealed": s.Sealed, "seal": s.Type, "shares": s.Shares,
			"threshold": s.Threshold, "progress": s.Progress, "version": s.Version, "recovery": s.Recovery,
		})
	}
	if o.quiet {
		return nil
	}
	given := "-"
	if s.Sealed && s.Threshold > 0 {
		given = strconv.Itoa(s.Progress) + "/" + strconv.Itoa(s.Threshold)
	}
	return env.table([]string{"STATE", "SEAL", "SHARES GIVEN", "VERSION", "AT"}, [][]string{{s.word(), s.Type, given, s.Version, a.addr}})
}

func unsealCommand(env Env, o *options) *cobra.Command {
	var reset bool
	c := &cobra.Command{
		Use:   "unseal [-]",
		Short: "give key shares until the server is unsealed",
		Long: `Give key shares until the server is unsealed. At a terminal each share is asked for without being shown; with -
they are read from stdin, one a line. Several people may each give theirs, from wherever they are.`,
		Example: "  keephold operator unseal\n  keephold operator unseal - < share",
		Args:    cobra.MaximumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			var s sealState
			if reset {
				if err := a.call(cmd.Context(), http.MethodPost, "sys/unseal", map[string]any{"reset": true}, &s); err != nil {
					return explain(err, "cannot forget the shares given")
				}
				return env.printSeal(o, a, s)
			}
			from, err := env.values(args)
			if err != nil {
				return err
			}
			if err := a.call(cmd.Context(), http.MethodGet, "sys/seal-status", nil, &s); err != nil {
				return explain(err, "cannot tell the state of "+a.addr)
			}
			if !s.Initialized {
				return failf(exitBusy, "%s is not initialized", a.addr).withHint("keephold operator init")
			}
			for s.Sealed {
				share, err := from.next("Share " + strconv.Itoa(s.Progress+1) + " of " + strconv.Itoa(s.Threshold))
				if err != nil {
					if codeOf(err) == exitUsage && s.Progress > 0 && from.lines != nil {
						break // others give the rest
					}
					return err
				}
				if err := a.call(cmd.Context(), http.MethodPost, "sys/unseal", map[string]any{"key": reveal(share)}, &s); err != nil {
					return explain(err, "the share was not taken")
				}
			}
			return env.printSeal(o, a, s)
		}),
	}
	c.Flags().BoolVar(&reset, "reset", false, "forget the shares that were given so far")
	return c
}

func sealCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "seal",
		Short: "lock the keep at once: nothing is served until it is unsealed",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			if err := a.call(cmd.Context(), http.MethodPost, "sys/seal", nil, nil); err != nil {
				return explain(err, "cannot seal "+a.addr)
			}
			return env.done(o, map[string]any{"addr": a.addr, "state": "sealed"}, "%s is sealed", a.addr)
		}),
	}
}

func rotateKeyCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key",
		Short: "seal what is written from now on under a new key",
		Long: `Seal what is written from now on under a new key of the keyring. The server goes on serving; what was written
before stays readable.`,
		Args: cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			if err := a.call(cmd.Context(), http.MethodPost, "sys/rotate", nil, nil); err != nil {
				return explain(err, "cannot rotate the key")
			}
			var status struct {
				Term    int    `json:"term"`
				Install string `json:"install_time"`
			}
			if err := a.call(cmd.Context(), http.MethodGet, "sys/key-status", nil, &status); err != nil {
				return explain(err, "the key was rotated, but its term cannot be told")
			}
			return env.done(o, map[string]any{"term": status.Term, "installed": status.Install}, "the key is of term %d now", status.Term)
		}),
	}
}
