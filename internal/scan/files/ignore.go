package files

import (
	"os"
	"path"
	"strings"
)

// ignore is the chain of .gitignore files from a directory up to the root (gitignore(5)).
type ignore struct {
	up    *ignore
	base  string // the directory of this file, below the root
	rules []ignoreRule
}

type ignoreRule struct {
	parts   []string // of the pattern, between slashes
	negate  bool
	dirOnly bool
	rooted  bool
}

// read adds a file to the chain; without one the chain stays as it is.
func (g *ignore) read(name, base string) *ignore {
	b, err := os.ReadFile(name)
	if err != nil {
		return g
	}
	next := &ignore{up: g, base: base}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasSuffix(line, `\ `) {
			line = strings.TrimRight(line, " \t")
		}
		if line == "" || line[0] == '#' {
			continue
		}
		var r ignoreRule
		if line[0] == '!' {
			r.negate, line = true, line[1:]
		}
		line = strings.TrimPrefix(line, `\`)
		if strings.HasSuffix(line, "/") {
			r.dirOnly, line = true, strings.TrimSuffix(line, "/")
		}
		r.rooted = strings.Contains(line, "/")
		r.parts = strings.Split(strings.TrimPrefix(line, "/"), "/")
		next.rules = append(next.rules, r)
	}
	return next
}

// match reports whether the nearest rule that fits a path below the root leaves it out.
func (g *ignore) match(rel string, dir bool) bool {
	for ; g != nil; g = g.up {
		below := rel
		if g.base != "" {
			below = strings.TrimPrefix(rel, g.base+"/")
		}
		for i := len(g.rules) - 1; i >= 0; i-- {
			r := g.rules[i]
			if r.dirOnly && !dir {
				continue
			}
			names := strings.Split(below, "/")
			if !r.rooted {
				names = names[len(names)-1:]
			}
			if fits(r.parts, names) {
				return !r.negate
			}
		}
	}
	return false
}

func fits(pattern, names []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(names) > 0
			}
			for i := range len(names) + 1 {
				if fits(pattern[1:], names[i:]) {
					return true
				}
			}
			return false
		}
		if len(names) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], names[0]); err != nil || !ok {
			return false
		}
		pattern, names = pattern[1:], names[1:]
	}
	return len(names) == 0
}
