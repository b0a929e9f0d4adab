package git

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's own names of objects
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keephold/keephold/internal/scan"
)

// Unstaged is what the working tree has that the index has not, in files that git tracks: "git diff".
type Unstaged struct{ Repo *Repo }

var _ scan.Source = (*Unstaged)(nil)

// Each implements [scan.Source].
func (u *Unstaged) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	r := u.Repo
	var cover scan.Coverage
	if r.work == "" {
		return cover, fmt.Errorf("%s has no working tree: %w", r.dir, ErrNotRepository)
	}
	idx, err := r.readIndex()
	if err != nil {
		return cover, err
	}
	n := 0
	for _, e := range idx.entries {
		if ctx.Err() != nil {
			return cover, ctx.Err()
		}
		if e.mode&0o170000 == modeSubmodule {
			continue
		}
		data, ok, err := worktree(filepath.Join(r.work, filepath.FromSlash(e.path)))
		if err != nil {
			cover.Skip("file cannot be read", e.path)
			continue
		}
		if !ok || r.blobID(data) == e.id {
			continue
		}
		n++
		kind, before, err := r.object(e.id)
		if err != nil || kind != kindBlob {
			before = nil // then all of the file counts as new
		}
		visitText(visit, e.path, data, before, nil, scan.Place{Path: e.path})
	}
	if n == 0 {
		cover.Notes = append(cover.Notes, "no tracked file is changed, so nothing was scanned")
	}
	return cover, nil
}

// worktree reads what git would store of a file; of a link that is where it leads. It is false for one that is gone.
func worktree(path string) ([]byte, bool, error) {
	info, err := os.Lstat(path)
	switch {
	case os.IsNotExist(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return []byte(to), true, err
	case !info.Mode().IsRegular():
		return nil, false, nil // a directory took its place
	case info.Size() > maxObject:
		return nil, false, errTooBig
	}
	b, err := os.ReadFile(path)
	return b, true, err
}

// blobID is the name that git gives to a blob with this content.
func (r *Repo) blobID(data []byte) id {
	h := sha1.New() //nolint:gosec // as above
	if r.size == sha256.Size {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return makeID(h.Sum(nil))
}

// Locate implements [scan.Source]; its chunks carry their places.
func (u *Unstaged) Locate(context.Context, []string) (map[string][]scan.Place, error) {
	return nil, nil
}
