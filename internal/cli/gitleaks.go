package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/gitleaks"
	"github.com/keephold/keephold/internal/scan/report"
	"github.com/keephold/keephold/internal/scan/triage"
)

// peerOptions are the flags of gitleaks that mean something here; the others are taken and do nothing.
type peerOptions struct {
	peerReport
	config, baseline string
	ignore           string
	exitCode         int
	redact           int
	repository       bool // the source is one
	verbose          bool
	marks            bool
	enable           []string
	decode, timeout  int
	peerSource
}

// peerSource says what is looked at.
type peerSource struct {
	source, logOpts, platform            string
	staged, unstaged, noGit, pipe, links bool
	maxMegabytes, archives               int
}

// peerReport says where the report goes, and how.
type peerReport struct {
	format, output, template string
	plain                    bool // findings are printed without what stands around them
	remote                   report.Remote
}

// gitleaksCommand is gitleaks' command line on our engine: "keephold gitleaks detect --source . --verbose".
func gitleaksCommand(env Env, _ *options) *cobra.Command {
	p := new(peerOptions)
	c := &cobra.Command{
		Use:     "gitleaks",
		Short:   "scan with the command line, configuration, ignores, baselines and reports of gitleaks",
		Long:    "The command line of gitleaks on keephold's engine. Without a configuration keephold's own rules run. Exit codes are gitleaks': 1 (or --exit-code) for leaks, 1 for errors and partial scans.",
		Args:    cobra.NoArgs,
		Version: env.Version,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := c.PersistentFlags()
	f.StringVarP(&p.config, "config", "c", "", "configuration file")
	f.StringVarP(&p.baseline, "baseline-path", "b", "", "report whose findings are known")
	f.StringVarP(&p.format, "report-format", "f", "", "json, csv, junit, sarif, template")
	f.StringVar(&p.template, "report-template", "", "template file, for the format template")
	f.StringVarP(&p.output, "report-path", "r", "", "report file, - for stdout")
	f.StringVarP(&p.ignore, "gitleaks-ignore-path", "i", ".", "a .gitleaksignore file or the folder that holds it")
	f.IntVar(&p.exitCode, "exit-code", 1, "exit code when leaks are found")
	f.IntVar(&p.redact, "redact", 0, "percentage of each secret to hide")
	f.Lookup("redact").NoOptDefVal = "100"
	f.BoolVarP(&p.verbose, "verbose", "v", false, "print the findings")
	f.BoolVar(&p.marks, "ignore-gitleaks-allow", false, "report also what a gitleaks:allow comment allows")
	f.StringSliceVar(&p.enable, "enable-rule", nil, "report only this rule")
	f.IntVar(&p.maxMegabytes, "max-target-megabytes", 0, "larger files are not scanned")
	f.IntVar(&p.archives, "max-archive-depth", 0, "how many layers of archives to open")
	f.StringP("log-level", "l", "info", "taken, without effect")
	f.BoolVar(&p.plain, "no-color", false, "print findings without what stands around them")
	f.Bool("no-banner", false, "taken, without effect")
	f.String("diagnostics", "", "taken, without effect")
	f.String("diagnostics-dir", "", "taken, without effect")
	f.IntVar(&p.decode, "max-decode-depth", gitleaks.DefaultDecodeDepth, "how many layers of base64, hex, percent and unicode to undo")
	f.IntVar(&p.timeout, "timeout", 0, "seconds after which the scan ends, incomplete")
	c.AddCommand(p.git(env), p.dir(env), p.stdin(env), p.detect(env), p.protect(env), p.version(env))
	return c
}

// usageCodes are what a peer answers to a command line that it does not understand.
type usageCodes struct{ flag, words int }

// peerUsage returns the codes of the peer whose command line c belongs to.
func peerUsage(c *cobra.Command) (usageCodes, bool) {
	for ; c != nil; c = c.Parent() {
		if c.Name() == "gitleaks" {
			return usageCodes{flag: 126, words: 1}, true
		}
	}
	return usageCodes{}, false
}

func (p *peerOptions) version(env Env) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return env.print(env.Version + "\n")
	}}
}

func (p *peerOptions) git(env Env) *cobra.Command {
	c := &cobra.Command{Use: "git [repo]", Short: "scan git repositories", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return p.history(env, cmd, first(args))
	}}
	c.Flags().StringVar(&p.logOpts, "log-opts", "", "options of git log: ranges, --since, paths")
	c.Flags().BoolVar(&p.staged, "staged", false, "scan what is staged")
	c.Flags().BoolVar(&p.unstaged, "pre-commit", false, "scan what is changed and not staged, unless --staged is given")
	p.addPlatform(c)
	return c
}

func (p *peerSource) addPlatform(c *cobra.Command) {
	c.Flags().StringVar(&p.platform, "platform", "", "what findings link to: none, "+strings.Join(report.Platforms(), ", "))
}

func (p *peerOptions) dir(env Env) *cobra.Command {
	c := &cobra.Command{Use: "dir [path]", Aliases: []string{"file", "directory"}, Short: "scan directories or files", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		return p.files(env, cmd, first(args))
	}}
	c.Flags().BoolVar(&p.links, "follow-symlinks", false, "follow symbolic links")
	return c
}

func (p *peerOptions) stdin(env Env) *cobra.Command {
	return &cobra.Command{Use: "stdin", Short: "scan stdin", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return p.stream(env, cmd)
	}}
}

func (p *peerOptions) detect(env Env) *cobra.Command {
	c := &cobra.Command{Use: "detect", Short: "scan a repository, or files with --no-git", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		switch {
		case p.pipe:
			return p.stream(env, cmd)
		case p.noGit:
			return p.files(env, cmd, p.source)
		}
		return p.history(env, cmd, p.source)
	}}
	f := c.Flags()
	f.StringVarP(&p.source, "source", "s", ".", "what to scan")
	f.BoolVar(&p.noGit, "no-git", false, "scan files, not history")
	f.BoolVar(&p.pipe, "pipe", false, "scan stdin")
	f.BoolVar(&p.links, "follow-symlinks", false, "follow symbolic links")
	f.StringVar(&p.logOpts, "log-opts", "", "options of git log: ranges, --since, paths")
	p.addPlatform(c)
	return c
}

func (p *peerOptions) protect(env Env) *cobra.Command {
	c := &cobra.Command{Use: "protect", Short: "scan what is changed and not staged, or what is staged", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		p.unstaged = true
		return p.history(env, cmd, p.source)
	}}
	c.Flags().StringVarP(&p.source, "source", "s", ".", "the repository")
	c.Flags().BoolVar(&p.staged, "staged", false, "scan what is staged")
	c.Flags().StringVar(&p.logOpts, "log-opts", "", "taken, without effect")
	return c
}

// configuration follows gitleaks' order: --config, GITLEAKS_CONFIG, GITLEAKS_CONFIG_TOML, the target's .gitleaks.toml.
func (p *peerOptions) configuration(env Env, at string) (*gitleaks.Set, error) {
	putOffGC()
	if p.config != "" {
		return gitleaks.Load(p.config)
	}
	if name := env.Getenv("GITLEAKS_CONFIG"); name != "" {
		return gitleaks.Load(name)
	}
	if text := env.Getenv("GITLEAKS_CONFIG_TOML"); text != "" {
		return gitleaks.Parse(text)
	}
	for _, name := range []string{".gitleaks.toml", ".betterleaks.toml"} {
		set, err := gitleaks.Load(filepath.Join(at, name))
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotDir) {
			return set, err
		}
	}
	return gitleaks.Default()
}

func (p *peerOptions) accepted(at string) (*triage.Set, error) {
	set := new(triage.Set)
	for _, name := range []string{p.ignore, filepath.Join(p.ignore, ".gitleaksignore"), filepath.Join(at, ".gitleaksignore"), filepath.Join(at, ".betterleaksignore")} {
		if info, err := os.Stat(name); err != nil || info.IsDir() {
			continue
		}
		if err := set.ReadPeerIgnore(name); err != nil {
			return nil, err
		}
	}
	if err := set.ReadIgnore(filepath.Join(at, ".keepholdignore"), time.Now()); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotDir) {
		return nil, err
	}
	if p.baseline != "" {
		if err := set.ReadBaseline(p.baseline); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// run scans a source, which is made when it is known which files a configuration wants for their paths.
func (p *peerOptions) run(env Env, cmd *cobra.Command, at string, source func(*gitleaks.Set) scan.Source) error {
	set, err := p.configuration(env, at)
	if err != nil {
		return failf(1, "unable to load gitleaks config: %w", err)
	}
	if err := p.ready(set); err != nil {
		return err
	}
	if err := set.DecodeDepth(p.decode); err != nil {
		return failf(1, "unable to load gitleaks config: %w", err)
	}
	if p.timeout > 0 {
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Duration(p.timeout)*time.Second)
		defer cancel()
		cmd.SetContext(ctx)
	}
	accepted, err := p.accepted(at)
	if err != nil {
		return failf(1, "%w", err)
	}
	names := ruleNames(set)
	result, err := scan.Run(cmd.Context(), scan.Options{
		Sources: []scan.Source{source(set)}, Finder: set.Finder, Named: set.Named, Keep: p.keep(set, at), Drop: accepted.Drop, AllowMarks: p.marks, Describe: func(id string) string { return names[id] },
	})
	if err != nil && cmd.Context().Err() == nil {
		return failf(1, "%w", err)
	}
	if len(p.enable) > 0 {
		env.talk("INF Overriding enabled rules: %s", strings.Join(p.enable, ", "))
	}
	p.only(&result)
	inOrder(result.Findings)
	// Findings first, then the log, then the report, as its users see them.
	verdict := p.verdict(env, result, reportRules(set), append(set.Warning, accepted.Warnings...))
	if err := p.write(env, result, set); err != nil {
		return err
	}
	return verdict
}

// only keeps the rules that --enable-rule names.
func (p *peerOptions) only(r *scan.Report) {
	if len(p.enable) == 0 {
		return
	}
	kept := r.Findings[:0]
	for _, f := range r.Findings {
		for _, id := range p.enable {
			if f.Rule == id {
				kept = append(kept, f)
			}
		}
	}
	r.Findings = kept
}

func (p *peerOptions) write(env Env, r scan.Report, set *gitleaks.Set) error {
	if p.output == "" {
		return nil
	}
	w, err := p.writer()
	if err != nil {
		return err
	}
	opts := report.Options{Show: true, Version: env.Version, Rules: reportRules(set), Staged: p.staged || p.unstaged, Remote: p.remote}
	if p.redact > 0 {
		r.Findings = report.Redacted(r.Findings, p.redact)
	}
	if p.output == "-" {
		return env.wrote(w(env.Stdout, r, opts))
	}
	f, err := os.OpenFile(p.output, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return failf(1, "cannot write the report: %w", err)
	}
	err = w(f, r, opts)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return failf(1, "cannot write the report: %w", err)
	}
	return nil
}

func (p *peerOptions) verdict(env Env, r scan.Report, rules []report.Rule, warnings []string) error {
	if p.verbose {
		// gitleaks prints secrets unless --redact is given; this house never does without being asked for the value.
		shown := r.Findings
		if p.redact > 0 {
			shown = report.Redacted(shown, p.redact)
		}
		if err := env.print(report.Blocks(shown, p.plain, report.Options{Rules: rules, Remote: p.remote})); err != nil {
			return err
		}
	}
	for _, w := range warnings {
		env.talk("WRN %s", w)
	}
	if p.repository {
		env.talk("INF %d commits scanned.", r.Coverage.Commits)
	}
	size := fmt.Sprintf("scanned ~%d bytes (%s)", r.Coverage.Bytes, peerSize(r.Coverage.Bytes))
	if !r.Coverage.Complete() {
		for _, k := range r.Coverage.Skipped {
			env.talk("ERR not scanned: %d × %s %s", k.Count, k.Why, k.Example)
		}
		env.talk("WRN %s", size)
		env.talk("WRN partial scan completed in %s", peerDuration(r.Took))
		if len(r.Findings) > 0 {
			env.talk("WRN %d leaks found in partial scan", len(r.Findings))
			return silent(p.exitCode)
		}
		env.talk("WRN no leaks found in partial scan")
		return silent(1)
	}
	env.talk("INF %s in %s", size, peerDuration(r.Took))
	if len(r.Findings) > 0 {
		env.talk("WRN leaks found: %d", len(r.Findings))
		return silent(p.exitCode)
	}
	env.talk("INF no leaks found")
	return nil
}

// peerSize is a number of bytes in its words.
func peerSize(n int64) string {
	if n == 0 {
		return "0"
	}
	value, unit := float64(n), "bytes"
	for _, u := range []string{"KB", "MB", "GB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, u
	}
	return strings.TrimSuffix(fmt.Sprintf("%.2f", value), ".00") + " " + unit
}

// peerDuration keeps three digits.
func peerDuration(d time.Duration) string {
	unit := time.Duration(1)
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}
