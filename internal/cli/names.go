package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Completion has no time to open a keep, and no business there. What other commands see of names they write down, one
// file for each Space, for this user alone; values and everything else about a setting are never in it.

// namesSeen collects the names that one command line saw. The methods of a nil one do nothing.
type namesSeen struct {
	dir    string
	spaces map[string]*namesOf
}

// namesOf is what was seen of one Space.
type namesOf struct {
	all   bool // these are all there are
	names []string
}

// namesDir is where names are kept (XDG Base Directory Specification).
func (env Env) namesDir() string {
	dir := env.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(dir) {
		home := env.Getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(dir, "keephold", "names")
}

// see is the one place of a command line where names are collected.
func (env Env) see(o *options) *namesSeen {
	if o.names == nil {
		o.names = &namesSeen{dir: env.namesDir(), spaces: map[string]*namesOf{}}
	}
	return o.names
}

func (n *namesSeen) sawAll(addr, space string, names []string) {
	if n != nil {
		n.spaces[namesFile(addr, space)] = &namesOf{all: true, names: names}
	}
}

func (n *namesSeen) sawOne(addr, space, name string) {
	if n == nil {
		return
	}
	key := namesFile(addr, space)
	if n.spaces[key] == nil {
		n.spaces[key] = new(namesOf)
	}
	n.spaces[key].names = append(n.spaces[key].names, name)
}

// namesFile names a Space's file, whatever characters the Space has.
func namesFile(addr, space string) string {
	sum := sha256.Sum256([]byte(strings.TrimRight(addr, "/") + "\n" + space))
	return hex.EncodeToString(sum[:16])
}

// flush writes what was seen. It must not fail a command: the worst is a completion that lacks a name.
func (n *namesSeen) flush() {
	if n == nil || n.dir == "" {
		return
	}
	for file, seen := range n.spaces {
		path := filepath.Join(n.dir, file)
		old := readNames(path)
		names := slices.DeleteFunc(slices.Clone(seen.names), func(s string) bool { return strings.ContainsAny(s, "\n\r\x00") })
		if !seen.all {
			names = append(names, old...)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		if !slices.Equal(names, old) {
			_ = writeNames(path, names)
		}
	}
	n.spaces = map[string]*namesOf{}
}

func readNames(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// writeNames replaces a file whole: a shell may be reading it.
func writeNames(path string, names []string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-") // with mode 0600
	if err != nil {
		return err
	}
	for _, name := range names {
		if err == nil {
			_, err = f.WriteString(name + "\n")
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// settingNames is every name that is known of an environment without asking a keep: those of keephold.toml, and those
// that other commands saw in its Spaces.
func (env Env) settingNames(p *project, envName string) []string {
	var out []string
	for i := range p.Settings {
		out = append(out, p.Settings[i].Name)
	}
	if e, err := p.environment(envName); err == nil {
		addr := p.Store
		if storeName(p) == "local" {
			addr = localAddr
		}
		for _, link := range e.chain {
			out = append(out, readNames(filepath.Join(env.namesDir(), namesFile(addr, link.Space)))...)
		}
		out = append(out, readNames(filepath.Join(env.namesDir(), namesFile(localAddr, p.personalSpace(e.name))))...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
