package vault_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The classes of the peers' advisories, by name. What a class means for this front is tested here.

func TestAdvisoryNamesNormalisedLate(t *testing.T) {
	k := newKeep(t)
	all := `{"policy":"path \"*\" { capabilities = [\"sudo\", \"read\"] }"}`
	for _, name := range []string{"root", "ROOT", " root", "root ", "\troot", "Root", "response-wrapping", "rооt", "root\u200b"} { // two of them are not ASCII
		w := k.call("POST", "sys/policies/acl/"+url.PathEscape(name), all, k.vars["ROOT"])
		if w.Code != http.StatusBadRequest {
			t.Errorf("policy %q: got %d, want 400", name, w.Code)
		}
	}
	for _, name := range []string{"root", "Root", " root", "ROOT ", "sys", "auth", "identity"} {
		w := k.call("POST", "sys/namespaces/"+url.PathEscape(name), `{}`, k.vars["ROOT"])
		if w.Code != http.StatusBadRequest {
			t.Errorf("namespace %q: got %d, want 400", name, w.Code)
		}
	}
	// A policy that may not be written is refused by its canonical name, however the request spells it.
	editor := k.tokenFor("editor", `path "sys/policies/acl/*" { capabilities = ["update"] } path "sys/policies/acl/prod" { capabilities = ["deny"] }`)
	for _, name := range []string{"prod", "PROD", "Prod", "%20prod"} {
		if w := k.call("POST", "sys/policies/acl/"+name, all, editor); w.Code != http.StatusForbidden {
			t.Errorf("policy %q: got %d, want 403", name, w.Code)
		}
	}
}

func TestAdvisoryPathTraversalAndGlobs(t *testing.T) {
	k := newKeep(t)
	k.root(204, "POST", "sys/mounts/secret", `{"type":"kv-v2"}`)
	k.root(200, "POST", "secret/data/prod/db", `{"data":{"a":"1"}}`)
	web := k.tokenFor("web", `path "secret/data/*" { capabilities = ["read", "create", "update"] } path "secret/data/prod/*" { capabilities = ["deny"] }`)
	if w := k.call("GET", "secret/data/prod/db", "", web); w.Code != http.StatusForbidden {
		t.Fatalf("deny: got %d, want 403", w.Code)
	}
	for _, path := range []string{
		"secret/data/x/../prod/db", "secret/data//prod/db", "secret//data/prod/db", "secret/data/./prod/db", "secret/data/prod/db//", "secret/data/prod%2Fdb/..",
		"secret/data/%2e%2e/data/prod/db", "secret/data/prod/db%00", "secret/data/pr%0aod/db", "/secret/data/prod/db", "secret/data/prod/db%e2%80%a8", "secret/data/%ff",
	} {
		w := k.call("GET", path, "", web)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%q: got %d %s, want 400", path, w.Code, w.Body)
		}
	}
	// A wildcard in a name is a name.
	if w := k.call("GET", "secret/data/prod/*", "", web); w.Code != http.StatusForbidden {
		t.Errorf("glob: got %d, want 403", w.Code)
	}
}

func TestAdvisoryIdsOfAnotherOwner(t *testing.T) {
	k := newKeep(t)
	k.root(200, "POST", "sys/namespaces/a", `{}`)
	k.root(200, "POST", "sys/namespaces/b", `{}`)
	admin := k.tokenFor("admin", `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`, "X-Vault-Namespace: a")
	made := k.root(200, "POST", "b/auth/token/create", `{"policies":["default"]}`)
	victim, accessor := at(made, "auth.client_token").(string), at(made, "auth.accessor").(string)
	rootAccessor := at(k.root(200, "POST", "auth/token/create", `{"policies":["root"]}`), "auth.accessor")

	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "sys/mounts", "", 403},     // the parent's
		{"GET", "b/sys/mounts", "", 403},   // the sibling's
		{"GET", "a/sys/mounts", "", 200},   // its own
		{"GET", "a/b/sys/mounts", "", 404}, // there is no such
		{"POST", "sys/namespaces/c", "{}", 403},
		{"POST", "a/sys/capabilities-accessor", `{"accessor":"` + accessor + `","path":"x"}`, 400},
		{"POST", "a/sys/capabilities-accessor", fmt.Sprintf(`{"accessor":"%v","path":"x"}`, rootAccessor), 400},
		{"POST", "a/sys/capabilities", `{"token":"` + victim + `","path":"x"}`, 400},
		{"POST", "a/sys/capabilities", `{"token":"` + k.vars["ROOT"] + `","path":"x"}`, 400},
		{"PUT", "a/sys/leases/revoke-prefix/auth/token", "{}", 204},
	} {
		if w := k.call(x.method, x.path, x.body, admin); w.Code != x.want {
			t.Errorf("%s %s: got %d %s, want %d", x.method, x.path, w.Code, w.Body, x.want)
		}
	}
	// That revoked everything in its own namespace, and nothing anywhere else.
	if w := k.call("GET", "a/sys/mounts", "", admin); w.Code != http.StatusForbidden {
		t.Errorf("revoked: got %d", w.Code)
	}
	for token, path := range map[string]string{victim: "b/sys/internal/ui/resultant-acl", k.vars["ROOT"]: "sys/internal/ui/resultant-acl"} {
		if w := k.call("GET", path, "", token); w.Code != http.StatusOK {
			t.Errorf("%s after another namespace's revocation: got %d %s", path, w.Code, w.Body)
		}
	}
	// A wrapped answer belongs to the namespace it was wrapped in.
	wrapped := at(k.root(200, "POST", "b/sys/wrapping/wrap", `{"x":1}`, "X-Vault-Wrap-Ttl: 60"), "wrap_info.token").(string)
	if w := k.call("POST", "a/sys/wrapping/unwrap", "", wrapped); w.Code != http.StatusBadRequest {
		t.Errorf("unwrap in another namespace: got %d, want 400", w.Code)
	}
	if w := k.call("POST", "b/sys/wrapping/unwrap", "", wrapped); w.Code != http.StatusOK {
		t.Errorf("unwrap in its own: got %d, want 200", w.Code)
	}
}

func TestAdvisoryUnauthenticatedEndpoints(t *testing.T) {
	k := newKeep(t)
	// Everything below sys/ and identity/ that is not open refuses nobody, and says nothing else to them.
	for _, r := range k.front.Rows() {
		if r.Open {
			continue
		}
		path := strings.NewReplacer("{", "", "}", "", "...", "").Replace(r.Path)
		w := k.call(r.Method, path, `{"token":"x","lease_id":"x","path":"x","type":"kv","policy":"x"}`, "")
		if w.Code != http.StatusForbidden || strings.TrimSpace(w.Body.String()) != `{"errors":["permission denied"]}` {
			t.Errorf("%s %s: got %d %s, want 403", r.Method, path, w.Code, w.Body)
		}
	}
}

func TestAdvisoryAuditFileAsAWeapon(t *testing.T) {
	k := newKeep(t)
	path := t.TempDir() + "/x"
	for _, method := range []string{"PUT", "POST"} {
		w := k.call(method, "sys/audit/file", `{"type":"file","options":{"file_path":"`+path+`","mode":"0777","prefix":"#!/bin/sh"}}`, k.vars["ROOT"])
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "server's own configuration") {
			t.Errorf("%s: got %d %s", method, w.Code, w.Body)
		}
	}
	if got := at(k.root(200, "GET", "sys/audit", ""), "data.file/"); got != nil {
		t.Errorf("a device was made: %v", got)
	}
}

func TestAdvisoryParserDenialOfService(t *testing.T) {
	k := newKeep(t)
	k.root(204, "POST", "sys/mounts/secret", `{"type":"kv-v2"}`)
	deep := strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)
	for name, x := range map[string]struct {
		body string
		want int
		says string
	}{
		"deep":        {`{"data":` + deep + `}`, 400, "nested too deeply"},
		"wide":        {`{"data":{"a":"` + strings.Repeat("x", 2<<20) + `"}}`, 413, "too large"},
		"twice":       {`{"data":{"a":1},"data":{"a":2}}`, 400, "stands twice"},
		"inner twice": {`{"data":{"a":1,"a":2}}`, 400, "stands twice"},
		"NUL":         {`{"data":{"a\u0000":1}}`, 400, "NUL"},
		"tail":        {`{"data":{"a":1}} {}`, 400, "follows"},
		"not UTF-8":   {"{\"data\":{\"a\":\"\xff\"}}", 400, "UTF-8"},
		"array":       {`[1]`, 400, "object"},
		"not JSON":    {`data=1`, 400, "JSON"},
	} {
		w := k.call("POST", "secret/data/a", x.body, k.vars["ROOT"])
		if w.Code != x.want || !strings.Contains(w.Body.String(), x.says) {
			t.Errorf("%s: got %d %.200s, want %d that says %q", name, w.Code, w.Body, x.want, x.says)
		}
	}
}

func TestWrappingTokenOpensOnce(t *testing.T) {
	k := newKeep(t)
	for range 4 {
		wrapped := at(k.root(200, "POST", "sys/wrapping/wrap", `{"x":1}`, "X-Vault-Wrap-Ttl: 60"), "wrap_info.token").(string)
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				path, body, token := "sys/wrapping/unwrap", "", wrapped
				if i%2 == 0 {
					body, token = `{"token":"`+wrapped+`"}`, k.vars["ROOT"]
				}
				if i%4 == 0 {
					path = "sys/wrapping/rewrap"
				}
				if w := k.call("POST", path, body, token); w.Code == http.StatusOK {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 64 racers opened the wrapped answer, want 1", won.Load())
		}
	}
}

func TestDisablingAMountRevokesItsTokens(t *testing.T) {
	k := newKeep(t)
	k.root(204, "POST", "sys/auth/approle", `{"type":"approle"}`)
	k.root(204, "POST", "sys/auth/other", `{"type":"approle"}`)
	tokens := map[string]string{}
	for _, mount := range []string{"approle", "other"} {
		k.role(mount)
		tokens[mount] = k.signIn(mount)
	}
	k.root(204, "DELETE", "sys/auth/approle", "")
	if w := k.call("GET", "sys/internal/ui/resultant-acl", "", tokens["approle"]); w.Code != http.StatusForbidden {
		t.Errorf("token of the disabled mount: got %d, want 403", w.Code)
	}
	if w := k.call("GET", "sys/internal/ui/resultant-acl", "", tokens["other"]); w.Code != http.StatusOK {
		t.Errorf("token of the other mount: got %d, want 200", w.Code)
	}
}

func TestQuotaCountsByAddressAndTellsWhenToComeBack(t *testing.T) {
	k := newKeep(t)
	k.root(204, "POST", "sys/quotas/rate-limit/all", `{"rate":3,"interval":"1h","block_interval":"10m"}`)
	codes := map[int]int{}
	for range 5 {
		w := k.call("GET", "sys/internal/ui/resultant-acl", "", k.vars["ROOT"])
		codes[w.Code]++
		if w.Code == http.StatusTooManyRequests && (w.Header().Get("Retry-After") != "600" || w.Header().Get("X-Ratelimit-Limit") != "3") {
			t.Errorf("headers of the refusal: %v", w.Header())
		}
	}
	if codes[200] != 3 || codes[429] != 2 {
		t.Errorf("got %v, want 3 answers and 2 refusals", codes)
	}
	if w := k.call("GET", "sys/health", "", ""); w.Code != http.StatusOK {
		t.Errorf("health is exempt: got %d", w.Code)
	}
	for i, from := range []string{"10.0.0.9:1", "[2001:db8::1]:1"} {
		if w := k.from(from, "GET", "sys/internal/ui/resultant-acl"); w.Code != http.StatusOK {
			t.Errorf("address %d: got %d, want 200", i, w.Code)
		}
	}
	// Addresses of one version 6 network share.
	refused := 0
	for i := range 5 {
		if k.from(fmt.Sprintf("[2001:db8::%x]:1", i+2), "GET", "sys/internal/ui/resultant-acl").Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d of 5 from one network refused, want 3", refused)
	}
}

func TestMountsAreKnownToThoseWhoReachThem(t *testing.T) {
	k := newKeep(t)
	k.root(204, "POST", "sys/mounts/secret", `{"type":"kv-v2"}`)
	k.root(204, "POST", "sys/mounts/vaulted", `{"type":"kv-v2","config":{"protected":true}}`)
	web := k.tokenFor("web", `path "secret/data/web/*" { capabilities = ["read"] } path "vault*" { capabilities = ["read"] }`)
	for path, want := range map[string]int{"secret": 200, "secret/data/x": 200, "vaulted": 403, "nothing": 403, "auth/token": 200} {
		if w := k.call("GET", "sys/internal/ui/mounts/"+path, "", web); w.Code != want {
			t.Errorf("preflight of %s: got %d, want %d", path, w.Code, want)
		}
	}
}

func TestOpenAPIDescribesEveryRow(t *testing.T) {
	k := newKeep(t)
	paths := k.root(200, "GET", "sys/internal/specs/openapi", "")["paths"].(map[string]any)
	for _, r := range k.front.Rows() {
		calls, _ := paths["/"+strings.ReplaceAll(r.Path, "...}", "}")].(map[string]any)
		method := strings.ToLower(strings.NewReplacer("LIST", "GET", "SCAN", "GET").Replace(r.Method))
		if calls[method] == nil {
			t.Errorf("%s %s is not described", r.Method, r.Path)
		}
	}
}

// TestOpenAPIDescribesSpaces: what is described of Spaces and the cubbyhole is what they answer.
func TestOpenAPIDescribesSpaces(t *testing.T) {
	k := newKeep(t)
	k.root(204, "POST", "sys/mounts/one", `{"type":"kv"}`)
	k.root(204, "POST", "sys/mounts/two", `{"type":"kv-v2"}`)
	paths := k.root(200, "GET", "sys/internal/specs/openapi", "")["paths"].(map[string]any)
	for _, path := range []string{
		"/{kv_v1_mount_path}/{path}", "/cubbyhole/{path}", "/{kv_v2_mount_path}/config", "/{kv_v2_mount_path}/data/{path}", "/{kv_v2_mount_path}/delete/{path}",
		"/{kv_v2_mount_path}/undelete/{path}", "/{kv_v2_mount_path}/destroy/{path}", "/{kv_v2_mount_path}/subkeys/{path}", "/{kv_v2_mount_path}/metadata/{path}",
	} {
		described, _ := paths[path].(map[string]any)
		asked := strings.NewReplacer("/{kv_v1_mount_path}", "one", "/{kv_v2_mount_path}", "two", "/cubbyhole", "cubbyhole", "{path}", "a").Replace(path)
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "LIST", "SCAN"} {
			w := k.call(method, asked, "", k.vars["ROOT"])
			is := w.Code != http.StatusMethodNotAllowed
			want := described != nil && slices.Contains(described["x-keephold-operations"].([]any), any(method))
			if is != want {
				t.Errorf("%s %s: described %v, answered with %d", method, asked, want, w.Code)
			}
		}
	}
}
