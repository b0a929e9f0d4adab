package house_test

import (
	"fmt"
	"go/ast"
	"os"
	"slices"
	"strings"
	"testing"
)

// behindRequests are the rooms that a request of somebody unknown reaches.
var behindRequests = []string{
	"internal/wire", "internal/lane", "internal/intercept", "internal/front/...", "internal/auth/...", "internal/registry", "internal/policy/...", "internal/custody/...",
	"internal/record/...", "internal/store/...", "internal/audit/...", "internal/seal/...", "internal/snapshot", "internal/barrier", "internal/secret", "internal/server",
}

// dialers may open a connection: to what the server's own configuration names, and to sockets of this machine.
var dialers = []string{
	"internal/audit/sink/http", "internal/audit/sink/syslog", "internal/server/listen.go", "internal/server/notify.go", "internal/seal/keyring",
	"internal/auth/jwt/fetch.go", // the issuer that an operator configured, never one that a token names
}

// foreign are packages by which a name could become part of another program's language.
var foreign = []string{"database/sql", "os/exec", "plugin", "text/template", "html/template"}

// checkDials finds where a room behind requests opens connections.
func checkDials(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		if !matchAny(behindRequests, p.dir) {
			continue
		}
		for _, f := range p.product() {
			if allowsFile(dialers, f) {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				from, ok := sel.X.(*ast.Ident)
				if !ok {
					return true
				}
				name := sel.Sel.Name
				dials := (from.Name == "net" || from.Name == "tls") && strings.HasPrefix(name, "Dial")
				fetches := from.Name == "http" && slices.Contains([]string{"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "Client", "Transport"}, name)
				if dials || fetches {
					offences = append(offences, fmt.Sprintf("%s: %s.%s reaches out", tr.at(sel), from.Name, name))
				}
				return true
			})
		}
	}
	return offences
}

// checkForeign finds where a room behind requests speaks another system's language.
func checkForeign(tr *tree) (offences []string) {
	for _, p := range tr.packages {
		if !matchAny(behindRequests, p.dir) {
			continue
		}
		for _, f := range p.product() {
			for path, spec := range f.imports() {
				if slices.Contains(foreign, path) || strings.Contains(path, "ldap") {
					offences = append(offences, fmt.Sprintf("%s: %s imports %s", tr.at(spec), p.dir, path))
				}
			}
		}
	}
	return offences
}

// TestAdvisoryServerSideFetches: nothing that a request says makes the server call anywhere.
func TestAdvisoryServerSideFetches(t *testing.T) {
	holds(t, checkDials, map[string]string{"internal/front/x/x.go": "package x\n\nimport \"net/http\"\n\nfunc f(u string) { _, _ = http.Get(u) }\n"})
}

// TestAdvisoryInjectionIntoOtherSystems: what a request brings is put into no other system's language.
func TestAdvisoryInjectionIntoOtherSystems(t *testing.T) {
	holds(t, checkForeign, map[string]string{"internal/custody/x.go": "package custody\n\nimport _ \"database/sql\"\n"})
}

// holds runs a check on the house, and on a small bad tree where it has to find something.
func holds(t *testing.T, check func(*tree) []string, bad map[string]string) {
	t.Helper()
	tr, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.packages) == 0 {
		t.Fatal("found no packages")
	}
	for _, offence := range check(tr) {
		t.Error(offence)
	}
	if got := check(mustLoad(t, bad)); len(got) != 1 {
		t.Errorf("on a bad tree: got %q, want one offence", got)
	}
}
