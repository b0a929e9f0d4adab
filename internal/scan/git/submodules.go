package git

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Submodule is a repository inside of another one.
type Submodule struct {
	Path string // in the working tree, or the name of one that is not checked out
	Repo *Repo  // open; the caller closes it
}

// Submodules opens the repositories of all submodules that are here, with theirs: those that .gitmodules names, and
// what the git directory still holds of others (gitsubmodules(7)).
func (r *Repo) Submodules() ([]Submodule, error) {
	s := submodules{seen: []string{r.common}}
	err := s.of(r, "")
	if err != nil {
		for _, x := range s.found {
			err = errors.Join(err, x.Repo.Close())
		}
		return nil, err
	}
	return s.found, nil
}

type submodules struct {
	found []Submodule
	seen  []string // git directories
}

func (s *submodules) of(r *Repo, prefix string) error {
	for _, p := range r.modulePaths() {
		dir := filepath.Join(r.work, filepath.FromSlash(p))
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err != nil {
			continue // not checked out
		}
		if err := s.open(dir, path.Join(prefix, p)); err != nil {
			return err
		}
	}
	modules := filepath.Join(r.common, "modules")
	return filepath.WalkDir(modules, func(dir string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !d.IsDir() || !isGitDir(dir):
			return nil
		}
		name, err := filepath.Rel(modules, dir)
		if err != nil {
			return err
		}
		if err := s.open(dir, path.Join(prefix, filepath.ToSlash(name))); err != nil {
			return err
		}
		return fs.SkipDir
	})
}

func (s *submodules) open(dir, at string) error {
	r, err := Open(dir)
	if err != nil {
		return err
	}
	if slices.Contains(s.seen, r.common) {
		return r.Close()
	}
	s.seen = append(s.seen, r.common)
	s.found = append(s.found, Submodule{at, r})
	return s.of(r, at)
}

// modulePaths reads the paths in .gitmodules. One that leads out of the tree is not followed.
func (r *Repo) modulePaths() []string {
	if r.work == "" {
		return nil
	}
	f, err := os.Open(filepath.Join(r.work, ".gitmodules"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var out []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		if ok && strings.TrimSpace(key) == "path" && filepath.IsLocal(filepath.FromSlash(value)) {
			out = append(out, value)
		}
	}
	return out
}
