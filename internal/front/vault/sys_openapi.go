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
	paths := map[string]map[string]apiCall{}
	describe(paths, "/sys/", "system", rq.front.sys)
	describe(paths, "/identity/", "identity", identityRoutes())
	for kind, rows := range rq.front.mount {
		describe(paths, "/auth/{"+kind+"_mount_path}/", "auth", rows)
	}
	return sayRaw(http.StatusOK, map[string]any{
		"openapi": "3.0.2",
		"info":    map[string]string{"title": "Keephold, Vault dialect", "version": rq.front.cfg.Version},
		"paths":   paths,
	})
}

// describe adds the rows of one table. OpenAPI has no word for LIST and SCAN; the vendor writes LIST as a GET too.
func describe(paths map[string]map[string]apiCall, prefix, tag string, rows []route) {
	verbs := map[op]string{read: "get", write: "post", remove: "delete", patch: "patch", list: "get"}
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
			paths[path] = map[string]apiCall{}
		}
		for _, o := range slices.Sorted(maps.Keys(verbs)) {
			if _, taken := paths[path][verbs[o]]; r.ops&o != 0 && !taken {
				paths[path][verbs[o]] = call
			}
		}
	}
}
