package cli

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/git"
)

// historyTime bounds how long init looks at a history. What it has not seen by then is left to keephold scan git.
const historyTime = 10 * time.Second

// projectHistory is what init has to say about a project's git repository.
type projectHistory struct {
	Leaks   []committedLeak `json:"leaks,omitempty"`
	Partial bool            `json:"partial,omitempty"` // there was no time for all of it
	tracked []string        // paths in the index, as the project sees them
}

// committedLeak is a file with secrets in it, as a commit holds it. It holds no value.
type committedLeak struct {
	Path   string   `json:"path"`
	Commit string   `json:"commit"`
	Date   string   `json:"date"`
	Kinds  []string `json:"kinds"`
}

// lookAtHistory looks for secrets in the history of the repository that holds dir, with the guard's own reader; nil
// without a repository. A repository that cannot be read is for keephold scan to complain about.
func (env Env) lookAtHistory(ctx context.Context, o *options, dir string) *projectHistory {
	repo, err := git.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = repo.Close() }() // only unmaps
	h := &projectHistory{}
	paths, _ := repo.Tracked() // without an index nothing is tracked
	for _, p := range paths {
		if rel, err := filepath.Rel(dir, filepath.Join(repo.Work(), filepath.FromSlash(p))); err == nil {
			h.tracked = append(h.tracked, filepath.ToSlash(rel))
		}
	}
	engine, err := leak.CompileOptions(leak.Rules(), leak.Options{})
	if err != nil {
		return h
	}
	accepted, err := new(scanOptions).accepted(dir)
	if err != nil {
		return h
	}
	progress := env.progress(o, "looking at the history", "bytes", 0)
	defer progress.end()
	within, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	found, err := scan.Run(within, scan.Options{
		Sources: []scan.Source{&git.History{Repo: repo}}, Finder: engine, Confidence: leak.Medium, Drop: accepted.Drop,
	})
	h.Partial = err != nil
	h.Leaks = leaksByCommit(found.Findings)
	return h
}

// leaksByCommit joins the findings of one file in one commit.
func leaksByCommit(findings []scan.Finding) (out []committedLeak) {
	at := map[string]int{}
	for _, f := range findings {
		if f.Commit == "" || f.Path == "" {
			continue
		}
		key := f.Path + "\x00" + f.Commit
		i, seen := at[key]
		if !seen {
			i = len(out)
			at[key] = i
			out = append(out, committedLeak{Path: f.Path, Commit: f.Commit[:min(7, len(f.Commit))], Date: f.Date.UTC().Format(time.DateOnly)})
		}
		if kind := kindOf(f); !slices.Contains(out[i].Kinds, kind) {
			out[i].Kinds = append(out[i].Kinds, kind)
		}
	}
	return out
}

// kindOf names a finding by the setting that it stands behind, if it has one, and by the rule.
func kindOf(f scan.Finding) string {
	name, _, ok := strings.Cut(f.LineText, "=")
	name = strings.TrimPrefix(strings.TrimSpace(name), "export ")
	if !ok || !isSettingName(name) || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" || f.Secret == "" || strings.Contains(name, f.Secret) {
		return f.Rule
	}
	return name + " (" + f.Rule + ")"
}

// historyLines bounds the lines about a history: who has more, has another job to do first.
const historyLines = 10

func (env Env) describeHistory(h *projectHistory) {
	if h == nil {
		return
	}
	for _, l := range h.Leaks[:min(historyLines, len(h.Leaks))] {
		env.talk("  ! %s was committed in %s (%s): %s\n      fix:  change it where it is used, first; then:  keephold scan git", l.Path, l.Commit, l.Date, strings.Join(l.Kinds, ", "))
	}
	if n := len(h.Leaks) - historyLines; n > 0 {
		env.talk("  ! and in %d more places:  keephold scan git", n)
	}
	if h.Partial {
		env.talk("  ! the history was too long to look at all of it here:  keephold scan git")
	}
}

// projectHooks installs the hooks of the repository that holds dir, and says which; none where all of them are ours
// already, or where hooks stand outside of the repository and so are shared with others.
func projectHooks(dir string) (installed []string, err error) {
	h, hooks := new(hookOptions), hooksOf(dir)
	if hooks == "" {
		return nil, nil
	}
	for _, name := range h.names() {
		_, mine, err := ours(filepath.Join(hooks, name))
		if err != nil || mine {
			continue
		}
		if _, err := installHook(hooks, name); err != nil {
			return installed, failf(exitCannotWrite, "hook %s: %w", name, err)
		}
		installed = append(installed, name)
	}
	return installed, nil
}

// hooksOf is where the hooks of the repository that holds dir stand; empty if there is none, or they stand outside it.
func hooksOf(dir string) string {
	repo, err := git.Open(dir)
	if err != nil {
		return ""
	}
	work := repo.Work()
	if err := repo.Close(); err != nil {
		return ""
	}
	hooks, err := new(hookOptions).hookDir(dir)
	if err != nil || work == "" {
		return ""
	}
	rel, err := filepath.Rel(work, hooks)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return ""
	}
	return hooks
}

// dropHooks takes back the hooks that init installed. The directory is asked for anew: the note of what to undo lies in
// the project and says nothing about places outside of it.
func dropHooks(dir string, names []string) error {
	hooks := hooksOf(dir)
	if hooks == "" {
		return nil
	}
	for _, name := range new(hookOptions).names() {
		if !slices.Contains(names, name) {
			continue
		}
		if _, err := uninstallHook(hooks, name); err != nil {
			return failf(exitCannotWrite, "hook %s: %w", name, err)
		}
	}
	return nil
}
