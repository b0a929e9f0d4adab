package cli

import (
	"net/http"

	"github.com/spf13/cobra"
)

func verifyCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "open every record of the server's store and hold it against the audit log",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			a.unhurried()
			var r struct {
				Names, Heads, Versions, Records, Compared, Unrecorded, More uint64
				Damage                                                      []struct{ Key, What string }
			}
			if err := a.call(cmd.Context(), http.MethodGet, "keephold/verify", nil, &r); err != nil {
				return explain(err, "cannot verify")
			}
			if o.json {
				if err := env.printJSON(map[string]any{"heads": r.Heads, "versions": r.Versions, "records": r.Records, "compared": r.Compared, "damage": r.Damage, "more": r.More}); err != nil {
					return err
				}
			} else {
				env.talk("opened %s with %s and %s; %d are what the audit log says was stored last", plural(r.Heads, "secret"), plural(r.Versions, "version"), plural(r.Records, "record"), r.Compared)
				for _, d := range r.Damage {
					env.talk("  x %s  %s", d.Key, d.What)
				}
			}
			if len(r.Damage) > 0 {
				return silent(exitAuditBroken)
			}
			return nil
		}),
	}
}

func auditKeyCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "print the key that the server's audit log verifies with; keep it, and a checkpoint, elsewhere",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			var r struct{ Key, Checkpoint string }
			if err := a.call(cmd.Context(), http.MethodGet, "keephold/audit-key", nil, &r); err != nil {
				return explain(err, "cannot read the audit log's key")
			}
			if o.json {
				return env.printJSON(map[string]any{"key": r.Key, "checkpoint": r.Checkpoint})
			}
			return env.print(r.Key + "\n")
		}),
	}
}
