package git

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/scan"
)

const (
	modeTree      = 0o040000
	modeSubmodule = 0o160000
	modeLink      = 0o120000
)

// eachEntry reads a tree: "mode name\0id".
func (r *Repo) eachEntry(data []byte, f func(mode uint32, name, x []byte)) error {
	for len(data) > 0 {
		mode := uint32(0)
		i := 0
		for i < len(data) && data[i] != ' ' {
			mode = mode<<3 | uint32(data[i]-'0')&7
			i++
		}
		if i == len(data) {
			return errCorrupt
		}
		end := bytes.IndexByte(data[i:], 0)
		if end < 0 || i+end+1+r.size > len(data) {
			return errCorrupt
		}
		end += i
		f(mode, data[i+1:end], data[end+1:end+1+r.size])
		data = data[end+1+r.size:]
	}
	return nil
}

// commit is what the search for places needs of one.
type commit struct {
	id      id
	tree    id
	parents []id
	author  string // "Name <mail>"
	date    time.Time
	message string
}

func (r *Repo) parseCommit(x, data []byte) (commit, bool) {
	c := commit{id: makeID(x)}
	head, message, _ := bytes.Cut(data, []byte("\n\n"))
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		key, value, _ := strings.Cut(string(line), " ")
		switch key {
		case "tree":
			c.tree, _ = r.parseID(value)
		case "parent":
			if p, ok := r.parseID(value); ok {
				c.parents = append(c.parents, p)
			}
		case "author":
			c.author, c.date = parsePerson(value)
		}
	}
	const most = 500 // a report shows the beginning
	c.message = string(bytes.TrimSpace(message[:min(len(message), most)]))
	return c, c.tree != id{}
}

// parsePerson splits "Name <mail> seconds zone".
func parsePerson(s string) (string, time.Time) {
	i := strings.LastIndexByte(s, '>')
	if i < 0 {
		return s, time.Time{}
	}
	seconds, _, _ := strings.Cut(strings.TrimSpace(s[i+1:]), " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return s[:i+1], time.Time{}
	}
	return s[:i+1], time.Unix(n, 0).UTC()
}

func (c commit) place(r *Repo, path string) scan.Place {
	name, mail, _ := strings.Cut(c.author, " <")
	return scan.Place{Path: path, Commit: r.hex(c.id), Author: name, Email: strings.TrimSuffix(mail, ">"), Date: c.date, Message: c.message}
}

// edge says that a tree holds something of interest under a name: another tree, or a wanted blob.
type edge struct {
	parent id
	child  id
	name   string
	tree   bool
}

// Locate implements [scan.Source]: it reads all trees once for the names of the wanted blobs, keeps only the trees from
// which one can be reached, and compares each commit with its parents along those.
func (h *History) Locate(ctx context.Context, ids []string) (map[string][]scan.Place, error) {
	r := h.Repo
	out := map[string][]scan.Place{}
	wanted := map[id]string{}
	messages := map[id]string{}
	for _, s := range ids {
		if rest, ok := strings.CutPrefix(s, messagePrefix); ok {
			if x, ok := r.parseID(rest); ok {
				messages[x] = s
			}
		} else if x, ok := r.parseID(s); ok {
			wanted[x] = s
		}
	}
	slices.SortFunc(h.commits, func(a, b commit) int {
		return cmp.Or(a.date.Compare(b.date), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, c := range h.commits {
		if s, ok := messages[c.id]; ok {
			out[s] = []scan.Place{c.place(r, "")}
		}
	}
	for x, s := range messages {
		if out[s] == nil {
			out[s] = []scan.Place{{Path: "", Commit: r.hex(x)}}
		}
	}
	if len(wanted) > 0 {
		g := h.graph(ctx, wanted)
		trees := map[id]id{}
		for _, c := range h.commits {
			trees[c.id] = c.tree
		}
		for _, c := range h.commits {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			if _, ok := g[c.tree]; !ok {
				continue
			}
			var parents []id
			for _, p := range c.parents {
				if t, ok := trees[p]; ok {
					parents = append(parents, t)
				}
			}
			g.diff(c.tree, parents, "", func(path string, blob id) {
				s := wanted[blob]
				out[s] = append(out[s], c.place(r, path))
			})
		}
	}
	for x, s := range wanted {
		if out[s] == nil {
			out[s] = []scan.Place{{Path: h.looseName(x), Object: r.hex(x)}}
		}
	}
	return out, nil
}

// looseName names a blob that no commit holds.
func (h *History) looseName(x id) string { return "blob " + hex.EncodeToString(x[:h.Repo.size]) }

// graph maps each tree from which a wanted blob can be reached to its edges of interest, sorted by name.
type graph map[id][]edge

func (h *History) graph(ctx context.Context, wanted map[id]string) graph {
	var mu sync.Mutex
	var all []edge
	var filter [1 << 16]bool // by the first two bytes of a wanted id: most names are passed over without a look-up
	for x := range wanted {
		filter[int(x[0])<<8|int(x[1])] = true
	}
	read := func(x, data []byte) {
		var mine []edge
		parent := makeID(x)
		_ = h.Repo.eachEntry(data, func(mode uint32, name, x []byte) {
			switch {
			case mode == modeTree:
				mine = append(mine, edge{parent, makeID(x), string(name), true})
			case filter[int(x[0])<<8|int(x[1])]:
				if c := makeID(x); wanted[c] != "" {
					mine = append(mine, edge{parent, c, string(name), false})
				}
			}
		})
		if len(mine) > 0 {
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		}
	}
	h.Repo.walk(ctx, h.layouts, kindTree, func(_ *walker, x, data []byte, _ []scan.Region, _ bool) bool {
		read(x, data)
		return true
	})
	for _, o := range h.loose {
		if kind, data, err := o.read(); err == nil && kind == kindTree {
			read(o.id[:h.Repo.size], data)
		}
	}
	return prune(all)
}

// prune keeps the edges that lead to a wanted blob.
func prune(all []edge) graph {
	up := map[id][]int32{} // child tree → edges to it
	g := graph{}
	var queue []id
	mark := func(e edge) {
		if _, ok := g[e.parent]; !ok {
			queue = append(queue, e.parent)
		}
		g[e.parent] = append(g[e.parent], e)
	}
	for i, e := range all {
		if e.tree {
			up[e.child] = append(up[e.child], int32(i))
		} else {
			mark(e)
		}
	}
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range up[t] {
			mark(all[i])
		}
	}
	for t, edges := range g {
		slices.SortFunc(edges, func(a, b edge) int { return strings.Compare(a.name, b.name) })
		// A tree stored twice (loose and packed) was read twice.
		g[t] = slices.CompactFunc(edges, func(a, b edge) bool { return a.name == b.name && a.child == b.child })
	}
	return g
}

func (g graph) entry(tree id, name string) (edge, bool) {
	edges := g[tree]
	i, ok := slices.BinarySearchFunc(edges, name, func(e edge, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return edge{}, false
	}
	return edges[i], true
}

// diff calls f for each wanted blob below tree that stands at the same path in none of the other trees.
func (g graph) diff(tree id, others []id, prefix string, f func(path string, blob id)) {
	for _, o := range others {
		if o == tree {
			return
		}
	}
	for _, e := range g[tree] {
		same := false
		var below []id
		for _, o := range others {
			if x, ok := g.entry(o, e.name); ok {
				if x.child == e.child {
					same = true
					break
				}
				if x.tree {
					below = append(below, x.child)
				}
			}
		}
		switch {
		case same:
		case e.tree:
			g.diff(e.child, below, prefix+e.name+"/", f)
		default:
			f(prefix+e.name, e.child)
		}
	}
}
