package native_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/entity"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/custody/custodytest"
	"github.com/keephold/keephold/internal/front/native"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// keep is a native front over a Desk in memory with the Spaces "secret" (kv v2), "shop/prod" and "old" (kv v1).
type keep struct {
	*custodytest.Keep
	t     *testing.T
	desk  *custody.Desk
	front *native.Front
	root  string
	local auth.Caller
}

func newKeep(t *testing.T) *keep {
	t.Helper()
	in := custodytest.Open(t, nil, secret.Space{Name: "secret", Versioned: true}, secret.Space{Name: "shop/prod", Versioned: true}, secret.Space{Name: "old"})
	k := &keep{Keep: in, t: t, desk: in.Desk, root: string(in.Root.Reveal()), local: in.Local}
	var err error
	if k.front, err = native.New(native.Config{Desk: k.desk}); err != nil {
		t.Fatal(err)
	}
	return k
}

func do[T any](k *keep, act custody.Act[T]) T { k.t.Helper(); return custodytest.Do(k.Keep, act) }

func (k *keep) put(space, path, value string) { k.t.Helper(); k.Put(space, path, value) }

// tokenWith makes a token that carries a policy of that text and the default one.
func (k *keep) tokenWith(name, text string) string {
	k.t.Helper()
	if text != "" {
		k.Policy(name, text)
	}
	return string(do(k, auth.Create{OrphanPath: true, Policies: []string{name}}).Token.Reveal())
}

// call answers the status and the data.
func (k *keep) call(token, method, path, body string) (int, map[string]any) {
	k.t.Helper()
	r := httptest.NewRequest(method, "/v1/keephold/"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	k.front.ServeHTTP(w, r)
	var a struct {
		Data   map[string]any
		Errors []string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		k.t.Fatalf("%s %s: %s: %v", method, path, w.Body, err)
	}
	if len(a.Errors) > 0 {
		return w.Code, map[string]any{"error": a.Errors[0]}
	}
	return w.Code, a.Data
}

// want is call where only one status will do.
func (k *keep) want(status int, token, method, path, body string) map[string]any {
	k.t.Helper()
	got, data := k.call(token, method, path, body)
	if got != status {
		k.t.Fatalf("%s %s %s: got %d %v, want %d", method, path, body, got, data, status)
	}
	return data
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := []string{}
	for _, x := range list {
		switch x := x.(type) {
		case string:
			out = append(out, x)
		case map[string]any:
			out = append(out, fmt.Sprint(x["space"], ":", x["path"]))
		}
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestSearchShowsWhatTheCallerMaySee(t *testing.T) {
	k := newKeep(t)
	for _, p := range []string{"web/db", "web/DB_URL", "prod/db", "x"} {
		k.put("secret", p, "v")
	}
	k.put("shop/prod", "db", "v")
	k.put("old", "my/db", "v")
	web := k.tokenWith("web", `path "secret/metadata/web/*" { capabilities = ["read"] } path "old/my/*" { capabilities = ["read"] } path "secret/metadata/web/DB_URL" { capabilities = ["deny"] }`)
	same(t, "root", texts(k.want(200, k.root, "GET", "search?q=DB", "")["hits"]), []string{"old:my/db", "secret:prod/db", "secret:web/DB_URL", "secret:web/db", "shop/prod:db"})
	same(t, "web", texts(k.want(200, web, "GET", "search?q=db", "")["hits"]), []string{"old:my/db", "secret:web/db"})
	same(t, "space", texts(k.want(200, k.root, "GET", "search?q=db&space=shop", "")["hits"]), []string{"shop/prod:db"})

	var all []string
	next := ""
	for pages := 0; ; pages++ {
		data := k.want(200, k.root, "GET", "search?limit=2&next="+next, "")
		all = append(all, texts(data["hits"])...)
		if next, _ = data["next"].(string); next == "" {
			break
		}
		if pages > 10 {
			t.Fatal("the pages do not end")
		}
	}
	same(t, "pages", all, []string{"old:my/db", "secret:prod/db", "secret:web/DB_URL", "secret:web/db", "secret:x", "shop/prod:db"})
	k.want(400, k.root, "GET", "search?next=%21", "")
	k.want(400, k.root, "GET", "search?limit=0", "")
	k.want(403, "", "GET", "search?q=db", "")
}

func TestTreeListsWholePathsInPages(t *testing.T) {
	k := newKeep(t)
	for _, p := range []string{"a/1", "a/b/2", "a/b/c/3", "z"} {
		k.put("secret", p, "v")
	}
	same(t, "all", texts(k.want(200, k.root, "GET", "tree/secret", "")["paths"]), []string{"a/1", "a/b/2", "a/b/c/3", "z"})
	first := k.want(200, k.root, "GET", "tree/secret/a?limit=2", "")
	same(t, "first page", texts(first["paths"]), []string{"a/1", "a/b/2"})
	same(t, "second page", texts(k.want(200, k.root, "GET", "tree/secret/a?limit=2&next="+first["next"].(string), "")["paths"]), []string{"a/b/c/3"})
	lister := k.tokenWith("lister", `path "secret/metadata/a/" { capabilities = ["list"] } path "secret/metadata/a/b/*" { capabilities = ["read"] }`)
	same(t, "lister", texts(k.want(200, lister, "GET", "tree/secret/a", "")["paths"]), []string{"a/b/2", "a/b/c/3"})
	k.want(403, lister, "GET", "tree/secret", "")
	k.want(403, lister, "GET", "tree/nothing", "")
}

func TestMoveKeepsHistoryAndReachesNoFurther(t *testing.T) {
	k := newKeep(t)
	k.put("secret", "a", "1")
	k.put("secret", "a", "2")
	k.want(200, k.root, "PUT", "move", `{"from":"secret/a","to":"shop/prod/b"}`)
	k.want(404, k.root, "GET", "value/secret/a", "")
	for version, want := range map[string]string{"1": "1", "2": "2"} {
		if got := k.want(200, k.root, "GET", "value/shop/prod/b?version="+version, "")["text"]; got != want {
			t.Errorf("version %s: got %v, want %s", version, got, want)
		}
	}
	k.put("secret", "prod/key", "s")
	k.put("secret", "mine/x", "s")
	// Who may not read a secret does not come to read it by moving it to where he may.
	thief := k.tokenWith("thief", `path "secret/metadata/*" { capabilities = ["delete", "update", "read"] } path "secret/data/mine/*" { capabilities = ["create", "read", "update"] }`)
	k.want(403, thief, "PUT", "move", `{"from":"secret/prod/key","to":"secret/mine/key"}`)
	k.want(403, thief, "PUT", "move", `{"from":"secret/mine/x","to":"secret/prod/x"}`)
	k.want(200, thief, "PUT", "move", `{"from":"secret/mine/x","to":"secret/mine/y"}`)
	k.want(409, k.root, "PUT", "move", `{"from":"secret/mine/y","to":"secret/prod/key"}`)
	k.want(404, k.root, "PUT", "move", `{"from":"secret/none","to":"secret/x"}`)
	k.want(400, k.root, "PUT", "move", `{"from":"secret/a/../b","to":"secret/x"}`)
	k.want(400, k.root, "PUT", "move", `{"from":"secret/a"}`)
}

func TestCopyGoesOnWhereItStopped(t *testing.T) {
	k := newKeep(t)
	const n = 250
	for i := range n {
		k.put("secret", fmt.Sprintf("src/%03d", i), fmt.Sprint(i))
	}
	k.put("shop/prod", "dst/007", "kept")
	data := k.want(200, k.root, "PUT", "copy", `{"from":"secret/src","to":"shop/prod/dst"}`)
	id := data["id"].(string)
	if data["done"] != false || data["copied"].(float64) != 99 || data["skipped"].(float64) != 1 {
		t.Fatalf("first page: %v", data)
	}
	other := k.tokenWith("other", `path "*" { capabilities = ["create", "read", "update", "list", "delete"] }`)
	k.want(404, other, "PUT", "copy/"+id, "{}")
	k.want(200, k.root, "PUT", "copy/"+id, "{}")
	data = k.want(200, k.root, "PUT", "copy/"+id, "{}")
	if data["done"] != true || data["copied"].(float64) != n-1 {
		t.Fatalf("last page: %v", data)
	}
	k.want(404, k.root, "PUT", "copy/"+id, "{}")
	for path, want := range map[string]string{"000": "0", "007": "kept", "249": "249"} {
		if got := k.want(200, k.root, "GET", "value/shop/prod/dst/"+path, "")["text"]; got != want {
			t.Errorf("%s: got %v, want %s", path, got, want)
		}
	}
	// Each secret is asked of policy by itself.
	k.put("secret", "some/a", "1")
	k.put("secret", "some/b", "2")
	part := k.tokenWith("part", `path "secret/metadata/some/" { capabilities = ["list"] } path "secret/data/some/a" { capabilities = ["read"] } path "secret/data/to/*" { capabilities = ["create"] }`)
	data = k.want(200, part, "PUT", "copy", `{"from":"secret/some","to":"secret/to"}`)
	if data["copied"].(float64) != 1 || data["refused"].(float64) != 1 || data["done"] != true {
		t.Errorf("part: %v", data)
	}
	k.want(200, k.root, "PUT", "copy", `{"from":"secret/some/a","to":"old/a"}`)
	k.want(409, k.root, "PUT", "copy", `{"from":"secret/some/a","to":"secret/some/b"}`)
	k.want(400, k.root, "PUT", "copy", `{"from":"secret/some","to":"secret/some/inner"}`)
	k.want(403, part, "PUT", "copy", `{"from":"secret/src","to":"secret/to"}`)
	k.want(403, "", "PUT", "copy", `{"from":"secret/some","to":"secret/to"}`)
}

func TestGrants(t *testing.T) {
	k := newKeep(t)
	k.put("shop/prod", "A", "1")
	k.put("shop/prod", "B", "2")
	data := k.want(200, k.root, "PUT", "grants/Web", `{"verbs":["read","list"],"pattern":"shop/prod/{A,C}"}`)
	if data["role"] != "web" {
		t.Errorf("role: %v", data)
	}
	web := k.tokenWith("web", "")
	k.want(200, web, "GET", "value/shop/prod/A", "")
	k.want(403, web, "GET", "value/shop/prod/B", "")
	k.want(200, k.root, "PUT", "grants/web", `{"verbs":["read"],"pattern":"shop/prod/B"}`)
	k.want(200, web, "GET", "value/shop/prod/B", "")
	same(t, "roles", texts(k.want(200, k.root, "GET", "grants", "")["roles"]), []string{"web"})
	if got := k.want(200, k.root, "GET", "grants/web", "")["grants"].([]any); len(got) != 2 {
		t.Errorf("grants: %v", got)
	}
	k.want(200, k.root, "PUT", "grants/web", `{"verbs":["read"],"pattern":"shop/prod/B","remove":true}`)
	k.want(403, web, "GET", "value/shop/prod/B", "")
	k.want(404, k.root, "PUT", "grants/web", `{"verbs":["read"],"pattern":"shop/prod/B","remove":true}`)
	k.want(200, k.root, "DELETE", "grants/web", "")
	k.want(403, web, "GET", "value/shop/prod/A", "")
	k.want(404, k.root, "GET", "grants/web", "")

	k.want(400, k.root, "PUT", "grants/root", `{"verbs":["read"],"pattern":"shop/prod/A"}`)
	k.want(400, k.root, "PUT", "grants/default", `{"verbs":["read"],"pattern":"shop/prod/A"}`)
	k.want(400, k.root, "PUT", "grants/x", `{"verbs":["fly"],"pattern":"shop/prod/A"}`)
	k.want(400, k.root, "PUT", "grants/x", `{"verbs":["read"],"pattern":"nothing/A"}`)
	k.tokenWith("text", `path "a" { capabilities = ["read"] }`)
	k.want(409, k.root, "PUT", "grants/text", `{"verbs":["read"],"pattern":"shop/prod/A"}`)
	k.want(403, k.tokenWith("half", `path "keephold/grants/*" { capabilities = ["update"] }`), "PUT", "grants/x", `{"verbs":["read"],"pattern":"shop/prod/A"}`)
}

func TestWhyNamesTheNearestMiss(t *testing.T) {
	k := newKeep(t)
	web := k.tokenWith("web", `path "secret/app" { capabilities = ["read"] }`)
	data := k.want(200, web, "PUT", "why", `{"resource":"secret/data/app","capability":"read"}`)
	if data["allowed"] != false || !strings.Contains(fmt.Sprint(data["misses"]), "secret/data/app") {
		t.Errorf("why: %v", data)
	}
	data = k.want(200, web, "PUT", "why", `{"resource":"secret/app","capability":"read"}`)
	if data["allowed"] != true || !strings.Contains(fmt.Sprint(data["rule"]), "web") {
		t.Errorf("why allowed: %v", data)
	}
	data = k.want(200, k.root, "PUT", "explain", `{"policies":["web"],"resource":"secret/data/app","capability":"read"}`)
	if data["allowed"] != false {
		t.Errorf("explain: %v", data)
	}
	k.want(403, web, "PUT", "explain", `{"policies":["web"],"resource":"secret/data/app","capability":"read"}`)
	k.want(400, web, "PUT", "why", `{"resource":"secret/data/app","capability":"fly"}`)
	k.want(400, web, "PUT", "why", `{}`)
}

func TestWhoCan(t *testing.T) {
	k := newKeep(t)
	k.tokenWith("web", `path "secret/data/web/*" { capabilities = ["read"] }`)
	k.tokenWith("noweb", `path "secret/data/web/*" { capabilities = ["deny"] }`)
	m := do(k, registry.MakeMount{Mount: registry.Mount{Name: "approle", Type: "approle"}})
	at := auth.Mount{Path: m.Name, Accessor: m.Accessor}
	for role, policies := range map[string][]string{"yes": {"web"}, "no": {"web", "noweb"}} {
		do(k, approle.WriteRole{Mount: at, Role: role, Change: func(r *approle.Role, _ bool) error { r.Token.Policies = policies; return nil }})
	}
	do(k, entity.Write{Name: entity.ByName("ann"), Change: func(e *auth.Entity) error { e.Policies = []string{"web"}; return nil }})
	do(k, entity.WriteGroup{Name: entity.ByName("team"), Change: func(g *auth.Group) error { g.Policies = []string{"web"}; return nil }})
	data := k.want(200, k.root, "PUT", "who-can", `{"resource":"secret/data/web/db","capability":"read"}`)
	same(t, "policies", texts(data["policies"]), []string{"root", "web"})
	same(t, "approles", texts(data["approles"]), []string{"approle/yes"})
	same(t, "entities", texts(data["entities"]), []string{"ann"})
	same(t, "groups", texts(data["groups"]), []string{"team"})
	data = k.want(200, k.root, "PUT", "who-can", `{"resource":"secret/data/other","capability":"read"}`)
	same(t, "others", texts(data["policies"]), []string{"root"})
	k.want(403, k.tokenWith("plain", `path "keephold/*" { capabilities = ["read", "update"] }`), "PUT", "who-can", `{"resource":"x","capability":"read"}`)
}

func TestNothingIsOpen(t *testing.T) {
	k := newKeep(t)
	for _, x := range []string{"GET value/secret/a", "PUT value/secret/a", "GET env/secret", "PUT why", "PUT explain", "PUT move", "PUT copy", "PUT grants/x", "DELETE grants/x", "GET grants", "GET tree/secret", "POST nothing", "PUT who-can"} {
		method, path, _ := strings.Cut(x, " ")
		if status, data := k.call("", method, path, `{"a":`); status != 403 || data["error"] != "permission denied" {
			t.Errorf("%s: got %d %v, want 403", x, status, data)
		}
	}
	k.want(404, k.root, "GET", "nothing", "")
	k.want(404, k.root, "DELETE", "search", "")
}

// TestLimitsCountHereToo: a limit on the rate of requests holds whichever way a Space is asked.
func TestLimitsCountHereToo(t *testing.T) {
	k := newKeep(t)
	k.want(200, k.root, "PUT", "value/secret/a", `{"text":"x"}`)
	do(k, registry.WriteQuota{Quota: registry.Quota{Name: "slow", Path: "secret", Rate: 2, Interval: time.Hour}})
	for range 2 {
		k.want(200, k.root, "GET", "value/secret/a", "")
	}
	k.want(429, k.root, "GET", "value/secret/a", "")
	k.want(429, k.root, "GET", "tree/secret", "")
	k.want(200, k.root, "GET", "search?q=a", "")
	do(k, registry.WriteQuota{Quota: registry.Quota{Name: "all", Rate: 1, Interval: time.Hour}})
	k.want(200, k.root, "GET", "search?q=a", "")
	k.want(429, k.root, "PUT", "why", `{"resource":"secret/data/app","capability":"read"}`)
}

// TestAuditTail: the log's last records, and then what is recorded meanwhile, as they come; one record for all of it.
// hurried is an answer whose connection has deadlines.
type hurried struct {
	*httptest.ResponseRecorder
	lifted bool
}

func (h *hurried) SetReadDeadline(at time.Time) error { return h.SetWriteDeadline(at) }
func (h *hurried) SetWriteDeadline(at time.Time) error {
	h.lifted = h.lifted || at.IsZero()
	return nil
}

// What takes long has no deadline, but only for who may have it: nobody else holds a connection by asking for it.
func TestOnlyTheAdmittedAreUnhurried(t *testing.T) {
	k := newKeep(t)
	k.want(200, k.root, "PUT", "value/secret/a", `{"text":"x"}`)
	reader := k.tokenWith("reader", `path "secret/*" { capabilities = ["read"] }`)
	gone, leave := context.WithCancel(t.Context())
	leave() // a tail ends when its client goes
	for _, tt := range []struct {
		name, token, path string
		ctx               context.Context
		lifted            bool
	}{
		{"nobody verifies", "", "verify", t.Context(), false},
		{"a stranger verifies", reader, "verify", t.Context(), false},
		{"an operator verifies", k.root, "verify", t.Context(), true},
		{"a stranger follows the log", reader, "audit-tail", t.Context(), false},
		{"an operator follows the log", k.root, "audit-tail", gone, true},
		{"an operator reads", k.root, "value/secret/a", t.Context(), false},
		{"what only begins so", k.root, "verifying", t.Context(), false},
	} {
		w := &hurried{ResponseRecorder: httptest.NewRecorder()}
		rq := httptest.NewRequestWithContext(tt.ctx, http.MethodGet, "/v1/keephold/"+tt.path, nil)
		if tt.token != "" {
			rq.Header.Set("Authorization", "Bearer "+tt.token)
		}
		k.front.ServeHTTP(w, rq)
		if w.lifted != tt.lifted {
			t.Errorf("%s: answered %d, deadlines lifted: %v", tt.name, w.Code, w.lifted)
		}
	}
}

func TestAuditTail(t *testing.T) {
	k := newKeep(t)
	k.want(200, k.root, "PUT", "value/secret/a", `{"text":"x"}`)
	srv := httptest.NewServer(k.front)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/v1/keephold/audit-tail?last=2&kind=read", nil)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Authorization", "Bearer "+k.root)
	resp, err := srv.Client().Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	for _, name := range []string{"a", "later"} {
		if name == "later" {
			k.want(200, k.root, "PUT", "value/secret/later", `{"text":"x"}`)
		}
		k.want(200, k.root, "GET", "value/secret/"+name, "")
		for found := false; !found; {
			if !lines.Scan() {
				t.Fatalf("the stream ended before %s came: %v", name, lines.Err())
			}
			var l struct {
				Event struct {
					Kind string
					What struct{ Path string }
				}
			}
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Event.Kind != "read" {
				t.Fatalf("%v: %s", err, lines.Bytes())
			}
			found = l.Event.What.Path == name
		}
	}
	k.want(400, k.root, "GET", "audit-tail?last=many", "")
	k.want(403, k.tokenWith("reader", `path "keephold/audit" { capabilities = ["read"] }`), "GET", "audit-tail", "")
}
