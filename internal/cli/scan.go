package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
	"github.com/keephold/keephold/internal/scan/git"
	"github.com/keephold/keephold/internal/scan/report"
	"github.com/keephold/keephold/internal/scan/triage"
)

// scanOptions are the flags that all kinds of scans share.
type scanOptions struct {
	format, output string
	confidence     string
	baseline       []string
	ignoreFile     string
	show, explain  bool
	marks          bool
	identifiers    bool
	decode         int
	writeBaseline  string
	historyOptions
	archives        int
	maxSize         int64
	gitignore, link bool
	fingerprints    []string
	verify          verifyOptions
	template        string
	timeout         time.Duration
}

// historyOptions are those of scan git alone.
type historyOptions struct {
	cache string
	alone bool // without submodules
}

func scanCommand(env Env, o *options) *cobra.Command {
	s := new(scanOptions)
	c := &cobra.Command{
		Use:   "scan",
		Short: "look for secrets in files, in git history, in what is staged, on stdin",
		Long: "Look for secrets. Exit codes: 0 nothing found and everything looked at, 10 something found, 11 nothing found but not everything could be looked at.\n" +
			"Secrets are never printed unless --show is given.",
		Example: "  keephold scan git\n  keephold scan dir src docs\n  keephold scan staged\n  keephold scan commits origin/main..HEAD",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := c.PersistentFlags()
	f.StringVarP(&s.format, "format", "f", "", "table, "+strings.Join(report.Formats()[1:], ", "))
	f.StringVarP(&s.output, "report", "r", "", "write the report to a file instead of stdout")
	f.StringVar(&s.confidence, "confidence", "low", "the least to report: low, medium, high, certain")
	f.StringArrayVar(&s.baseline, "baseline", nil, "accept what this baseline holds (ours, gitleaks', detect-secrets')")
	f.StringVar(&s.ignoreFile, "ignore-file", "", "accept what this file lists (default: .keepholdignore and .gitleaksignore beside what is scanned)")
	f.BoolVar(&s.show, "show", false, "print secrets in clear")
	f.BoolVar(&s.explain, "explain", false, "print why each finding is one")
	f.BoolVar(&s.marks, "ignore-allow-comments", false, "report also what a comment such as keephold:allow allows")
	f.BoolVar(&s.identifiers, "identifiers", false, "report also names of accounts and the like, which open nothing by themselves")
	f.IntVar(&s.decode, "decode-depth", leak.DefaultDecodeDepth, "how many layers of base64, hex, percent and unicode to undo")
	f.StringArrayVar(&s.fingerprints, "fingerprints", nil, "recognise the values of this file (keephold fingerprints export)")
	f.StringVar(&s.template, "template", "", "write the report with this template (Go's text/template with sprig's functions, the fields of gitleaks)")
	f.DurationVar(&s.timeout, "timeout", 0, "end after so long (90s, 10m); what was not reached counts as not scanned")
	f.StringVar(&s.writeBaseline, "write-baseline", "", "accept all that is found: write it to this file")
	s.verify.add(f)
	c.AddCommand(scanDirCommand(env, o, s), scanGitCommand(env, o, s), scanStagedCommand(env, o, s), scanCommitsCommand(env, o, s), scanPushedCommand(env, o, s), scanMessageCommand(env, o, s), scanStdinCommand(env, o, s))
	return c
}

func scanDirCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	c := &cobra.Command{
		Use:     "dir [PATH...]",
		Aliases: []string{"file", "directory"},
		Short:   "scan files and directories",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			src := &files.Source{Roots: args, Ignore: s.gitignore, Links: s.link, MaxSize: s.maxSize, Archives: s.archives}
			return env.scan(cmd.Context(), o, s, args[0], src)
		},
	}
	f := c.Flags()
	f.BoolVar(&s.gitignore, "gitignore", false, "leave out what .gitignore files name")
	f.BoolVar(&s.link, "follow-symlinks", false, "follow symbolic links")
	f.IntVar(&s.archives, "archive-depth", files.DefaultArchives, "how many layers of archives to open; what lies deeper counts as not scanned, and with 0 archives are left out")
	f.Int64Var(&s.maxSize, "max-size", 0, "largest file in bytes; a larger one counts as not scanned (default 1 GiB)")
	return c
}

func scanGitCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	c := &cobra.Command{
		Use:     "git [REPOSITORY]",
		Aliases: []string{"history"},
		Short:   "scan the whole history, with unreachable objects, stashes, notes and messages",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := first(args)
			repo, err := env.openRepo(path)
			if err != nil {
				return err
			}
			defer func() { _ = repo.Close() }() // only unmaps
			var seen *git.Seen
			if s.cache != "" {
				if seen, err = git.OpenSeen(s.cache, s.looksFor(env.Version)); err != nil {
					return failf(exitIO, "cannot read the cache: %w", err)
				}
			}
			sources, closeAll, err := histories(repo, seen, s.alone)
			if err != nil {
				return err
			}
			defer closeAll()
			err = env.scan(cmd.Context(), o, s, path, sources...)
			if seen != nil {
				if failed := seen.Save(); failed != nil {
					return failf(exitCannotWrite, "cannot keep the cache: %w", failed)
				}
			}
			return err
		},
	}
	c.Flags().StringVar(&s.cache, "cache", "", "file that remembers clean blobs: the next scan looks only at what is new, one that was interrupted goes on")
	c.Flags().BoolVar(&s.alone, "no-submodules", false, "leave out the repositories of submodules")
	return c
}

// histories are that of a repository and, unless it is to be alone, those of its submodules, which are open until they are
// closed.
func histories(repo *git.Repo, seen *git.Seen, alone bool) (sources []scan.Source, closeAll func(), err error) {
	sources, closeAll = []scan.Source{&git.History{Repo: repo, Seen: seen}}, func() {}
	if alone {
		return sources, closeAll, nil
	}
	subs, err := repo.Submodules()
	if err != nil {
		return nil, nil, failf(exitIO, "cannot open a submodule: %w", err)
	}
	for _, sub := range subs {
		sources = append(sources, &git.History{Repo: sub.Repo, Seen: seen, Prefix: sub.Path + "/"})
	}
	return sources, func() {
		for _, sub := range subs {
			_ = sub.Repo.Close() // only unmaps
		}
	}, nil
}

// looksFor is the same for scans that find the same: what is clean for one need not be for another.
func (s *scanOptions) looksFor(version string) string {
	key := fmt.Sprintln(version, s.confidence, s.decode, s.identifiers)
	for _, name := range s.fingerprints {
		if b, err := os.ReadFile(name); err == nil { // one that cannot be read ends the scan before it begins
			key += string(b)
		}
	}
	return key
}

func scanStagedCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "staged [REPOSITORY]",
		Short: "scan what the next commit would add",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := first(args)
			repo, err := env.openRepo(path)
			if err != nil {
				return err
			}
			defer func() { _ = repo.Close() }() // only unmaps
			return env.scan(cmd.Context(), o, s, repo.Work(), &git.Staged{Repo: repo})
		},
	}
}

func scanCommitsCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	return &cobra.Command{
		Use:     "commits RANGE...",
		Short:   "scan what a range of commits adds",
		Example: "  keephold scan commits origin/main..HEAD\n  keephold scan commits HEAD ^v1.0",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo, err := env.openRepo(".")
			if err != nil {
				return err
			}
			defer func() { _ = repo.Close() }() // only unmaps
			return env.scan(cmd.Context(), o, s, ".", git.ParseRange(repo, args))
		},
	}
}

func scanStdinCommand(env Env, o *options, s *scanOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "stdin",
		Short: "scan what comes in on stdin",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.scan(cmd.Context(), o, s, ".", &files.Stream{Name: "stdin", Reader: env.awake(), Archives: true})
		},
	}
}

func first(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

func openRepo(path string) (*git.Repo, error) {
	repo, err := git.Open(path)
	switch {
	case errors.Is(err, git.ErrNotRepository):
		return nil, failf(exitUsage, "%w", err).withHint("'keephold scan dir' scans files without a history")
	case err != nil:
		return nil, failf(exitIO, "cannot open the repository: %w", err)
	}
	return repo, nil
}

// openRepo opens the repository of a path as git says where things are when it runs a hook: with --git-dir nothing beside
// the files tells, and commit -a fills an index of its own.
func (env Env) openRepo(path string) (*git.Repo, error) {
	dir := env.Getenv("GIT_DIR")
	if dir == "" || path != "." {
		dir = path
	}
	repo, err := openRepo(dir)
	if err != nil {
		return nil, err
	}
	if name := env.Getenv("GIT_INDEX_FILE"); name != "" {
		repo.UseIndex(name)
	}
	if dir != path && repo.Work() == "" {
		work, err := filepath.Abs(cmp.Or(env.Getenv("GIT_WORK_TREE"), "."))
		if err != nil {
			_ = repo.Close() // only unmaps
			return nil, failf(exitIO, "cannot open the repository: %w", err)
		}
		repo.UseWork(work)
	}
	return repo, nil
}

// scan runs one scan and prints its report. at is where ignore files are looked for.
func (env Env) scan(ctx context.Context, o *options, s *scanOptions, at string, sources ...scan.Source) error {
	putOffGC()
	write, err := s.writer(o)
	if err != nil {
		return err
	}
	least, ok := leak.ParseConfidence(s.confidence)
	if !ok {
		return usagef("unknown confidence %q", s.confidence).withHint("low, medium, high or certain")
	}
	accepted, err := s.accepted(at)
	if err != nil {
		return err
	}
	if _, ok := sources[0].(*files.Source); ok { // which has no history to tell moves by
		accepted.Holds = fileHolds
	}
	rules := leak.Rules()
	engine, err := leak.CompileOptions(rules, leak.Options{DecodeDepth: s.decode, Identifiers: s.identifiers})
	if err != nil {
		return failf(exitInternal, "the built-in rules do not compile: %w", err)
	}
	ask, err := s.verify.verifier()
	if err != nil {
		return err
	}
	finder, stored, err := readFingerprints(s.fingerprints, engine)
	if err != nil {
		return err
	}
	names := make(map[string]string, len(rules))
	for _, r := range rules {
		names[r.ID] = r.Description
	}
	bounded := ctx
	if s.timeout > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	shown := env.progress(o, "scan", "bytes", 0)
	result, err := scan.Run(bounded, scan.Options{
		Sources: sources, Finder: finder, Confidence: least, Drop: accepted.Drop, AllowMarks: s.marks,
		Describe: func(id string) string { return cmp.Or(names[id], stored(id)) },
		Progress: func(_, bytes int64) { shown.done.Store(bytes) },
	})
	shown.end()
	if errors.Is(err, git.ErrRevision) {
		return failf(exitBadData, "%w", err).withHint("fetch it first: git fetch origin BRANCH; in a shallow clone git fetch --unshallow, with actions/checkout fetch-depth: 0")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return failf(exitNotFound, "the scan failed: %w", err)
	}
	if err != nil && bounded.Err() == nil {
		return failf(exitIO, "the scan failed: %w", err)
	}
	if ask != nil {
		env.askVendors(ctx, ask, result.Findings)
	}
	if s.writeBaseline != "" {
		if err := triage.WriteBaseline(s.writeBaseline, result.Findings); err != nil {
			return failf(exitCannotWrite, "cannot write the baseline: %w", err)
		}
	}
	if err := env.scanReport(s, write, result); err != nil {
		return err
	}
	err = env.scanVerdict(o, s, result, accepted)
	if ctx.Err() != nil {
		return ctx.Err() // exit code 130, whatever was found until then
	}
	return err
}

func (s *scanOptions) writer(o *options) (report.Writer, error) {
	if s.template != "" {
		if s.format != "" && s.format != "template" {
			return nil, usagef("--template and --format %s exclude each other", s.format)
		}
		text, err := os.ReadFile(s.template)
		if err != nil {
			return nil, failf(exitBadData, "cannot read the template: %w", err)
		}
		w, err := report.Template(filepath.Base(s.template), string(text))
		if err != nil {
			return nil, failf(exitBadData, "%w", err)
		}
		return w, nil
	}
	format := s.format
	if format == "" {
		switch ext := filepath.Ext(s.output); {
		case ext == ".json" || ext == ".csv" || ext == ".sarif" || ext == ".jsonl":
			format = ext[1:]
		case ext == ".xml":
			format = "junit"
		case ext == ".md":
			format = "markdown"
		case o.json:
			format = "json"
		default:
			format = "table"
		}
	}
	w, ok := report.For(format)
	if !ok && format == "template" {
		return nil, usagef("the format template needs --template FILE")
	}
	if !ok {
		return nil, usagef("unknown format %q", format).withHint("known are %s", strings.Join(report.Formats(), ", "))
	}
	return w, nil
}

// accepted reads the ignore files and baselines. One that is asked for and broken ends the scan: half of what was
// accepted would be a flood of old findings, or worse, the other half.
func (s *scanOptions) accepted(at string) (*triage.Set, error) {
	set := new(triage.Set)
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		at = filepath.Dir(at)
	}
	ignore := s.ignoreFile
	if ignore == "" {
		ignore = filepath.Join(at, ".keepholdignore")
	}
	err := set.ReadIgnore(ignore, time.Now())
	if err != nil && (s.ignoreFile != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, failf(exitBadData, "%w", err)
	}
	if err := set.ReadPeerIgnore(filepath.Join(at, ".gitleaksignore")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failf(exitBadData, "%w", err)
	}
	for _, name := range s.baseline {
		if err := set.ReadBaseline(name); err != nil {
			return nil, failf(exitBadData, "%w", err)
		}
	}
	return set, nil
}

// fileHolds reports that a secret still stands in a file: then the same secret elsewhere is a copy.
func fileHolds(path, secret string) bool {
	b, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return bytes.Contains(b, []byte(secret))
}

func (env Env) scanReport(s *scanOptions, write report.Writer, result scan.Report) error {
	opts := report.Options{Show: s.show, Version: env.Version}
	if s.output == "" || s.output == "-" {
		return env.wrote(write(env.Stdout, result, opts))
	}
	var b bytes.Buffer
	if err := write(&b, result, opts); err != nil {
		return failf(exitInternal, "cannot write the report: %w", err)
	}
	if err := os.WriteFile(s.output, b.Bytes(), 0o600); err != nil {
		return failf(exitCannotWrite, "cannot write the report: %w", err)
	}
	return nil
}

// scanVerdict says on stderr what was done and answers the exit code.
func (env Env) scanVerdict(o *options, s *scanOptions, r scan.Report, accepted *triage.Set) error {
	if s.explain {
		env.explainFindings(r)
	}
	for _, f := range r.Findings {
		if strings.HasPrefix(f.Rule, "stored:") {
			env.talk("%s:%d: %s", f.Path, f.Line, f.Description)
		}
	}
	for _, w := range append(accepted.Warnings, accepted.Expired...) {
		env.talk("keephold: warning: %s", w)
	}
	if !o.quiet {
		for _, n := range r.Coverage.Notes {
			env.talk("%s", n)
		}
		commits := ""
		if r.Coverage.Commits > 0 {
			commits = plural(r.Coverage.Commits, "commit") + ", "
		}
		env.talk("%s%s, %.1f MB looked at in %v: %s, %d accepted", commits, plural(r.Coverage.Chunks, "text"), float64(r.Coverage.Bytes)/1e6, r.Took.Round(time.Millisecond), plural(len(r.Findings), "finding"), r.Allowed)
	}
	for _, k := range r.Coverage.Skipped {
		env.talk("keephold: warning: not scanned: %d × %s %s", k.Count, k.Why, k.Example)
		if hint := git.Advice(k.Why); hint != "" {
			env.talk("keephold: hint: %s", hint)
		}
	}
	switch {
	case len(r.Findings) > 0 && s.writeBaseline == "":
		return silent(exitFindings)
	case !r.Coverage.Complete():
		return silent(exitIncomplete)
	}
	return nil
}

func (env Env) explainFindings(r scan.Report) {
	for _, f := range r.Findings {
		env.talk("%s:%d %s: %d points", f.Path, f.Line, f.Rule, f.Score)
		for _, x := range f.Explain {
			env.talk("  %+d  %s", x.Points, x.Why)
		}
	}
}

// plural counts: "1 key", "2 keys".
func plural[N int | int64 | uint64](n N, what string) string {
	text := fmt.Sprint(n) + " " + what
	if n != 1 {
		text += "s"
	}
	return text
}
