package detectsecrets

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// listFiles finds what is to be scanned below the paths: files as given, and of directories what git tracks, or
// everything when all is set. Names are relative to root.
func (t *Tool) listFiles(ctx context.Context, root string, paths []string, all bool) ([]file, error) {
	real, err := realPath(root)
	if err != nil {
		return nil, err
	}
	var tracked map[string]bool
	var out []file
	seen := map[string]bool{}
	add := func(path string, always bool) {
		target, err := realPath(path)
		if err != nil {
			return
		}
		rel, err := filepath.Rel(real, target)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return // a link that leads out
		}
		if seen[rel] || !always && tracked != nil && !tracked[target] {
			return
		}
		seen[rel] = true
		out = append(out, file{target, filepath.ToSlash(rel)})
	}
	for _, p := range paths {
		at := p
		if !filepath.IsAbs(at) && !strings.HasPrefix(at, root) {
			at = filepath.Join(t.dir(), at)
		}
		info, err := os.Stat(at)
		switch {
		case err != nil:
			t.warn("nothing is scanned at %s: %v", p, err)
			continue
		case !info.IsDir():
			add(at, true)
			continue
		case !all && tracked == nil:
			if tracked, err = t.tracked(ctx, root); err != nil {
				t.warn("Did not detect git repository. Try scanning all files instead.")
				return nil, nil //nolint:nilerr // said above; the peer goes on without
			}
		}
		err = filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				t.warn("not scanned: %v", err)
				return nil
			}
			if !d.IsDir() && d.Type()&^fs.ModeSymlink == 0 {
				add(path, false)
			}
			return ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// tracked are the files of the repository that git knows, by their real paths.
func (t *Tool) tracked(ctx context.Context, dir string) (map[string]bool, error) {
	top, err := t.git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	root := strings.TrimRight(top, "\r\n")
	list, err := t.git(ctx, root, "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	if root, err = realPath(root); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for name := range strings.SplitSeq(list, "\x00") {
		if name == "" {
			continue
		}
		path := filepath.Join(root, filepath.FromSlash(name))
		out[path] = true
		if target, err := realPath(path); err == nil {
			out[target] = true
		}
	}
	return out, nil
}

func (t *Tool) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	out, err := cmd.Output()
	return string(out), err
}
