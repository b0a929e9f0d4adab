package git

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
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
	c.message = string(bytes.TrimSpace(message))
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
	slices.SortFunc(h.commits, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.date, b.date), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, s := range h.commits {
		if m, ok := messages[s.id]; ok {
			c, err := r.commit(s.id)
			if err != nil {
				return out, err
			}
			out[m] = []scan.Place{c.place(r, "")}
		}
	}
	for x, s := range messages {
		if out[s] == nil {
			out[s] = []scan.Place{{Path: "", Commit: r.hex(x)}}
		}
	}
	if len(wanted) > 0 {
		h.number()
		if err := h.places(ctx, h.graph(ctx, wanted), wanted, out); err != nil {
			return out, err
		}
	}
	for x, s := range wanted {
		if out[s] == nil {
			out[s] = []scan.Place{{Path: h.looseName(x), Object: r.hex(x)}}
		}
	}
	if h.Prefix != "" {
		for _, places := range out {
			for i := range places {
				places[i].Path = h.Prefix + places[i].Path
			}
		}
	}
	return out, nil
}

// places finds the commits that brought the wanted blobs, by comparing each with its parents.
func (h *History) places(ctx context.Context, g *graph, wanted map[id]string, out map[string][]scan.Place) error {
	r := h.Repo
	trees := make(map[id]int32, len(h.commits))
	for _, c := range h.commits {
		trees[c.id] = h.numbers.find(c.tree[:r.size])
	}
	for _, c := range h.commits {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tree := trees[c.id]
		if tree < 0 || !g.holds(tree) {
			continue
		}
		var parents []int32
		for _, p := range c.parents {
			if t, ok := trees[p]; ok && t >= 0 {
				parents = append(parents, t)
			}
		}
		now := map[string]string{} // what the commit brings, by path
		g.diff(tree, parents, "", func(path string, blob int32) {
			now[path] = wanted[makeID(h.numbers.id(blob))]
		})
		if len(now) == 0 {
			continue
		}
		full, err := r.commit(c.id)
		if err != nil {
			return err
		}
		var left []scan.Left
		for _, p := range parents {
			g.diff(p, []int32{tree}, "", func(path string, blob int32) {
				left = append(left, scan.Left{Path: h.Prefix + path, ID: wanted[makeID(h.numbers.id(blob))], Now: now[path]})
			})
		}
		for path, s := range now {
			place := full.place(r, path)
			place.Left = left
			out[s] = append(out[s], place)
		}
	}
	return nil
}

// looseName names a blob that no commit holds.
func (h *History) looseName(x id) string { return "blob " + hex.EncodeToString(x[:h.Repo.size]) }
