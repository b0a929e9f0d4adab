package cli

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
	"github.com/keephold/keephold/internal/scan/git"
	"github.com/keephold/keephold/internal/scan/gitleaks"
	"github.com/keephold/keephold/internal/scan/report"
)

func (p *peerOptions) stream(env Env, cmd *cobra.Command) error {
	return p.run(env, cmd, ".", func(*gitleaks.Set) scan.Source { return &files.Stream{Reader: env.awake()} })
}

func (p *peerOptions) files(env Env, cmd *cobra.Command, path string) error {
	src := &files.Source{Roots: []string{path}, Links: p.links, Targets: true, Archives: p.archives}
	if most := int64(p.maxMegabytes) * 1e6; most > 0 {
		// Who sets the bound wants it so: as with the peer the scan counts as whole.
		src.Exclude = func(path string) bool {
			info, err := os.Lstat(path)
			large := err == nil && info.Mode().IsRegular() && info.Size() > most
			if large {
				env.talk("WRN skipping file: too large max_size=%dMB, size=%dMB path=%s", p.maxMegabytes, info.Size()/1e6, path)
			}
			return large
		}
	}
	return p.run(env, cmd, path, func(*gitleaks.Set) scan.Source { return src })
}

func (p *peerOptions) history(env Env, cmd *cobra.Command, path string) error {
	if p.platform != "" && p.platform != "none" && p.platform != "unknown" && !slices.Contains(report.Platforms(), strings.ToLower(p.platform)) {
		return failf(1, "invalid scm platform value: %s", p.platform).withHint("none, %s", strings.Join(report.Platforms(), ", "))
	}
	repo, err := env.openRepo(path)
	if err != nil {
		return failf(1, "%w", errors.Unwrap(err))
	}
	defer func() { _ = repo.Close() }() // only unmaps
	p.repository = true
	if !p.staged && !p.unstaged && p.platform != "none" {
		p.remote = report.ParseRemote(strings.TrimPrefix(strings.ToLower(p.platform), "unknown"), repo.RemoteURL())
	}
	err = p.run(env, cmd, path, func(set *gitleaks.Set) scan.Source { return p.part(repo, set) })
	if errors.Is(err, git.ErrOption) {
		return failf(1, "--log-opts: %w", err)
	}
	return err
}

// part is what of a repository is looked at.
func (p *peerOptions) part(repo *git.Repo, set *gitleaks.Set) scan.Source {
	words := strings.Fields(p.logOpts)
	whole := !slices.ContainsFunc(words, func(w string) bool { return w != "--all" && w != "--full-history" })
	switch {
	case p.staged:
		return &git.Staged{Repo: repo}
	case p.unstaged:
		return &git.Unstaged{Repo: repo}
	case whole:
		return &git.History{Repo: repo, Wanted: set.Wanted()}
	case slices.ContainsFunc(words, func(w string) bool { return w[0] == '-' || strings.Contains(w, "...") }):
		return &git.Log{Repo: repo, Options: words} // git knows what these mean
	}
	return git.ParseRange(repo, words)
}

// keep applies a configuration, and leaves out itself and the baseline: both may quote what they speak of.
func (p *peerOptions) keep(set *gitleaks.Set, at string) func([]scan.Finding) []scan.Finding {
	own := []string{cmp.Or(p.config, filepath.Join(at, ".gitleaks.toml"))}
	if rel, err := filepath.Rel(at, p.baseline); err == nil && p.baseline != "" {
		own = append(own, filepath.ToSlash(rel))
	}
	return func(in []scan.Finding) []scan.Finding {
		return set.Keep(slices.DeleteFunc(in, func(f scan.Finding) bool { return f.Path != "" && slices.Contains(own, f.Path) }))
	}
}

// ready refuses before the scan what cannot be reported after it.
func (p *peerOptions) ready(set *gitleaks.Set) error {
	for _, id := range p.enable {
		if _, ok := ruleNames(set)[id]; !ok {
			return failf(1, "Requested rule %s not found in rules", id)
		}
	}
	if p.output == "" {
		return nil
	}
	if p.template != "" && p.reportFormat() != "template" {
		return failf(1, "Report format must be 'template' if --report-template is specified")
	}
	_, err := p.writer()
	return err
}

// reportFormat is the one that is given, or that of the report's name.
func (p *peerReport) reportFormat() string {
	if p.format != "" {
		return strings.ToLower(strings.TrimSpace(p.format))
	}
	return strings.TrimPrefix(strings.ToLower(filepath.Ext(p.output)), ".")
}

func (p *peerReport) writer() (report.Writer, error) {
	format := p.reportFormat()
	switch {
	case format == "json" || format == "" && p.output == "-":
		format = "gitleaks"
	case format == "sarif" || format == "junit" || format == "csv":
		format = "gitleaks-" + format
	case format == "template":
		text, err := os.ReadFile(p.template)
		if err != nil {
			return nil, failf(1, "--report-template: %w", err)
		}
		w, err := report.Template(filepath.Base(p.template), string(text))
		if err != nil {
			return nil, failf(1, "%w", err)
		}
		return w, nil
	case format == "github" || format == "markdown": // ours, for the action
	default:
		return nil, failf(1, "unknown report format %q", format)
	}
	w, _ := report.For(format)
	return w, nil
}

// inOrder puts what stands in the text before what was decoded, as far as the peer has an order at all: in one file and rule.
func inOrder(found []scan.Finding) {
	depth := func(f scan.Finding) int {
		if f.Decoded == "" {
			return 0
		}
		return 1 + strings.Count(f.Decoded, ">")
	}
	slices.SortStableFunc(found, func(a, b scan.Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(depth(a), depth(b)))
	})
}
