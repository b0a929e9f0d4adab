package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

const lostObject = "object is lost"

// lost counts what refs reach and the repository does not hold. Packs are whole when git writes them, so that what gets lost is
// a pack, with the commits in it, or loose objects: trees are followed as far as they are loose.
func (h *History) lost(ctx context.Context) scan.Coverage {
	var cover scan.Coverage
	r := h.Repo
	h.number()
	commits := make(map[id]*step, len(h.commits))
	for i := range h.commits {
		commits[h.commits[i].id] = &h.commits[i]
	}
	loose := make(map[id]looseObject, len(h.loose))
	for _, o := range h.loose {
		loose[o.id] = o
	}
	now := &present{was: r}
	defer now.close()
	seen := map[id]bool{}
	var open []id // trees that may be loose, and commits
	want := func(x id) {
		if seen[x] {
			return
		}
		seen[x] = true
		if h.numbers.find(x[:r.size]) < 0 {
			if !now.holds(x) {
				cover.Skip(lostObject, r.hex(x))
			}
			return
		}
		open = append(open, x)
	}
	for _, x := range r.tips() {
		want(r.peel(x))
	}
	for len(open) > 0 && ctx.Err() == nil {
		x := open[len(open)-1]
		open = open[:len(open)-1]
		if c := commits[x]; c != nil {
			want(c.tree)
			for _, p := range c.parents {
				if r.shallow == 0 || commits[p] != nil {
					want(p)
				}
			}
			continue
		}
		o, ok := loose[x]
		if !ok {
			continue
		}
		if kind, data, err := o.read(); err == nil && kind == kindTree { // History counts what cannot be read
			_ = r.eachEntry(data, func(mode uint32, _, y []byte) {
				if mode != modeSubmodule {
					want(makeID(y))
				}
			})
		}
	}
	return cover
}

// present is the repository as it is now: people commit and fetch while it is scanned, and what came is not lost.
type present struct {
	was    *Repo
	is     *Repo
	failed bool
}

func (p *present) holds(x id) bool {
	if p.is == nil && !p.failed {
		var err error
		if p.is, err = Open(p.was.dir); err != nil {
			p.failed = true
		}
	}
	if p.is == nil {
		return false
	}
	_, _, err := p.is.object(x)
	return !errors.Is(err, errMissing)
}

func (p *present) close() {
	if p.is != nil {
		_ = p.is.Close() // only unmaps
	}
}

// tips are what the refs name. A packed ref counts only where no newer one stands beside it: what it names may be gone.
func (r *Repo) tips() (out []id) {
	_ = filepath.WalkDir(filepath.Join(r.common, "refs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what cannot be read names nothing
		}
		if rel, err := filepath.Rel(r.common, path); err == nil {
			if x, ok := r.ref(filepath.ToSlash(rel)); ok {
				out = append(out, x)
			}
		}
		return nil
	})
	b, err := os.ReadFile(filepath.Join(r.common, "packed-refs"))
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(b)) {
		sha, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if x, ok := r.parseID(sha); ok && name != "" {
			if _, err := os.Lstat(filepath.Join(r.common, filepath.FromSlash(name))); err != nil {
				out = append(out, x)
			}
		}
	}
	return out
}
