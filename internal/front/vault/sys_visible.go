package vault

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// visibleRoutes answer what a client may know before it knows where to go.
func visibleRoutes() []route {
	return []route{
		{read, "internal/ui/mounts", "vault.sys.internal.mounts", visibleMounts},
		{read, "internal/ui/mounts/{path...}", "vault.sys.internal.mount", mountOf},
		{read, "internal/ui/resultant-acl", "vault.sys.internal.acl", resultantACL},
		{read, "internal/ui/namespaces", "vault.sys.internal.namespaces", visibleNamespaces},
	}
}

// mountOf is the preflight of every "kv" command line: which mount a path belongs to, and of which version it is. Any
// token with some capability below the mount may ask; everybody else gets one answer, whether there is such a mount or
// not.
func mountOf(rq *request) (answer, error) {
	denied := rq.refused(&statusError{http.StatusForbidden, "preflight capability check returned 403, please ensure client's policies grant access to path " + strconv.Quote(rq.args["path"]+"/")})
	table := rq.front.desk.Table()
	if table == nil {
		return answer{}, secret.ErrSealed
	}
	if rq.caller.Refusal() != nil {
		return answer{}, denied
	}
	if below, ok := strings.CutPrefix(rq.args["path"], "auth/"); ok {
		m, _, found := table.ResolveMount(rq.ns, below)
		if !found || !rq.knowsMount(m) {
			return answer{}, denied
		}
		info := signInInfo(m)
		info.Path = "auth/" + m.Name + "/"
		return say(info)
	}
	sp, _, ok := table.ResolveSpace(rq.ns, rq.args["path"])
	if !ok || !rq.front.desk.KnowsOf(rq.caller, sp) {
		return answer{}, denied
	}
	info := spaceInfo(sp)
	info.Path = sp.Name + "/"
	return say(info)
}

func (rq *request) knowsMount(m *registry.Mount) bool {
	return rq.caller.Powers().HasAnyBelow(rq.qualified("auth/" + m.Name + "/"))
}

// qualified puts the namespace's path before a name, as policies see it.
func (rq *request) qualified(name string) string {
	if n, ok := rq.front.desk.Table().Namespace(rq.ns); ok && n.Path != "" {
		return n.Path + "/" + name
	}
	return name
}

// visibleMounts lists what the caller may know of: mounts it can reach, and those shown to everybody.
func visibleMounts(rq *request) (answer, error) {
	table := rq.front.desk.Table()
	if table == nil {
		return answer{}, secret.ErrSealed
	}
	spaces, mounts := map[string]mountInfo{}, map[string]mountInfo{}
	known := rq.caller.Refusal() == nil
	for _, sp := range table.Spaces(rq.ns) {
		switch {
		case known && rq.front.desk.KnowsOf(rq.caller, sp):
			spaces[sp.Name+"/"] = spaceInfo(sp)
		case sp.Settings.Listed:
			spaces[sp.Name+"/"] = mountInfo{Type: "kv", Description: sp.Settings.Description, Options: spaceInfo(sp).Options}
		}
	}
	for _, m := range table.Mounts(rq.ns) {
		switch {
		case known && rq.knowsMount(m):
			mounts[m.Name+"/"] = signInInfo(m)
		case m.Tuning.Listed:
			mounts[m.Name+"/"] = mountInfo{Type: m.Type, Description: m.Tuning.Description}
		}
	}
	return say(map[string]any{"secret": spaces, "auth": mounts})
}

// resultantACL is the caller's own reach, in the form that the vendor's browser pages read.
func resultantACL(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.internal.acl"); err != nil {
		return answer{}, err
	}
	set := rq.caller.Powers()
	type grant struct {
		Capabilities []string `json:"capabilities"`
	}
	exact, glob := map[string]grant{}, map[string]grant{}
	for _, text := range set.Patterns() {
		p, err := policy.ParsePattern(text)
		if err != nil {
			continue // a rendered name with wildcards in it, which this form cannot show
		}
		name := strings.TrimSuffix(text, "*")
		g := grant{set.CapabilityNames(name)}
		if p.Kind() == policy.KindLiteral {
			exact[name] = g
		} else {
			glob[name] = g
		}
	}
	return say(map[string]any{"root": set.IsRoot(), "exact_paths": exact, "glob_paths": glob, "chroot_namespace": ""})
}

// visibleNamespaces lists the children that the caller has something below.
func visibleNamespaces(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.internal.namespaces"); err != nil {
		return answer{}, err
	}
	names := []string{}
	table := rq.front.desk.Table()
	for _, n := range table.Namespaces(rq.ns) {
		if rq.caller.Powers().HasAnyBelow(n.Path + "/") {
			relative, _ := table.Relative(rq.ns, n.ID)
			names = append(names, relative)
		}
	}
	return say(map[string]any{"keys": names})
}
