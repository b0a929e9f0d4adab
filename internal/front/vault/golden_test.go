package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/front/vault"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/store/mem"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// keep is a front over a Desk on a store in memory, unsealed and otherwise empty.
type keep struct {
	t     *testing.T
	desk  *custody.Desk
	front *vault.Front
	vars  map[string]string // $NAME in the exchanges
}

func newKeep(t *testing.T) *keep {
	t.Helper()
	ctx := context.Background()
	log, err := audit.Open(audit.Config{Dir: t.TempDir() + "/audit", Origin: "test"})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := custody.Open(custody.Config{
		Engine: mem.New(), Log: log, Installation: "test", Node: "n1",
		Renewers: map[string]auth.Renewer{approle.Method: approle.Renew, userpass.Method: userpass.Renew},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := desk.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	issued, err := desk.Initialize(ctx, auth.From{}, func(root []byte) (*seal.Config, error) {
		w, err := seal.NewKeyWrap(make([]byte, 32), "test")
		if err != nil {
			return nil, err
		}
		wrapped, err := w.Wrap(ctx, root)
		return &seal.Config{Kind: seal.KindKeyFile, Wrapped: wrapped}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	front, err := vault.New(vault.Config{Desk: desk, Version: "0.0.0-test"})
	if err != nil {
		t.Fatal(err)
	}
	return &keep{t: t, desk: desk, front: front, vars: map[string]string{"ROOT": string(issued.Token.Reveal())}}
}

// call is one request. A header is "Name: value"; without a token it goes out as nobody.
func (k *keep) call(method, path, body, token string, headers ...string) *httptest.ResponseRecorder {
	ctx, over := context.WithCancel(context.Background())
	defer over() // as at a real server: what goes on after the answer has no use for the request's context
	r := httptest.NewRequestWithContext(ctx, method, "/v1/"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	if token != "" {
		r.Header.Set("X-Vault-Token", token)
	}
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	k.front.ServeHTTP(w, r)
	return w
}

// root is call with the root token; an answer of another status fails the test.
func (k *keep) root(status int, method, path, body string, headers ...string) map[string]any {
	k.t.Helper()
	w := k.call(method, path, body, k.vars["ROOT"], headers...)
	if w.Code != status {
		k.t.Fatalf("%s %s: got %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	return decoded(k.t, w.Body.Bytes())
}

func decoded(t *testing.T, b []byte) map[string]any {
	t.Helper()
	if len(b) == 0 {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("answer %s: %v", b, err)
	}
	return m
}

// at finds "auth.client_token" in an answer.
func at(m map[string]any, path string) any {
	var v any = m
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok {
			if i, err := strconv.Atoi(name); err == nil && i < len(list) {
				v = list[i]
			}
			continue
		}
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// tokenFor makes a token with a policy of that text.
func (k *keep) tokenFor(name, text string, headers ...string) string {
	k.t.Helper()
	body, _ := json.Marshal(map[string]string{"policy": text})
	k.root(http.StatusNoContent, "POST", "sys/policies/acl/"+name, string(body), headers...)
	made := k.root(http.StatusOK, "POST", "auth/token/create", `{"policies":["`+name+`"]}`, headers...)
	return at(made, "auth.client_token").(string)
}

// TestGolden replays the exchanges in testdata/*.txt. A file is a list of requests
//
//	>>> METHOD path body
//	as $TOKEN               the token of this and the following requests; "as nobody" for none
//	with Name: value        a header of this request
//	set NAME auth.client_token
//	<<< status
//	the answer, indented; what is random in it is replaced
//
// and lines that begin with "#". With -update the answers are written anew.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newKeep(t).replay(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s: the answers differ, see what -update changes\n%s", file, firstDifference(got, string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			from := max(0, i-8)
			return fmt.Sprintf("line %d after\n%s\ngot  %s\nwant %s", i+1, strings.Join(w[from:i], "\n"), g[i], w[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}

type exchange struct {
	method, path, body string
	headers            []string
	sets               []string
}

func (k *keep) replay(text string) string {
	var out strings.Builder
	token := k.vars["ROOT"]
	var x *exchange
	inAnswer := false
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, ">>> "):
			parts := append(strings.SplitN(line[4:], " ", 3), "", "")
			x = &exchange{method: parts[0], path: k.fill(parts[1]), body: k.fill(parts[2])}
		case strings.HasPrefix(line, "as "):
			token = k.fill(line[3:])
			if token == "nobody" {
				token = ""
			}
		case strings.HasPrefix(line, "with ") && !inAnswer:
			x.headers = append(x.headers, k.fill(line[5:]))
		case strings.HasPrefix(line, "set ") && !inAnswer:
			x.sets = append(x.sets, line[4:])
		case strings.HasPrefix(line, "<<< "):
			out.WriteString(k.exchange(x, token))
			inAnswer = true
			continue
		case inAnswer && !strings.HasPrefix(line, "#"):
			continue // the old answer
		}
		inAnswer = false
		out.WriteString(line + "\n")
	}
	return out.String()
}

func (k *keep) exchange(x *exchange, token string) string {
	w := k.call(x.method, x.path, x.body, token, x.headers...)
	body := w.Body.Bytes()
	for _, s := range x.sets {
		name, path, _ := strings.Cut(s, " ")
		k.vars[name] = fmt.Sprint(at(decoded(k.t, body), path))
	}
	answer := fmt.Sprintf("<<< %d\n", w.Code)
	if len(body) == 0 {
		return answer + "\n"
	}
	return answer + scrub(short(body)) + "\n\n"
}

// usual are the members of every envelope. One that says nothing is left out of the file, one that is missing shows.
var usual = map[string]string{"lease_id": `""`, "renewable": "false", "lease_duration": "0", "wrap_info": "null", "warnings": "null", "auth": "null"}

// short is an answer without what every envelope says: "flat" stands for the members of data that stand beside it, too.
func short(body []byte) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return strings.TrimSpace(string(body))
	}
	if _, ok := m["request_id"]; ok {
		delete(m, "request_id")
		for name, nothing := range usual {
			switch got, ok := m[name]; {
			case !ok:
				m[name] = json.RawMessage(`"MISSING"`)
			case string(got) == nothing:
				delete(m, name)
			}
		}
		var data map[string]json.RawMessage
		_ = json.Unmarshal(m["data"], &data) // a list has no members
		flat := len(data) > 0
		for name, value := range data {
			flat = flat && bytes.Equal(m[name], value)
		}
		if flat {
			for name := range data {
				delete(m, name)
			}
			m["flat"] = json.RawMessage("true")
		}
	}
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (k *keep) fill(s string) string {
	// $EVELYN before $EVE
	for _, name := range slices.SortedFunc(maps.Keys(k.vars), func(a, b string) int { return len(b) - len(a) }) {
		s = strings.ReplaceAll(s, "$"+name, k.vars[name])
	}
	return s
}

// scrub replaces what differs from run to run.
func scrub(s string) string {
	for _, r := range scrubs {
		s = r.pattern.ReplaceAllString(s, r.with)
	}
	return s
}

var scrubs = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`kh([sbrwa])_[A-Za-z0-9_-]+`), "kh${1}_TEXT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`"(kv|auth_[a-z]+)_[0-9a-f]{8}"`), `"${1}_ACCESSOR"`},
	{regexp.MustCompile(`"([smn])[0-9a-f]{32}"`), `"${1}ID"`},
	{regexp.MustCompile(`(auth/[a-z/]+/)[0-9a-f]{64}`), `${1}INDEX`},
	{regexp.MustCompile(`hmac-sha256:[0-9a-f]{64}`), "hmac-sha256:HASH"},
	{regexp.MustCompile(`"(creation_time|last_renewal_time)": \d+`), `"${1}": 0`},
	{regexp.MustCompile(`("renewable": (?:true|false),\s+"ttl": )\d+`), `${1}0`},
	{regexp.MustCompile(`"server_time_utc": \d+`), `"server_time_utc": 0`},
	{regexp.MustCompile(`"encryptions": \d+`), `"encryptions": 0`},
	{regexp.MustCompile(`"[0-9a-f]{66}"`), `"HEX SHARE"`},
	{regexp.MustCompile(`"[A-Za-z0-9+/]{44}"`), `"BASE64 SHARE"`},
	{regexp.MustCompile(`("otp": )"[A-Za-z0-9]+"`), `${1}"OTP"`},
	{regexp.MustCompile(`("encoded(?:_root)?_token": )"[A-Za-z0-9+/]+"`), `${1}"ENCODED"`},
}

// role makes the role "r" of an AppRole mount through the Desk.
func (k *keep) role(mount string) {
	k.t.Helper()
	ctx := context.Background()
	local, err := k.desk.Local()
	if err != nil {
		k.t.Fatal(err)
	}
	m, _ := k.desk.Table().Mount("", mount)
	at := auth.Mount{Path: m.Name, Accessor: m.Accessor}
	if _, err := custody.Do(ctx, k.desk, local, approle.WriteRole{Mount: at, Role: "r", Change: func(*approle.Role, bool) error { return nil }}); err != nil {
		k.t.Fatal(err)
	}
	role, err := custody.Do(ctx, k.desk, local, approle.ReadRole{Mount: at, Role: "r"})
	if err != nil {
		k.t.Fatal(err)
	}
	id, err := custody.Do(ctx, k.desk, local, approle.NewSecretID{Mount: at, Role: "r"})
	if err != nil {
		k.t.Fatal(err)
	}
	k.vars[mount] = fmt.Sprintf(`{"role_id":%q,"secret_id":%q}`, role.RoleID, id.SecretID.Reveal())
}

func (k *keep) signIn(mount string) string {
	k.t.Helper()
	return at(k.root(http.StatusOK, "POST", "auth/"+mount+"/login", k.vars[mount]), "auth.client_token").(string)
}

// from is a call with the root token from another address.
func (k *keep) from(addr, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/v1/"+path, nil)
	r.RemoteAddr = addr
	r.Header.Set("X-Vault-Token", k.vars["ROOT"])
	w := httptest.NewRecorder()
	k.front.ServeHTTP(w, r)
	return w
}
