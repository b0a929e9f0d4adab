package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// Staged is what the next commit would add: the index against HEAD. Files of the working tree are not read.
type Staged struct{ Repo *Repo }

var _ scan.Source = (*Staged)(nil)

// node is an entry of a tree.
type node struct {
	mode uint32
	id   id
}

func (r *Repo) tree(x id) (map[string]node, error) {
	kind, data, err := r.object(x)
	if err != nil {
		return nil, err
	}
	if kind != kindTree {
		return nil, fmt.Errorf("%s is no tree: %w", r.hex(x), errCorrupt)
	}
	out := map[string]node{}
	err = r.eachEntry(data, func(mode uint32, name, x []byte) {
		out[string(name)] = node{mode, makeID(x)}
	})
	return out, err
}

// Each implements [scan.Source].
func (s *Staged) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	r := s.Repo
	var cover scan.Coverage
	idx, err := r.readIndex()
	if err != nil {
		return cover, err
	}
	var root id
	if head, ok := r.ref("HEAD"); ok {
		c, err := r.commit(head)
		if err != nil {
			return cover, err
		}
		root = c.tree
	}
	old := headFiles{r: r, root: root, same: idx.trees, dirs: map[string]map[string]node{}, clean: map[string]bool{"": root != id{} && idx.trees[""] == root}}
	n := 0
	var moved []byte // what is staged to be taken away, once a new file asks for it
	for _, e := range idx.entries {
		if ctx.Err() != nil {
			return cover, ctx.Err()
		}
		if e.mode&0o170000 == modeSubmodule {
			continue
		}
		if same, err := old.unchanged(directory(e.path)); err != nil {
			return cover, err
		} else if same {
			continue
		}
		was, there, err := old.get(e.path)
		if err != nil {
			return cover, err
		}
		if there && was.id == e.id {
			continue
		}
		n++
		kind, data, err := r.object(e.id)
		if err != nil || kind != kindBlob {
			cover.Skip(reason(err), e.path)
			continue
		}
		var before []byte
		if there {
			if _, before, err = r.object(was.id); err != nil {
				before = nil // then all of the file counts as new
			}
		}
		if !there && moved == nil {
			moved = old.gone(idx)
		}
		visitText(visit, e.path, data, before, moved, scan.Place{Path: e.path})
	}
	if n == 0 {
		cover.Notes = append(cover.Notes, "nothing is staged, so nothing was scanned")
	}
	return cover, nil
}

// Locate implements [scan.Source]; its chunks carry their places.
func (s *Staged) Locate(context.Context, []string) (map[string][]scan.Place, error) {
	return nil, nil
}

// mostMoved bounds what of the files that a change takes away is compared with the new ones.
const mostMoved = 64 << 20

// gone is the content of files that stand in one of the others and not in tree, with a zero byte behind each: never nil.
func (r *Repo) gone(ctx context.Context, tree id, others []id) []byte {
	out := []byte{}
	for _, o := range others {
		// What cannot be read here counts as new there.
		_ = r.diff(ctx, o, []id{tree}, "", func(_ string, was id, now []id) {
			if len(now) > 0 || len(out) > mostMoved {
				return
			}
			if kind, data, err := r.object(was); err == nil && kind == kindBlob {
				out = append(append(out, data...), 0)
			}
		})
	}
	return out
}

func visitText(visit scan.Visit, id string, data, before, moved []byte, place scan.Place) {
	text, ok := scan.Text(data)
	if !ok || len(text) == 0 {
		return
	}
	if before != nil {
		if t, ok := scan.Text(before); ok {
			before = t
		}
	}
	visit(scan.Chunk{ID: id, Data: text, Old: before, Moved: moved, Place: &place})
}

// headFiles looks paths up in the tree of HEAD, and reads only the directories that the index does not know to be the
// same.
type headFiles struct {
	r     *Repo
	root  id
	same  map[string]id // by directory: the tree that the index would write
	dirs  map[string]map[string]node
	clean map[string]bool // by directory: what unchanged answered
}

// directory returns the directory of a path, "" for the root.
func directory(path string) string {
	return path[:max(0, strings.LastIndexByte(path, '/'))]
}

// unchanged reports that the index would write the same tree for dir as HEAD has, or for a directory above it.
func (h *headFiles) unchanged(dir string) (bool, error) {
	if c, ok := h.clean[dir]; ok {
		return c, nil
	}
	up := directory(dir)
	same, err := h.unchanged(up)
	if err == nil && !same {
		var above map[string]node
		above, err = h.dir(up)
		x, ok := h.same[dir]
		same = ok && x != id{} && above[strings.TrimPrefix(dir[len(up):], "/")].id == x
	}
	h.clean[dir] = same
	return same, err
}

// get returns the entry at path in HEAD.
func (h *headFiles) get(path string) (node, bool, error) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	entries, err := h.dir(dir)
	if err != nil || entries == nil {
		return node{}, false, err
	}
	n, ok := entries[name]
	return n, ok, nil
}

func (h *headFiles) dir(dir string) (map[string]node, error) {
	if d, ok := h.dirs[dir]; ok {
		return d, nil
	}
	x := h.root
	if dir != "" {
		up, name := "", dir
		if i := strings.LastIndexByte(dir, '/'); i >= 0 {
			up, name = dir[:i], dir[i+1:]
		}
		above, err := h.dir(up)
		if err != nil {
			return nil, err
		}
		x = above[name].id
	}
	var d map[string]node
	if x != (id{}) {
		var err error
		if d, err = h.r.tree(x); err != nil {
			return nil, err
		}
	}
	h.dirs[dir] = d
	return d, nil
}

// gone is the content of files of HEAD that the index has no more, with a zero byte behind each: never nil.
func (h *headFiles) gone(idx *index) []byte {
	kept := make(map[string]bool, len(idx.entries))
	for _, e := range idx.entries {
		kept[e.path] = true
	}
	out := []byte{}
	var below func(dir string)
	below = func(dir string) {
		if same, err := h.unchanged(dir); err != nil || same {
			return
		}
		entries, err := h.dir(dir)
		if err != nil {
			return // what cannot be read here counts as new there
		}
		for name, n := range entries {
			path := strings.TrimPrefix(dir+"/"+name, "/")
			switch {
			case n.mode == modeTree:
				below(path)
			case n.mode == modeSubmodule || kept[path] || len(out) > mostMoved:
			default:
				if kind, data, err := h.r.object(n.id); err == nil && kind == kindBlob {
					out = append(append(out, data...), 0)
				}
			}
		}
	}
	below("")
	return out
}

// Range is what commits add: all that Include reaches and Exclude does not, as in "git log include ^exclude".
type Range struct {
	Repo             *Repo
	Include, Exclude []string
	Whole            bool // Exclude should be here: it is said when it is not
}

var _ scan.Source = (*Range)(nil)

// ParseRange reads "a..b", "a...b" (as a..b), "a" and several of them, "^a" for what to leave out.
func ParseRange(repo *Repo, args []string) *Range {
	g := &Range{Repo: repo, Whole: true}
	for _, a := range args {
		if from, to, ok := strings.Cut(a, ".."); ok {
			to = strings.TrimPrefix(to, ".")
			if to == "" {
				to = "HEAD"
			}
			if from == "" {
				from = "HEAD"
			}
			g.Include, g.Exclude = append(g.Include, to), append(g.Exclude, from)
		} else if rest, ok := strings.CutPrefix(a, "^"); ok {
			g.Exclude = append(g.Exclude, rest)
		} else {
			g.Include = append(g.Include, a)
		}
	}
	return g
}

// Each implements [scan.Source].
func (g *Range) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	var cover scan.Coverage
	out := map[id]bool{}
	if err := g.reach(ctx, g.Exclude, out, &cover, nil); err != nil {
		return cover, err
	}
	old := maps.Clone(out)
	err := g.reach(ctx, g.Include, out, &cover, func(c commit) error {
		cover.Commits++
		for _, p := range c.parents {
			if _, err := g.Repo.commit(p); errors.Is(err, errMissing) && !old[p] {
				cover.Skip(beforeShallow, g.Repo.hex(c.id))
			}
		}
		if err := g.Repo.adds(ctx, c, &cover, nil, visit); err != nil {
			return err
		}
		p := c.place(g.Repo, "")
		visit(scan.Chunk{ID: messagePrefix + p.Commit, Data: []byte(c.message), Place: &p})
		return nil
	})
	if err == nil && cover.Commits == 0 {
		cover.Notes = append(cover.Notes, "the range holds no commits, so nothing was scanned")
	}
	return cover, err
}

// Locate implements [scan.Source]; its chunks carry their places.
func (g *Range) Locate(context.Context, []string) (map[string][]scan.Place, error) {
	return nil, nil
}

// reach visits the commits that the revisions reach and that are not in seen yet.
func (g *Range) reach(ctx context.Context, revs []string, seen map[id]bool, cover *scan.Coverage, f func(commit) error) error {
	var queue []id
	for _, rev := range revs {
		x, err := g.Repo.resolve(rev)
		if err != nil {
			return err
		}
		if _, err := g.Repo.commit(x); errors.Is(err, errMissing) {
			if f != nil {
				return fmt.Errorf("%s %w in %s", rev, ErrRevision, g.Repo.common)
			}
			// What is left out need not be here: a remote's id after a force-push.
			if g.Whole {
				cover.Notes = append(cover.Notes, fmt.Sprintf("%s is not in this clone: all that the range reaches counts as new", rev))
			}
		}
		queue = append(queue, x)
	}
	for len(queue) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		x := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[x] {
			continue
		}
		seen[x] = true
		c, err := g.Repo.commit(x)
		if errors.Is(err, errMissing) {
			continue // its child says so
		}
		if err != nil {
			return err
		}
		if f != nil {
			if err := f(c); err != nil {
				return err
			}
		}
		queue = append(queue, c.parents...)
	}
	return nil
}

// beforeShallow is why what a shallow clone lacks was not looked at.
const beforeShallow = "history before a shallow boundary"

// adds visits the files of c that differ from those of all its parents, and that are wanted; nil wants all.
func (r *Repo) adds(ctx context.Context, c commit, cover *scan.Coverage, wanted func(path string) bool, visit scan.Visit) error {
	var parents []id
	for _, p := range c.parents {
		pc, err := r.commit(p)
		if errors.Is(err, errMissing) {
			continue // then more counts as new
		}
		if err != nil {
			return err
		}
		parents = append(parents, pc.tree)
	}
	var moved []byte // what the commit takes away, once a new file asks for it
	err := r.diff(ctx, c.tree, parents, "", func(path string, now id, before []id) {
		if wanted != nil && !wanted(path) {
			return
		}
		kind, data, err := r.object(now)
		if err != nil || kind != kindBlob {
			cover.Skip(reason(err), path)
			return
		}
		var old []byte
		for _, b := range before {
			if _, data, err := r.object(b); err == nil {
				old = append(append(old, data...), 0)
			}
		}
		if len(before) == 0 && moved == nil {
			moved = r.gone(ctx, c.tree, parents)
		}
		place := c.place(r, path)
		visitText(visit, place.Commit+":"+path, data, old, moved, place)
	})
	if errors.Is(err, errMissing) { // a partial clone without trees
		cover.Skip(reason(err), r.hex(c.id))
		return nil
	}
	return err
}

func (r *Repo) diff(ctx context.Context, tree id, others []id, prefix string, f func(path string, now id, before []id)) error {
	for _, o := range others {
		if o == tree {
			return nil
		}
	}
	now, err := r.tree(tree)
	if err != nil {
		return err
	}
	var was []map[string]node
	for _, o := range others {
		t, err := r.tree(o)
		if err != nil {
			return err
		}
		was = append(was, t)
	}
	for name, n := range now {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var before []id
		same := false
		for _, t := range was {
			o, ok := t[name]
			same = same || ok && o.id == n.id
			if ok && (o.mode == modeTree) == (n.mode == modeTree) && o.mode != modeSubmodule {
				before = append(before, o.id)
			}
		}
		switch {
		case same || n.mode == modeSubmodule:
		case n.mode == modeTree:
			if err := r.diff(ctx, n.id, before, prefix+name+"/", f); err != nil {
				return err
			}
		default:
			f(prefix+name, n.id, before)
		}
	}
	return nil
}
