package report

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
)

// Remote is where people look at a repository: findings in gitleaks' formats link to it. The zero Remote links nowhere.
type Remote struct{ platform, url string }

// Platforms lists the names of the hosts that links are known for.
func Platforms() []string { return []string{"github", "gitlab", "azuredevops", "gitea", "bitbucket"} }

// sshRemote is the short form of an address over SSH.
var sshRemote = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^git@([a-zA-Z0-9.-]+):(?:\d{1,5}/)?([\w/.-]+?)(?:\.git)?$`)
})

// ParseRemote reads the address of a remote; without a platform the host tells which it is.
func ParseRemote(platform, address string) Remote {
	if m := sshRemote().FindStringSubmatch(address); m != nil {
		address = "https://" + m[1] + "/" + m[2]
	}
	u, err := url.Parse(strings.TrimSuffix(address, ".git"))
	if err != nil || address == "" {
		return Remote{}
	}
	u.User = nil
	if platform == "" {
		switch strings.ToLower(u.Hostname()) {
		case "github.com":
			platform = "github"
		case "gitlab.com":
			platform = "gitlab"
		case "dev.azure.com", "visualstudio.com":
			platform = "azuredevops"
		case "gitea.com", "code.forgejo.org", "codeberg.org":
			platform = "gitea"
		case "bitbucket.org":
			platform = "bitbucket"
		default:
			return Remote{}
		}
	}
	return Remote{platform, u.String()}
}

// of links to the lines of a finding. What its peer writes is written.
func (r Remote) of(p peerFinding) string {
	if r.platform == "" || p.Commit == "" {
		return ""
	}
	file, _, inner := strings.Cut(p.File, "!")
	file = strings.NewReplacer(" ", "%20", "%", "%25").Replace(file)
	lines := func(first, last string) string {
		if inner {
			return ""
		}
		out := ""
		if p.StartLine != 0 {
			out += fmt.Sprintf(first, p.StartLine)
		}
		if p.EndLine != p.StartLine {
			out += fmt.Sprintf(last, p.EndLine)
		}
		return out
	}
	plain := func(word string) string {
		if ext := strings.ToLower(path.Ext(file)); !inner && (ext == ".ipynb" || ext == ".md") {
			return word
		}
		return ""
	}
	switch r.platform {
	case "github":
		return r.url + "/blob/" + p.Commit + "/" + file + plain("?plain=1") + lines("#L%d", "-L%d")
	case "gitlab":
		return r.url + "/blob/" + p.Commit + "/" + file + lines("#L%d", "-%d")
	case "azuredevops":
		link := r.url + "/commit/" + p.Commit + "?path=/" + file + lines("&line=%d", "&lineEnd=%d")
		if !inner {
			link += "&lineStartColumn=1&lineEndColumn=10000000&type=2&lineStyle=plain&_a=files"
		}
		return link
	case "gitea":
		return r.url + "/src/commit/" + p.Commit + "/" + file + plain("?display=source") + lines("#L%d", "-L%d")
	case "bitbucket":
		return r.url + "/src/" + p.Commit + "/" + file + lines("#lines-%d", ":%d")
	}
	return ""
}
