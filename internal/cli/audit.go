package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/secret"
)

func auditCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:   "audit",
		Short: "who did what, and proof that nobody changed the log",
		Long: `Read and check the audit log. With --dir these commands read the log's own directory: they need no server and no
token, only the right to read the files, also while a server writes them. Without it who, tail and prove ask the keep that
this command line speaks to. docs/audit.md describes them.`,
		Example: "  keephold audit verify --dir /var/lib/keephold/audit\n  keephold audit who --secret secret/app --since 24h --dir audit\n  keephold audit tail --dir audit",
	}, auditVerifyCommand(env, o), auditTailCommand(env, o), auditWhoCommand(env, o), auditProveCommand(env, o), auditCheckCommand(env, o), auditHashCommand(env, o), auditKeyCommand(env, o))
}

const usualAuditDir = "/var/lib/keephold/audit"

func auditDir(c *cobra.Command, dir *string) *cobra.Command {
	c.Flags().StringVar(dir, "dir", usualAuditDir, "directory of the audit log, instead of the keep's API")
	return c
}

// auditFault gives an error of the log its exit code.
func auditFault(err error, dir string) error {
	var known *fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known): // a keep's own answer
		return err
	case errors.Is(err, audit.ErrTampered), errors.Is(err, audit.ErrTruncated):
		return failf(exitAuditBroken, "%w", err).withHint("keep %s as it is, it is the evidence; see docs/audit.md", dir)
	case errors.Is(err, fs.ErrNotExist):
		return failf(exitNotFound, "no audit log in %s", dir).withHint("name its directory with --dir")
	case errors.Is(err, fs.ErrPermission):
		return failf(exitDenied, "%w", err)
	case errors.Is(err, audit.ErrNotCovered):
		return failf(exitBusy, "%w", err).withHint("the next checkpoint is written within a second")
	}
	return failf(exitIO, "%w", err)
}

// needLog refuses a directory that is not there.
func needLog(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return failf(exitNotFound, "%s is no directory", dir)
	}
	return auditFault(err, dir)
}

func auditVerifyCommand(env Env, o *options) *cobra.Command {
	var dir string
	var keys, checkpoints []string
	c := auditDir(&cobra.Command{
		Use:   "verify",
		Short: "read the whole log again and check that nothing in it was changed",
		Long: `Read the whole log again and check that nothing in it was changed, against its checkpoints, and against those that you
took away. The exit code is 3 when something was. Without the public key signatures are not looked at; without a
checkpoint of your own a log that was written anew as a whole is not noticed.`,
		Example: "  keephold audit verify --dir audit\n  keephold audit verify --dir audit --key KEY --checkpoint saved-in-june",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts := audit.VerifyOptions{PublicKeys: keys}
			for _, name := range checkpoints {
				b, err := os.ReadFile(name)
				if err != nil {
					return failf(exitNotFound, "%w", err)
				}
				opts.Old = append(opts.Old, b)
			}
			if err := needLog(dir); err != nil {
				return err
			}
			p := env.progress(o, "verify", "bytes", 0)
			opts.Progress = func(done, _ int64) { p.done.Store(done) }
			r, err := audit.Verify(cmd.Context(), dir, opts)
			p.end()
			if err != nil {
				return auditFault(err, dir)
			}
			if len(keys) == 0 {
				env.talk("signatures were not looked at: give the log's public key with --key")
			}
			return env.done(o, map[string]any{
				"ok": true, "records": r.Records, "covered": r.Covered, "checkpoints": r.Checkpoints, "bytes": r.Bytes, "torn": r.Torn, "signatures": len(keys) > 0,
			}, "the log is whole: %d records, %d of them under %d checkpoints", r.Records, r.Covered, r.Checkpoints)
		},
	}, &dir)
	c.Flags().StringArrayVar(&keys, "key", nil, "public key that checkpoints must be signed with; several after a rotation")
	c.Flags().StringArrayVar(&checkpoints, "checkpoint", nil, "file with a checkpoint that was kept elsewhere")
	return c
}

func auditTailCommand(env Env, o *options) *cobra.Command {
	var dir string
	var follow bool
	var last uint64
	c := auditDir(&cobra.Command{
		Use:   "tail",
		Short: "print the last records, one JSON object a line",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a, err := env.auditKeep(cmd, o); err != nil {
				return err
			} else if a != nil {
				return env.tailKeep(cmd.Context(), a, follow, last)
			}
			if err := needLog(dir); err != nil {
				return err
			}
			from, err := lastRecords(cmd.Context(), dir, last)
			if err != nil {
				return auditFault(err, dir)
			}
			for r, err := range audit.Records(cmd.Context(), dir, from, follow) {
				if err != nil {
					if errors.Is(err, context.Canceled) {
						return nil // how following ends
					}
					return auditFault(err, dir)
				}
				if err := env.print(string(r.AppendLine(nil))); err != nil {
					return err
				}
			}
			return nil
		},
	}, &dir)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is recorded later")
	c.Flags().Uint64Var(&last, "last", 20, "how many records (0: all)")
	return c
}

func lastRecords(ctx context.Context, dir string, n uint64) (from uint64, err error) {
	if n == 0 {
		return 0, nil
	}
	var end uint64
	for r, err := range audit.Records(ctx, dir, 0, false) {
		if err != nil {
			return 0, err
		}
		end = r.Seq + 1
	}
	return end - min(end, n), nil
}

func auditWhoCommand(env Env, o *options) *cobra.Command {
	var dir, ref, actor, since, kind, value string
	c := auditDir(&cobra.Command{
		Use:   "who",
		Short: "say who touched a secret, or what somebody did",
		Example: `  keephold audit who --secret secret/app
  keephold audit who --secret secret/app --since 24h --kind read
  keephold audit who --actor approle --since 2026-11-01`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := auditQuery(ref, actor, since, kind, value)
			if err != nil {
				return err
			}
			if ref != "" {
				if ref, _, err = placed(ref); err != nil {
					return err
				}
			}
			if a, err := env.auditKeep(cmd, o); err != nil {
				return err
			} else if a != nil {
				return env.printWho(o, dir, env.searchKeep(cmd.Context(), a, q, ref))
			}
			if err := needLog(dir); err != nil {
				return err
			}
			return env.printWho(o, dir, matching(cmd.Context(), dir, q, ref))
		},
	}, &dir)
	f := c.Flags()
	f.StringVar(&ref, "secret", "", "NAME, ENV/NAME or SPACE/PATH")
	f.StringVar(&actor, "actor", "", "name, id or entity of who did it")
	f.StringVar(&since, "since", "", "a time (2026-11-01, RFC 3339) or how long ago (24h)")
	f.StringVar(&kind, "kind", "", "change, read, refusal, admin or sign-in")
	f.StringVar(&value, "value", "", "keyed hash of a value, from keephold audit hash")
	return c
}

func auditQuery(ref, actor, since, kind, value string) (q audit.Query, err error) {
	if ref == "" && actor == "" && since == "" && kind == "" && value == "" {
		return q, usagef("who did what? give --secret, --actor, --since, --kind or --value")
	}
	q = audit.Query{Actor: actor, Value: value}
	if kind != "" {
		k, err := audit.ParseKind(kind)
		if err != nil {
			return q, usagef("--kind: %w", err)
		}
		q.Kinds = []audit.Kind{k}
	}
	if since == "" {
		return q, nil
	}
	if ago, err := time.ParseDuration(since); err == nil {
		q.Since = time.Now().Add(-ago)
		return q, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, since, time.Local); err == nil {
			q.Since = t
			return q, nil
		}
	}
	return q, usagef("--since %q is neither a time nor a duration", since)
}

// matching tries each way to cut a reference into Space and path: without a server nobody knows the Spaces.
func matching(ctx context.Context, dir string, q audit.Query, ref string) iter.Seq2[audit.Entry, error] {
	if ref == "" {
		return audit.Search(ctx, dir, q)
	}
	return func(yield func(audit.Entry, error) bool) {
		parts := strings.Split(strings.Trim(ref, "/"), "/")
		for i := 1; i < len(parts); i++ {
			q.Space, q.Path = strings.Join(parts[:i], "/"), strings.Join(parts[i:], "/")
			for e, err := range audit.Search(ctx, dir, q) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

func (env Env) printWho(o *options, dir string, found iter.Seq2[audit.Entry, error]) error {
	var rows [][]string
	docs := []map[string]any{}
	for e, err := range found {
		if err != nil {
			return auditFault(err, dir)
		}
		if o.json {
			docs = append(docs, map[string]any{"seq": e.Seq, "event": e.Event})
			continue
		}
		ev := e.Event
		who := ev.Who.Name
		if who == "" {
			who = ev.Who.ID
		}
		allowed := "yes"
		if !ev.Decision.Allowed {
			allowed = "no"
		}
		what := strings.Trim(ev.What.Space+"/"+ev.What.Path, "/")
		if ev.What.Version > 0 {
			what += " v" + strconv.FormatUint(ev.What.Version, 10)
		}
		rows = append(rows, []string{ev.Time.Local().Format(time.DateTime), who, ev.Action, what, allowed, ev.From.Addr, strconv.FormatUint(e.Seq, 10)})
	}
	if o.json {
		return env.printJSON(map[string]any{"records": docs})
	}
	if len(rows) == 0 && !o.quiet {
		env.talk("the log has no record of that")
	}
	return env.table([]string{"TIME", "WHO", "DID", "WHAT", "ALLOWED", "FROM", "RECORD"}, rows)
}

func auditProveCommand(env Env, o *options) *cobra.Command {
	var dir string
	return auditDir(&cobra.Command{
		Use:     "prove RECORD",
		Short:   "print a record with the proof that it is in the log",
		Long:    `Print a record with the proof that it is in the log, for somebody who has neither the log nor a server: keephold audit check reads it.`,
		Example: "  keephold audit prove 1234 --dir audit -o record-1234.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usagef("%q is no number of a record", args[0])
			}
			if a, err := env.auditKeep(cmd, o); err != nil {
				return err
			} else if a != nil {
				var b audit.Bundle
				if err := a.call(cmd.Context(), http.MethodGet, "keephold/audit-proof/"+args[0], nil, &b); err != nil {
					return explain(err, "cannot prove record "+args[0])
				}
				return env.printJSON(map[string]any{"seq": b.Seq, "record": b.Record, "proof": b.Proof, "checkpoint": b.Checkpoint})
			}
			if err := needLog(dir); err != nil {
				return err
			}
			b, err := audit.Prove(dir, seq)
			if err != nil {
				return auditFault(err, dir)
			}
			return env.printJSON(map[string]any{"seq": b.Seq, "record": b.Record, "proof": b.Proof, "checkpoint": b.Checkpoint})
		},
	}, &dir)
}

func auditCheckCommand(env Env, o *options) *cobra.Command {
	var keys []string
	c := &cobra.Command{
		Use:     "check FILE --key KEY",
		Short:   "check a record that audit prove printed, with the log's public key alone",
		Example: "  keephold audit check record-1234.json --key KEY",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(keys) == 0 {
				return usagef("whose signature counts? give the log's public key with --key")
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return failf(exitNotFound, "%w", err)
			}
			var b audit.Bundle
			if err := json.Unmarshal(text, &b); err != nil {
				return failf(exitBadData, "%s: %w", args[0], err)
			}
			ev, err := audit.VerifyBundle(b, keys...)
			if err != nil {
				return failf(exitAuditBroken, "record %d is not proved: %w", b.Seq, err)
			}
			return env.done(o, map[string]any{"ok": true, "seq": b.Seq, "event": ev}, "record %d is in the log: %s by %s at %s", b.Seq, ev.Action, ev.Who.Name, ev.Time.Format(time.RFC3339))
		},
	}
	c.Flags().StringArrayVar(&keys, "key", nil, "public key of the log")
	return c
}

func auditHashCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "hash [-]",
		Short: "hash a value as the log does, to look for it with audit who --value",
		Args:  cobra.MaximumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			var v secret.Value
			if len(args) == 1 && args[0] == "-" {
				b, err := env.source("-")
				if err != nil {
					return err
				}
				v = secret.NewValue(b)
			} else {
				from, err := env.values(args)
				if err != nil {
					return err
				}
				if v, err = from.next("Value"); err != nil {
					return err
				}
			}
			var out struct {
				Hash string `json:"hash"`
			}
			if err := a.call(cmd.Context(), http.MethodPost, "sys/audit-hash/log", map[string]string{"input": reveal(v)}, &out); err != nil {
				return explain(err, "cannot hash")
			}
			if o.json {
				return env.printJSON(map[string]any{"hash": out.Hash})
			}
			return env.print(out.Hash + "\n")
		}),
	}
}
