package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
	"github.com/keephold/keephold/internal/scan/git"
	"github.com/keephold/keephold/internal/scan/report"
	"github.com/keephold/keephold/internal/scan/triage"
)

func baselineCommand(env Env, o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "baseline", Short: "what was found and is known: create, update, audit, merge",
		Long:    "A baseline holds no secret, only names of findings that stay the same when lines move and history is rebased. 'keephold scan --baseline FILE' accepts what it holds, but not what an audit called real.",
		Example: "  keephold baseline create .keephold-baseline.json\n  keephold baseline audit .keephold-baseline.json\n  keephold scan git --baseline .keephold-baseline.json",
	}
	return group(c, baselineCreateCommand(env, o), baselineUpdateCommand(env, o), baselineAuditCommand(env, o), &cobra.Command{
		Use:   "merge BASE OURS THEIRS",
		Short: "merge what two branches made of a baseline, into OURS; for git's merge driver",
		Long: "What either branch accepted is accepted, what either removed is gone; there are no conflicts. As a merge driver:\n\n" +
			"  git config merge.keephold.driver 'keephold baseline merge %O %A %B'\n  echo '.keephold-baseline.json merge=keephold' >> .gitattributes",
		Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := triage.MergeBaselines(args[0], args[1], args[2]); err != nil {
				return failf(exitBadData, "%w", err)
			}
			return nil
		},
	})
}

func baselineCreateCommand(env Env, o *options) *cobra.Command {
	onlyFiles := false
	c := &cobra.Command{
		Use: "create FILE [PATH]", Short: "scan, and write down all that is found", Args: cobra.RangeArgs(1, 2),
		Long: "Scan the repository at PATH (default: the current one) with its whole history, or the files of a directory that is none, and write a baseline. One that is there is not overwritten.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := triage.Open(args[0]); !errors.Is(err, fs.ErrNotExist) {
				return failf(exitCannotWrite, "%s is there already", args[0]).withHint("keephold baseline update %s", args[0])
			}
			found, err := env.everything(cmd.Context(), o, first(args[1:]), onlyFiles)
			if err != nil {
				return err
			}
			b := new(triage.Baseline)
			added, _ := b.Update(found)
			return env.keepBaseline(o, args[0], b, "%s: %s", args[0], plural(added, "finding"))
		},
	}
	c.Flags().BoolVar(&onlyFiles, "files", false, "the files, not the history")
	return c
}

func baselineUpdateCommand(env Env, o *options) *cobra.Command {
	onlyFiles := false
	c := &cobra.Command{
		Use: "update FILE [PATH]", Short: "scan again: add what is new, drop what is gone, keep what was decided", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := openBaseline(args[0])
			if err != nil {
				return err
			}
			found, err := env.everything(cmd.Context(), o, first(args[1:]), onlyFiles)
			if err != nil {
				return err
			}
			added, gone := b.Update(found)
			return env.keepBaseline(o, args[0], b, "%s: %d added, %d gone", args[0], added, gone)
		},
	}
	c.Flags().BoolVar(&onlyFiles, "files", false, "the files, not the history")
	return c
}

func baselineAuditCommand(env Env, o *options) *cobra.Command {
	var isReal, isFalse []string
	onlyFiles := false
	c := &cobra.Command{
		Use: "audit FILE [PATH]", Short: "decide which findings are real secrets, one by one or by id", Args: cobra.RangeArgs(1, 2),
		Long:    "Ask for each finding of the baseline that nobody decided on whether it is a real secret. What is called real is accepted no longer: a scan reports it until it is gone. Without a terminal, say it with --real and --false.",
		Example: "  keephold baseline audit .keephold-baseline.json\n  keephold baseline audit .keephold-baseline.json --false 3f9a0c1d2e4b5a697887",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := openBaseline(args[0])
			if err != nil {
				return err
			}
			for verdict, ids := range map[string][]string{triage.Real: isReal, triage.False: isFalse} {
				for _, id := range ids {
					if !b.Decide(id, verdict) {
						return failf(exitNotFound, "%s holds no finding %s", args[0], id).withHint("keephold baseline update %s", args[0])
					}
				}
			}
			if len(isReal)+len(isFalse) == 0 {
				if !isTerminal(env.Stdin) {
					return usagef("there is no terminal to ask at").withHint("keephold baseline audit %s --real ID --false ID", args[0])
				}
				found, err := env.everything(cmd.Context(), o, first(args[1:]), onlyFiles)
				if err != nil {
					return err
				}
				if err := env.audit(cmd.Context(), b, found); err != nil {
					return err
				}
			}
			open, real, wrong := b.Count()
			return env.keepBaseline(o, args[0], b, "%s: %d real, %d false, %d undecided", args[0], real, wrong, open)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&isReal, "real", nil, "id of a finding that is a real secret; may be given again")
	f.StringArrayVar(&isFalse, "false", nil, "id of a finding that is none; may be given again")
	f.BoolVar(&onlyFiles, "files", false, "the files, not the history")
	return c
}

func openBaseline(name string) (*triage.Baseline, error) {
	b, err := triage.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failf(exitNotFound, "there is no baseline %s", name).withHint("keephold baseline create %s", name)
	case err != nil:
		return nil, failf(exitBadData, "%w", err)
	}
	return b, nil
}

func (env Env) keepBaseline(o *options, name string, b *triage.Baseline, format string, args ...any) error {
	if err := b.Save(name); err != nil {
		return failf(exitCannotWrite, "cannot write the baseline: %w", err)
	}
	open, real, wrong := b.Count()
	return env.done(o, map[string]any{"baseline": name, "undecided": open, "real": real, "false": wrong}, format, args...)
}

// everything scans a repository with its history, or a directory. A baseline of half a scan would be wrong, so that one
// which could not see everything is an error.
func (env Env) everything(ctx context.Context, o *options, path string, onlyFiles bool) ([]scan.Finding, error) {
	var sources []scan.Source
	repo, err := git.Open(path)
	switch {
	case onlyFiles || errors.Is(err, git.ErrNotRepository):
		if err == nil {
			_ = repo.Close() // only unmaps
		}
		sources = []scan.Source{&files.Source{Roots: []string{path}, Archives: files.DefaultArchives}}
	case err != nil:
		return nil, failf(exitIO, "cannot open the repository: %w", err)
	default:
		defer func() { _ = repo.Close() }() // only unmaps
		var closeAll func()
		if sources, closeAll, err = histories(repo, nil, false); err != nil {
			return nil, err
		}
		defer closeAll()
	}
	engine, err := leak.Compile(leak.Rules())
	if err != nil {
		return nil, failf(exitInternal, "the built-in rules do not compile: %w", err)
	}
	shown := env.progress(o, "scan", "bytes", 0)
	r, err := scan.Run(ctx, scan.Options{Sources: sources, Finder: engine, Progress: func(_, bytes int64) { shown.done.Store(bytes) }})
	shown.end()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, failf(exitIO, "the scan failed: %w", err)
	case !r.Coverage.Complete():
		s := r.Coverage.Skipped[0]
		return nil, failf(exitIncomplete, "not everything could be looked at: %d × %s %s; the baseline is as it was", s.Count, s.Why, s.Example)
	}
	return r.Findings, nil
}

// audit asks for each undecided finding of the baseline that is still there.
func (env Env) audit(ctx context.Context, b *triage.Baseline, found []scan.Finding) error {
	var open []scan.Finding
	for _, f := range found {
		if verdict, ok := b.Verdict(f.Identity); ok && verdict == "" {
			open = append(open, f)
		}
	}
	in := bufio.NewReader(env.awake())
	for i := 0; i < len(open); {
		f := open[i]
		hidden := report.Hide(f)
		env.talk("\n%d of %d: %s:%d  %s  %s\n  %s", i+1, len(open), f.Path, f.Line, f.Rule, f.Commit, strings.TrimSpace(hidden.LineText))
		if _, err := fmt.Fprint(env.Stderr, "a real secret? yes, no, skip, back, quit [y/n/s/b/q]: "); err != nil {
			return failf(exitIO, "cannot ask: %w", err)
		}
		line, err := in.ReadString('\n')
		if ctx.Err() != nil {
			return ctx.Err() // what was answered is not kept, as with a scan that did not end
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return failf(exitIO, "cannot read the answer: %w", err)
		}
		switch answer := strings.ToLower(strings.TrimSpace(line)); {
		case answer == "q" || err != nil && answer == "":
			return nil
		case answer == "y":
			b.Decide(f.Identity, triage.Real)
			i++
		case answer == "n":
			b.Decide(f.Identity, triage.False)
			i++
		case answer == "s":
			i++
		case answer == "b":
			i = max(0, i-1)
		default:
			env.talk("y, n, s, b or q")
		}
	}
	return nil
}
