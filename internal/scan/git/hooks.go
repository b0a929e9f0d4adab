package git

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// HookDir is where the repository's hooks are: core.hooksPath of its own configuration, or hooks in the git directory.
func (r *Repo) HookDir() string {
	if f, err := os.Open(filepath.Join(r.common, "config")); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			key, value, ok := strings.Cut(lines.Text(), "=")
			if ok && strings.EqualFold(strings.TrimSpace(key), "hooksPath") {
				dir := strings.Trim(strings.TrimSpace(value), `"`)
				if filepath.IsAbs(dir) {
					return dir
				}
				return filepath.Join(r.work, dir)
			}
		}
	}
	return filepath.Join(r.common, "hooks")
}

// RemoteRefs lists the ids that remote branches stand at: what they reach is pushed already.
func (r *Repo) RemoteRefs() []string { return r.refsBelow("refs/remotes/") }

// Refs lists the ids that all refs stand at.
func (r *Repo) Refs() []string { return r.refsBelow("refs/") }

func (r *Repo) refsBelow(prefix string) []string {
	seen := map[string]bool{}
	var out []string
	add := func(x id) {
		if s := r.hex(x); !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	root := filepath.Join(r.common, filepath.FromSlash(prefix))
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a repository without remotes has none
		}
		if rel, err := filepath.Rel(r.common, path); err == nil {
			if x, ok := r.ref(filepath.ToSlash(rel)); ok {
				add(x)
			}
		}
		return nil
	})
	if b, err := os.ReadFile(filepath.Join(r.common, "packed-refs")); err == nil {
		for line := range strings.Lines(string(b)) {
			sha, name, ok := strings.Cut(strings.TrimSpace(line), " ")
			if x, valid := r.parseID(sha); ok && valid && strings.HasPrefix(name, prefix) {
				add(x)
			}
		}
	}
	return out
}
