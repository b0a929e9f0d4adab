package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// Log is what commits add that git itself chooses: all that "git log" takes, as --since, --author, -n and paths, chooses here.
// It starts git, which must be installed; what the commits hold is read without it.
type Log struct {
	Repo    *Repo
	Options []string // of git log
}

var _ scan.Source = (*Log)(nil)

// ErrOption is wrapped by errors about an option of git log.
var ErrOption = errors.New("option of git log")

// chosen is a commit with the paths that git log shows of it.
type chosen struct {
	commit string
	paths  map[string]bool
}

// commitMark stands before the id of a commit in what git prints.
const commitMark = "\x01"

// refused are options that would have git write a file, start a program, or print what cannot be read here.
var refused = []string{"--output", "--ext-diff", "--textconv", "--format", "--pretty", "--oneline", "--graph", "--color", "--stat", "--shortstat", "--numstat", "--dirstat", "--summary", "--raw", "--name-status"}

// choose asks git.
func (l *Log) choose(ctx context.Context) ([]chosen, error) {
	for _, o := range l.Options {
		if o == "--" {
			break
		}
		name, _, _ := strings.Cut(o, "=")
		for _, r := range refused {
			if name == r {
				return nil, fmt.Errorf("%s: %w that is not supported", o, ErrOption)
			}
		}
	}
	args := append([]string{"--git-dir=" + l.Repo.dir, "-c", "core.fsmonitor=false", "log", "-z", "--name-only", "--format=" + commitMark + "%H"}, l.Options...)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = l.Repo.work // paths and globs are as in the working tree
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(talk.String()); text != "" {
			return nil, fmt.Errorf("git log: %s: %w", text, err)
		}
		return nil, fmt.Errorf("git log: %w", err)
	}
	return l.Repo.parseLog(out.String())
}

// parseLog reads "\x01id NUL newline path NUL path NUL ...".
func (r *Repo) parseLog(text string) ([]chosen, error) {
	var all []chosen
	for word := range strings.SplitSeq(text, "\x00") {
		if x, ok := strings.CutPrefix(word, commitMark); ok {
			if _, ok := r.parseID(x); ok {
				all = append(all, chosen{x, map[string]bool{}})
				continue
			}
		}
		word = strings.TrimPrefix(word, "\n")
		switch {
		case word == "":
		case len(all) == 0:
			return nil, fmt.Errorf("git log: %q is no commit: %w", word, errCorrupt)
		default:
			all[len(all)-1].paths[word] = true
		}
	}
	return all, nil
}

// Each implements [scan.Source].
func (l *Log) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	var cover scan.Coverage
	all, err := l.choose(ctx)
	if err != nil {
		return cover, err
	}
	for _, at := range all {
		x, _ := l.Repo.parseID(at.commit)
		c, err := l.Repo.commit(x)
		if err != nil {
			return cover, err
		}
		cover.Commits++
		if len(at.paths) == 0 {
			continue
		}
		if err := l.Repo.adds(ctx, c, &cover, func(path string) bool { return at.paths[path] }, visit); err != nil {
			return cover, err
		}
	}
	if cover.Commits == 0 {
		cover.Notes = append(cover.Notes, "no commit was chosen, so nothing was scanned")
	}
	return cover, nil
}

// Locate implements [scan.Source]; its chunks carry their places.
func (l *Log) Locate(context.Context, []string) (map[string][]scan.Place, error) { return nil, nil }
