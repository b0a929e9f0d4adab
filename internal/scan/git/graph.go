package git

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// edge says that a tree holds something of interest under a name: another tree, or a wanted blob. A large repository has
// millions of them, so they are numbers.
type edge struct {
	parent, child int32 // numbers of objects
	name          int32 // in the graph's names; that of a blob is inverted
}

func (e edge) tree() bool { return e.name >= 0 }

// graph holds the edges that lead to a wanted blob, ordered by parent and name.
type graph struct {
	edges []edge
	names []string
	first []int32 // by the number of a tree: its first edge, or -1
}

// names numbers strings for one goroutine.
type names struct {
	number map[string]int32
	list   []string
}

func (n *names) of(name []byte) int32 {
	if i, ok := n.number[string(name)]; ok {
		return i
	}
	i := int32(len(n.list))
	s := string(name)
	n.number[s] = i
	n.list = append(n.list, s)
	return i
}

// gatherer collects the edges that one goroutine sees.
type gatherer struct {
	names
	edges [][]edge // in blocks: a slice that grows would be copied again and again
}

const edgeBlock = 1 << 14

func (g *gatherer) add(e edge) {
	n := len(g.edges)
	if n == 0 || len(g.edges[n-1]) == edgeBlock {
		g.edges = append(g.edges, make([]edge, 0, edgeBlock))
		n++
	}
	g.edges[n-1] = append(g.edges[n-1], e)
}

// graph reads all trees and keeps what leads to a wanted blob.
func (h *History) graph(ctx context.Context, wanted map[id]string) *graph {
	var filter [1 << 16]bool // by the first two bytes of a wanted id: most names are passed over without a look-up
	for x := range wanted {
		filter[int(x[0])<<8|int(x[1])] = true
	}
	mine := make([]gatherer, workers()+1) // the last one is for loose objects
	for i := range mine {
		mine[i].number = map[string]int32{}
	}
	read := func(g *gatherer, tree int32, data []byte) {
		_ = h.Repo.eachEntry(data, func(mode uint32, name, x []byte) {
			isTree := mode == modeTree
			if !isTree && (!filter[int(x[0])<<8|int(x[1])] || wanted[makeID(x)] == "") {
				return
			}
			child := h.numbers.find(x)
			if child < 0 {
				return
			}
			e := edge{tree, child, g.of(name)}
			if !isTree {
				e.name = ^e.name
			}
			g.add(e)
		})
	}
	h.Repo.walk(ctx, h.layouts, kindTree, func(w *walker, at object, data []byte, _ []scan.Region) []scan.Region {
		read(&mine[w.worker], at.number, data)
		return nil
	})
	for _, o := range h.loose {
		if kind, data, err := o.read(); err == nil && kind == kindTree {
			read(&mine[len(mine)-1], h.numbers.find(o.id[:h.Repo.size]), data)
		}
	}
	return newGraph(mine, h.numbers.count())
}

// newGraph joins what the goroutines saw, and prunes it.
func newGraph(from []gatherer, objects int) *graph {
	g := &graph{first: make([]int32, objects)}
	known := names{number: map[string]int32{}}
	kept := prune(from, objects)
	count := 0
	for i := range from {
		for _, block := range from[i].edges {
			for _, e := range block {
				if !e.tree() || kept[e.child] {
					count++
				}
			}
		}
	}
	g.edges = make([]edge, 0, count)
	for i := range from {
		renumber := make([]int32, len(from[i].list))
		for k, s := range from[i].list {
			renumber[k] = known.of([]byte(s))
		}
		for k, block := range from[i].edges {
			for _, e := range block {
				switch {
				case !e.tree():
					e.name = ^renumber[^e.name]
				case kept[e.child]:
					e.name = renumber[e.name]
				default:
					continue
				}
				g.edges = append(g.edges, e)
			}
			from[i].edges[k] = nil // done with
		}
	}
	g.names = known.list
	slices.SortFunc(g.edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(a.name, b.name), cmp.Compare(a.child, b.child))
	})
	g.edges = slices.Compact(g.edges) // a tree stored twice (loose and packed) was read twice
	for i := range g.first {
		g.first[i] = -1
	}
	for i := len(g.edges) - 1; i >= 0; i-- {
		g.first[g.edges[i].parent] = int32(i)
	}
	return g
}

// prune says from which trees a wanted blob can be reached, going up from each.
func prune(from []gatherer, objects int) []bool {
	each := func(f func(edge)) {
		for i := range from {
			for _, block := range from[i].edges {
				for _, e := range block {
					f(e)
				}
			}
		}
	}
	start := make([]int32, objects+2) // by child: where its parents begin in up
	each(func(e edge) {
		if e.tree() {
			start[e.child+2]++
		}
	})
	for i := range objects {
		start[i+2] += start[i+1]
	}
	up := make([]int32, start[objects+1])
	kept := make([]bool, objects)
	var queue []int32
	mark := func(tree int32) {
		if !kept[tree] {
			kept[tree] = true
			queue = append(queue, tree)
		}
	}
	each(func(e edge) {
		if e.tree() {
			up[start[e.child+1]] = e.parent
			start[e.child+1]++
		} else {
			mark(e.parent)
		}
	})
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, p := range up[start[t]:start[t+1]] {
			mark(p)
		}
	}
	return kept
}

// holds reports that a wanted blob is below the tree.
func (g *graph) holds(tree int32) bool { return g.first[tree] >= 0 }

func (g *graph) name(e edge) string { return g.names[max(e.name, ^e.name)] }

// of returns the edges of a tree.
func (g *graph) of(tree int32) []edge {
	i := g.first[tree]
	if i < 0 {
		return nil
	}
	j := i
	for int(j) < len(g.edges) && g.edges[j].parent == tree {
		j++
	}
	return g.edges[i:j]
}

// diff calls f for each wanted blob below tree that stands at the same path in none of the other trees, in the order of
// names.
func (g *graph) diff(tree int32, others []int32, prefix string, f func(path string, blob int32)) {
	if slices.Contains(others, tree) {
		return
	}
	mine := slices.Clone(g.of(tree))
	slices.SortFunc(mine, func(a, b edge) int { return strings.Compare(g.name(a), g.name(b)) })
	for _, e := range mine {
		same := false
		var below []int32
		for _, o := range others {
			theirs := g.of(o)
			i, ok := slices.BinarySearchFunc(theirs, e.name, func(x edge, name int32) int { return cmp.Compare(x.name, name) })
			if !ok {
				continue
			}
			if theirs[i].child == e.child {
				same = true
				break
			}
			if theirs[i].tree() {
				below = append(below, theirs[i].child)
			}
		}
		switch {
		case same:
		case e.tree():
			g.diff(e.child, below, prefix+g.name(e)+"/", f)
		default:
			f(prefix+g.name(e), e.child)
		}
	}
}
