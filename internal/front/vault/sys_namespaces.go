package vault

import (
	"encoding/json"
	"strings"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// namespaceRoutes administer the children of the namespace that the request names,
// https://openbao.org/api-docs/system/namespaces/
func namespaceRoutes() []route {
	return []route{
		{list | scan, "namespaces", "vault.sys.namespaces.list", listNamespaces},
		{read, "namespaces/{name...}", "vault.sys.namespaces.read", readNamespace},
		{write, "namespaces/{name...}", "vault.sys.namespaces.create", makeNamespace},
		{patch, "namespaces/{name...}", "vault.sys.namespaces.patch", patchNamespace},
		{remove, "namespaces/{name...}", "vault.sys.namespaces.delete", dropNamespace},
	}
}

type namespaceInfo struct {
	ID     string            `json:"id"`
	UUID   string            `json:"uuid"`
	Path   string            `json:"path"`
	Locked bool              `json:"locked"`
	Taint  bool              `json:"tainted"`
	Custom map[string]string `json:"custom_metadata"`
}

func (rq *request) namespaceInfo(n *registry.Namespace) namespaceInfo {
	_, name, _ := strings.Cut("/"+n.Path, "/")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	custom := n.Custom
	if custom == nil {
		custom = map[string]string{}
	}
	return namespaceInfo{ID: string(n.ID), UUID: string(n.ID), Path: name + "/", Locked: n.Locked, Custom: custom}
}

func listNamespaces(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.namespaces.list"); err != nil {
		return answer{}, err
	}
	names, info := []string{}, map[string]namespaceInfo{}
	for _, n := range rq.front.desk.Table().Namespaces(rq.ns) {
		i := rq.namespaceInfo(n)
		names = append(names, i.Path)
		info[i.Path] = i
	}
	if len(names) == 0 {
		return answer{}, errEmptyList
	}
	return say(map[string]any{"keys": names, "key_info": info})
}

func (rq *request) child() (*registry.Namespace, bool) {
	for _, n := range rq.front.desk.Table().Namespaces(rq.ns) {
		if rq.namespaceInfo(n).Path == rq.args["name"]+"/" {
			return n, true
		}
	}
	return nil, false
}

func readNamespace(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.namespaces.read"); err != nil {
		return answer{}, err
	}
	n, ok := rq.child()
	if !ok {
		return answer{}, secret.ErrNotFound
	}
	return say(rq.namespaceInfo(n))
}

func makeNamespace(rq *request) (answer, error) {
	custom, err := rq.fields.pairs("custom_metadata")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	path := ""
	if table := rq.front.desk.Table(); table != nil {
		if n, ok := table.Namespace(rq.ns); ok {
			path = n.Path
		}
	}
	n, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.MakeNamespace{Name: rq.args["name"], ParentPath: path, Custom: custom})
	if err != nil {
		return answer{}, err
	}
	return say(rq.namespaceInfo(n))
}

func patchNamespace(rq *request) (answer, error) {
	var change map[string]*string
	if raw, ok := rq.fields.raw["custom_metadata"]; ok {
		if err := json.Unmarshal(raw, &change); err != nil {
			return answer{}, rq.refused(bad("custom_metadata must be an object of strings"))
		}
	}
	n, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.PatchNamespace{Name: rq.args["name"], Change: func(old map[string]string) map[string]string {
		merged := map[string]string{}
		for k, v := range old {
			merged[k] = v
		}
		for k, v := range change {
			if v == nil {
				delete(merged, k)
			} else {
				merged[k] = *v
			}
		}
		return merged
	}})
	if err != nil {
		return answer{}, err
	}
	return say(rq.namespaceInfo(n))
}

func dropNamespace(rq *request) (answer, error) {
	return emptyIfMissing(rq.front.desk.DropNamespace(rq.ctx, rq.caller, rq.args["name"]))
}
