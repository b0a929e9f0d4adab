package vault

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// openAPIRoutes describes what this front answers, out of the tables that it answers by.
func openAPIRoutes() []route {
	return []route{{read, "internal/specs/openapi", "vault.sys.internal.openapi", openAPI}}
}

type apiCall struct {
	Operation string                       `json:"operationId"`
	Tags      []string                     `json:"tags"`
	Sudo      bool                         `json:"x-vault-sudo,omitempty"`
	Open      bool                         `json:"x-vault-unauthenticated,omitempty"`
	Params    []map[string]any             `json:"parameters,omitempty"`
	Responses map[string]map[string]string `json:"responses"`
}

func openAPI(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.internal.openapi"); err != nil {
		return answer{}, err
	}
	paths := map[string]map[string]any{}
	describe(paths, "/sys/", "system", rq.front.sys)
	describe(paths, "/identity/", "identity", identityRoutes())
	for kind, rows := range rq.front.mount {
		describe(paths, "/auth/{"+kind+"_mount_path}/", "auth", rows)
	}
	for prefix, rows := range keptRoutes() {
		describe(paths, prefix, "secrets", rows)
	}
	return sayRaw(http.StatusOK, map[string]any{
		"openapi": "3.0.2",
		"info":    map[string]string{"title": "Keephold, Vault dialect", "version": rq.front.cfg.Version},
		"paths":   paths,
	})
}

// keptRoutes are what a Space and the cubbyhole answer. They find their way without a table (routeKV1, routeKV2,
// cubbyhole), because they are what is asked all day; a test holds both against each other.
func keptRoutes() map[string][]route {
	return map[string][]route{
		"/{kv_v1_mount_path}/": {
			{read, "{path...}", "vault.kv1.read", nil},
			{write, "{path...}", "vault.kv1.update", nil},
			{remove, "{path...}", "vault.kv1.delete", nil},
			{list, "{path...}", "vault.kv1.list", nil},
			{scan, "{path...}", "vault.kv1.scan", nil},
		},
		"/{kv_v2_mount_path}/": {
			{read, "config", "vault.kv2.config.read", nil},
			{write, "config", "vault.kv2.config.update", nil},
			{read, "data/{path...}", "vault.kv2.read", nil},
			{write, "data/{path...}", "vault.kv2.update", nil},
			{patch, "data/{path...}", "vault.kv2.patch", nil},
			{remove, "data/{path...}", "vault.kv2.delete", nil},
			{write, "delete/{path...}", "vault.kv2.delete-versions", nil},
			{write, "undelete/{path...}", "vault.kv2.undelete", nil},
			{write | patch, "destroy/{path...}", "vault.kv2.destroy", nil},
			{read, "subkeys/{path...}", "vault.kv2.subkeys", nil},
			{read, "metadata/{path...}", "vault.kv2.metadata.read", nil},
			{write, "metadata/{path...}", "vault.kv2.metadata.update", nil},
			{patch, "metadata/{path...}", "vault.kv2.metadata.patch", nil},
			{remove, "metadata/{path...}", "vault.kv2.metadata.delete", nil},
			{list, "metadata/{path...}", "vault.kv2.list", nil},
			{scan, "metadata/{path...}", "vault.kv2.scan", nil},
		},
		"/cubbyhole/": {
			{read, "{path...}", "vault.cubbyhole.read", nil},
			{write, "{path...}", "vault.cubbyhole.update", nil},
			{remove, "{path...}", "vault.cubbyhole.delete", nil},
			{list, "{path...}", "vault.cubbyhole.list", nil},
		},
	}
}

// operations is the extension of a path's description that tells LIST and SCAN from GET.
const operations = "x-keephold-operations"

// describe adds the rows of one table. OpenAPI has no word for LIST and SCAN; the vendor writes LIST as a GET too.
func describe(paths map[string]map[string]any, prefix, tag string, rows []route) {
	verbs := map[op]string{read: "get", write: "post", remove: "delete", patch: "patch", list: "get"}
	own := map[op]string{read: "GET", write: "POST", remove: "DELETE", patch: "PATCH", list: "LIST", scan: "SCAN"}
	for _, r := range rows {
		path := prefix + strings.ReplaceAll(r.pattern, "...}", "}")
		call := apiCall{
			Operation: strings.ReplaceAll(strings.TrimPrefix(string(r.policy), "vault."), ".", "-"), Tags: []string{tag}, Open: r.policy.Open(), Sudo: need(r.policy, "").Sudo,
			Responses: map[string]map[string]string{"200": {"description": "OK"}},
		}
		for part := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				call.Params = append(call.Params, map[string]any{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": map[string]string{"type": "string"}})
			}
		}
		if paths[path] == nil {
			paths[path] = map[string]any{operations: []string(nil)}
		}
		for _, o := range slices.Sorted(maps.Keys(own)) {
			if r.ops&o == 0 {
				continue
			}
			paths[path][operations] = append(paths[path][operations].([]string), own[o])
			if verb := verbs[o]; verb != "" && paths[path][verb] == nil {
				paths[path][verb] = call
			}
		}
	}
}
