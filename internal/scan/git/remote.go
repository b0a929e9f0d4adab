package git

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// RemoteURL is where git would fetch from when it is not told: the remote of the branch, the only remote, or origin. It
// is empty when there is none.
func (r *Repo) RemoteURL() string {
	urls, branches := map[string]string{}, map[string]string{}
	r.settings(func(section, key, value string) {
		if name, ok := strings.CutPrefix(section, "remote."); ok && key == "url" && urls[name] == "" {
			urls[name] = value
		}
		if name, ok := strings.CutPrefix(section, "branch."); ok && key == "remote" {
			branches[name] = value
		}
	})
	if b, err := os.ReadFile(filepath.Join(r.dir, "HEAD")); err == nil {
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "ref: refs/heads/"); ok && urls[branches[name]] != "" {
			return urls[branches[name]]
		}
	}
	if len(urls) == 1 {
		for _, u := range urls {
			return u
		}
	}
	return urls["origin"]
}

// settings reads the repository's own configuration (git-config(1)): a section is "remote.origin", a key is in lower case.
func (r *Repo) settings(f func(section, key, value string)) {
	file, err := os.Open(filepath.Join(r.common, "config"))
	if err != nil {
		return
	}
	defer file.Close()
	section := ""
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if rest, ok := strings.CutPrefix(line, "["); ok {
			head, _, _ := strings.Cut(rest, "]")
			name, sub, _ := strings.Cut(head, " ")
			section = strings.ToLower(name)
			if sub = strings.Trim(strings.TrimSpace(sub), `"`); sub != "" {
				section += "." + sub
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if ok {
			f(section, strings.ToLower(strings.TrimSpace(key)), strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
}
