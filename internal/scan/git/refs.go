package git

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrRevision is wrapped by errors about a revision that cannot be found.
var ErrRevision = errors.New("names no commit")

// Advice says how to get what was not looked at for a reason.
func Advice(why string) string {
	switch why {
	case beforeShallow:
		return "git fetch --unshallow brings it; with actions/checkout fetch-depth: 0, with GitLab GIT_DEPTH: 0"
	case lostObject:
		return "git fsck names what is lost; git fetch --refetch brings what a remote still has"
	case reason(errMissing):
		return "git fetch --refetch --no-filter brings all objects of a partial clone"
	}
	return ""
}

// ref reads a ref by its full name, through symbolic ones.
func (r *Repo) ref(name string) (id, bool) {
	for range 5 {
		b, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
		if err != nil {
			b, err = os.ReadFile(filepath.Join(r.common, filepath.FromSlash(name)))
		}
		if err != nil {
			return r.packedRef(name)
		}
		text := strings.TrimSpace(string(b))
		to, ok := strings.CutPrefix(text, "ref: ")
		if !ok {
			return r.parseID(text)
		}
		name = to
	}
	return id{}, false
}

func (r *Repo) packedRef(name string) (id, bool) {
	b, err := os.ReadFile(filepath.Join(r.common, "packed-refs"))
	if err != nil {
		return id{}, false
	}
	for line := range strings.Lines(string(b)) {
		if sha, ref, ok := strings.Cut(strings.TrimSpace(line), " "); ok && ref == name {
			return r.parseID(sha)
		}
	}
	return id{}, false
}

// Resolve finds the commit that a revision names: HEAD, a branch, tag or remote branch, an id or its beginning, each
// with ~n and ^n behind it.
func (r *Repo) Resolve(rev string) (string, error) {
	x, err := r.resolve(rev)
	return r.hex(x), err
}

func (r *Repo) resolve(rev string) (id, error) {
	name, steps := rev, ""
	if i := strings.IndexAny(rev, "~^"); i > 0 {
		name, steps = rev[:i], rev[i:]
	}
	x, ok := r.named(name)
	if !ok {
		return x, fmt.Errorf("%s %w in %s", rev, ErrRevision, r.common)
	}
	for steps != "" {
		op := steps[0]
		k := 1
		for k < len(steps) && steps[k] >= '0' && steps[k] <= '9' {
			k++
		}
		n, err := strconv.Atoi(steps[1:k])
		if err != nil {
			n = 1
		}
		steps = steps[k:]
		for range map[bool]int{true: n, false: 1}[op == '~'] {
			c, err := r.commit(x)
			if errors.Is(err, errMissing) { // before a shallow boundary
				return x, fmt.Errorf("%s %w in %s: its history is not in this clone", rev, ErrRevision, r.common)
			}
			if err != nil {
				return x, err
			}
			which := n - 1
			if op == '~' {
				which = 0
			}
			if op == '^' && n == 0 {
				break
			}
			if which < 0 || which >= len(c.parents) {
				return x, fmt.Errorf("%s %w in %s: no such parent", rev, ErrRevision, r.common)
			}
			x = c.parents[which]
		}
	}
	return x, nil
}

func (r *Repo) named(name string) (id, bool) {
	if name == "@" {
		name = "HEAD"
	}
	for _, form := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		if x, ok := r.ref(fmt.Sprintf(form, name)); ok {
			return r.peel(x), true
		}
	}
	if x, ok := r.parseID(name); ok {
		return r.peel(x), true
	}
	if len(name) >= 4 && len(name) < 2*r.size {
		return r.abbreviated(name)
	}
	return id{}, false
}

// peel follows annotated tags to what they name.
func (r *Repo) peel(x id) id {
	for range 5 {
		kind, data, err := r.object(x)
		if err != nil || kind != kindTag {
			return x
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		y, ok := r.parseID(strings.TrimPrefix(string(line), "object "))
		if !ok {
			return x
		}
		x = y
	}
	return x
}

// abbreviated finds the only object whose id begins with the digits.
func (r *Repo) abbreviated(name string) (id, bool) {
	low := strings.ToLower(name)
	if _, err := hex.DecodeString(low[:len(low)&^1]); err != nil {
		return id{}, false
	}
	var found []id
	add := func(b []byte) {
		if x := makeID(b); strings.HasPrefix(hex.EncodeToString(b), low) {
			for _, y := range found {
				if x == y {
					return
				}
			}
			found = append(found, x)
		}
	}
	for _, p := range r.packs {
		for i := range p.n {
			add(p.id(i))
		}
	}
	for _, o := range r.loose() {
		add(o.id[:r.size])
	}
	if len(found) != 1 {
		return id{}, false
	}
	return found[0], true
}

func (r *Repo) commit(x id) (commit, error) {
	kind, data, err := r.object(x)
	if err != nil {
		return commit{}, err
	}
	c, ok := r.parseCommit(x[:], data)
	if kind != kindCommit || !ok {
		return commit{}, fmt.Errorf("%s is no commit: %w", r.hex(x), errCorrupt)
	}
	return c, nil
}
