package vaultapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// driven is every "METHOD path" that a server answered with success while the tests ran, and every one it refused.
var driven = struct {
	sync.Mutex
	done, refused map[string]bool
}{done: map[string]bool{}, refused: map[string]bool{}}

// recorder notes what is asked for.
type recorder struct{ http.RoundTripper }

func (r recorder) RoundTrip(rq *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(rq)
	if err != nil {
		return nil, err
	}
	method := rq.Method
	switch {
	case method == http.MethodPut:
		method = http.MethodPost
	case method == http.MethodGet && rq.URL.Query().Get("list") == "true":
		method = "LIST"
	}
	driven.Lock()
	defer driven.Unlock()
	if resp.StatusCode < 300 {
		driven.done[method+" "+strings.Trim(strings.TrimPrefix(rq.URL.Path, "/v1"), "/")] = true
	} else {
		driven.refused[method+" "+strings.Trim(strings.TrimPrefix(rq.URL.Path, "/v1"), "/")] = true
	}
	return resp, err
}

// onlyRefused are the operations whose right answer is a refusal, each with the reason. Everything else has to have
// succeeded once.
var onlyRefused = map[string]string{
	"POST /sys/audit/{path}":                           "where records go is set in the server's own configuration, never by a request",
	"DELETE /sys/audit/{path}":                         "the same",
	"GET /sys/config/auditing/request-headers/{name}":  "headers are not recorded, so there is none",
	"POST /sys/config/auditing/request-headers/{name}": "headers are not recorded",
	"POST /sys/leases/renew/{id}":                      "the only leases are those of tokens, which are renewed where tokens are, as the vendor has it",
	"POST /sys/renew/{id}":                             "the same",
}

// mountNames are what the tests call the mounts of a kind.
var mountNames = strings.NewReplacer(
	`\{kv_v1_mount_path\}`, "old", `\{kv_v2_mount_path\}`, "secret", `\{token_mount_path\}`, "token", `\{approle_mount_path\}`, "approle",
	`\{userpass_mount_path\}`, "people",
)

// TestMain runs the tests, and then looks whether they drove every operation that the server says it has.
func TestMain(m *testing.M) {
	code := m.Run()
	if run := strings.Join(os.Args, " "); code == 0 && !strings.Contains(run, "-test.run=") && !strings.Contains(run, "-test.skip=") {
		if missing := notDriven(); len(missing) > 0 {
			fmt.Printf("--- FAIL: %d operations were not driven to success by any test:\n    %s\n", len(missing), strings.Join(missing, "\n    "))
			code = 1
		}
	}
	os.Exit(code)
}

type template struct {
	name    string
	path    *regexp.Regexp
	literal int // length of what is no placeholder: the most exact template is the one that was meant
}

func notDriven() (missing []string) {
	driven.Lock()
	defer driven.Unlock()
	templates, operations := described()
	of := func(asked map[string]bool) map[string]bool {
		seen := map[string]bool{}
		for a := range asked {
			method, path, _ := strings.Cut(a, " ")
			best := template{literal: -1}
			for _, t := range templates {
				if t.literal > best.literal && t.path.MatchString("/"+path) && slices.Contains(operations[t.name], method) {
					best = t
				}
			}
			seen[method+" "+best.name] = true
		}
		return seen
	}
	done, refused := of(driven.done), of(driven.refused)
	for path, methods := range operations {
		for _, m := range methods {
			op := m + " " + path
			if _, ok := onlyRefused[op]; ok && refused[op] && !done[op] || !ok && done[op] {
				continue
			}
			missing = append(missing, op)
		}
	}
	slices.Sort(missing)
	return missing
}

// described asks a server for its own description.
func described() ([]template, map[string][]string) {
	placeholder := regexp.MustCompile(`\\\{[a-z_]+\\\}`)
	var doc struct {
		Paths map[string]struct {
			Operations []string `json:"x-keephold-operations"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(openAPI, &doc); err != nil || len(doc.Paths) < 100 {
		return []template{{name: "the server's description of itself"}}, map[string][]string{fmt.Sprintf("the OpenAPI answer, %v", err): {"GET"}}
	}
	var all []template
	operations := map[string][]string{}
	for path, p := range doc.Paths {
		text := mountNames.Replace(regexp.QuoteMeta(path))
		exact := placeholder.ReplaceAllString(text, "")
		all = append(all, template{path, regexp.MustCompile("^" + placeholder.ReplaceAllString(text, `[^/]+(?:/[^/]+)*?`) + "$"), len(exact)})
		operations[path] = p.Operations
	}
	return all, operations
}

// openAPI is the server's description of itself, which TestOpenAPI asks for.
var openAPI []byte

func TestOpenAPI(t *testing.T) {
	k := dev(t)
	resp, err := k.root.Logical().ReadRaw("sys/internal/specs/openapi")
	must(t, err)
	defer resp.Body.Close()
	var doc json.RawMessage
	must(t, resp.DecodeJSON(&doc))
	openAPI = doc
}
