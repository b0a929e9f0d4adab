package git

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/keephold/keephold/internal/scan"
)

// named visits the paths that are wanted for their names, each once with the oldest commit that has it. A tree is read
// once for each place that it stands at.
func (h *History) named(ctx context.Context, visit scan.Visit) {
	type spot struct {
		tree   id
		prefix string
	}
	slices.SortFunc(h.commits, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.date, b.date), bytes.Compare(a.id[:], b.id[:]))
	})
	read, told := map[spot]bool{}, map[string]bool{}
	var below func(x id, prefix string, at step)
	below = func(x id, prefix string, at step) {
		if read[spot{x, prefix}] || ctx.Err() != nil {
			return
		}
		read[spot{x, prefix}] = true
		kind, data, err := h.Repo.object(x)
		if err != nil || kind != kindTree {
			return // the walk counted it
		}
		_ = h.Repo.eachEntry(data, func(mode uint32, name, y []byte) {
			path := prefix + string(name)
			switch {
			case mode == modeTree:
				below(makeID(y), path+"/", at)
			case mode == modeSubmodule || told[path] || !h.Wanted(path):
			default:
				told[path] = true
				if c, err := h.Repo.commit(at.id); err == nil {
					place := c.place(h.Repo, h.Prefix+path)
					visit(scan.Chunk{ID: "name:" + path, Place: &place})
				}
			}
		})
	}
	for _, c := range h.commits {
		below(c.tree, "", c)
	}
}
