// Package git reads git repositories for the scanner, without git.
//
// It maps the packs and walks each delta tree from its root, so that every object is inflated once and rebuilt from a
// base that is already in memory; of a delta only what it changes is looked at. All objects are seen, whether a ref
// reaches them or not: merge-only content, stashes, notes and what a force-push left behind. Only for blobs with
// findings are the trees and commits consulted for a path and a commit.
//
// Formats: gitformat-pack(5), gitformat-index(5), gitrepository-layout(5), for SHA-1 and SHA-256.
package git

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Repo is an open repository.
type Repo struct {
	dir     string   // the git directory of this worktree
	common  string   // the git directory that holds objects and refs
	work    string   // the working tree; empty when bare
	index   string   // the staging area, when it is not the usual one
	objects []string // object directories: the repository's and its alternates'
	size    int      // bytes of an object id
	packs   []*pack
	partial bool // a promisor remote holds objects that are not here
	shallow int  // commits whose parents are not here
}

// ErrNotRepository is returned by Open for a directory that is in no repository.
var ErrNotRepository = errors.New("not a git repository")

// Open opens the repository that path is in: a working tree, a bare repository or a git directory. The caller closes it.
func Open(path string) (*Repo, error) { return OpenWith(path) }

// OpenWith is Open with further directories of objects, as git has them while it receives a push: what comes in stays
// apart until the hook agrees.
func OpenWith(path string, objects ...string) (*Repo, error) {
	r := &Repo{size: 20}
	if err := r.find(path); err != nil {
		return nil, err
	}
	r.common = r.dir
	if b, err := os.ReadFile(filepath.Join(r.dir, "commondir")); err == nil {
		r.common = strings.TrimSpace(string(b))
		if !filepath.IsAbs(r.common) {
			r.common = filepath.Join(r.dir, r.common)
		}
	}
	r.config()
	if b, err := os.ReadFile(filepath.Join(r.common, "shallow")); err == nil {
		r.shallow = bytes.Count(b, []byte("\n"))
	}
	r.alternates(filepath.Join(r.common, "objects"), 0)
	for _, dir := range objects {
		r.alternates(filepath.Clean(dir), 0)
	}
	for _, dir := range r.objects {
		if err := r.openPacks(dir); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// Close unmaps the packs.
func (r *Repo) Close() error {
	var err error
	for _, p := range r.packs {
		err = errors.Join(err, p.close())
	}
	r.packs = nil
	return err
}

// Work returns the working tree, or "" for a bare repository.
func (r *Repo) Work() string { return r.work }

// UseIndex takes another file for the staging area, as GIT_INDEX_FILE says: git commit -a and git commit PATH fill one of
// their own, and hooks have to look at that.
func (r *Repo) UseIndex(name string) { r.index = name }

// UseWork says where the working tree is, as GIT_WORK_TREE does.
func (r *Repo) UseWork(dir string) { r.work = dir }

// find looks for the git directory, upward from path.
func (r *Repo) find(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		dot := filepath.Join(dir, ".git")
		switch info, err := os.Stat(dot); {
		case err == nil && info.IsDir() && isGitDir(dot):
			r.dir, r.work = dot, dir
			return nil
		case err == nil && info.Mode().IsRegular():
			b, err := os.ReadFile(dot)
			if err != nil {
				return err
			}
			to, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "gitdir: ")
			if !ok {
				return fmt.Errorf("%s: %w", dot, ErrNotRepository)
			}
			if !filepath.IsAbs(to) {
				to = filepath.Join(dir, to)
			}
			r.dir, r.work = to, dir
			return nil
		}
		if isGitDir(dir) {
			r.dir = dir
			if filepath.Base(dir) == ".git" {
				r.work = filepath.Dir(dir)
			}
			return nil
		}
		if dir == filepath.Dir(dir) {
			return fmt.Errorf("%s: %w", path, ErrNotRepository)
		}
	}
}

func isGitDir(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "objects"))
	if err != nil || !info.IsDir() {
		// A linked worktree has its own HEAD and points at the rest.
		_, err = os.Stat(filepath.Join(dir, "commondir"))
		return err == nil
	}
	_, err = os.Lstat(filepath.Join(dir, "HEAD"))
	return err == nil
}

// config reads the two settings that matter: the object format and whether a remote promises objects.
func (r *Repo) config() {
	f, err := os.Open(filepath.Join(r.common, "config"))
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(strings.ToLower(lines.Text()), "=")
		switch strings.TrimSpace(key) {
		case "objectformat":
			if strings.TrimSpace(value) == "sha256" {
				r.size = 32
			}
		case "promisor", "partialclone":
			r.partial = true
		}
	}
}

// alternates collects object directories; git follows at most five levels, and so does this.
func (r *Repo) alternates(dir string, depth int) {
	if depth > 5 || slices.Contains(r.objects, dir) {
		return
	}
	r.objects = append(r.objects, dir)
	b, err := os.ReadFile(filepath.Join(dir, "info", "alternates"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if !filepath.IsAbs(line) {
			line = filepath.Join(dir, line)
		}
		r.alternates(filepath.Clean(line), depth+1)
	}
}

// id is an object id of either size, zero-padded.
type id [32]byte

func (r *Repo) parseID(s string) (id, bool) {
	var x id
	if len(s) != 2*r.size {
		return x, false
	}
	_, err := hex.Decode(x[:], []byte(s))
	return x, err == nil
}

func (r *Repo) hex(x id) string { return hex.EncodeToString(x[:r.size]) }

func makeID(b []byte) id {
	var x id
	copy(x[:], b)
	return x
}
