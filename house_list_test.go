package house_test

import "strings"

// src is a small tree: pairs of a file name and its text. Every file gets a package comment unless it has one.
func src(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func imports(pkg string, paths ...string) string {
	var b strings.Builder
	b.WriteString("// Package " + pkg + " is a test's.\npackage " + pkg + "\n")
	for _, p := range paths {
		b.WriteString("import _ \"" + p + "\"\n")
	}
	return b.String()
}

func body(pkg, code string) string { return imports(pkg) + code }

// cleanTree breaks no rule.
var cleanTree = src(
	"go.mod", "module "+module+"\n",
	"internal/secret/secret.go", body("secret", "type Value struct{ b []byte }\nfunc (v Value) Reveal() []byte { return v.b }\nvar table = map[string]int{\"a\": 1}\nfunc f(n int) int { table := n; table++; return table }\n"),
	"internal/policy/policy.go", imports("policy", module+"/internal/secret", "net/netip"),
	"internal/store/store.go", imports("store", module+"/internal/secret"),
	"internal/store/bolt/bolt.go", imports("bolt", module+"/internal/store", "go.etcd.io/bbolt"),
	"internal/custody/custody.go", imports("custody", module+"/internal/store")+"func f(e interface{ Apply() }) { e.Apply() }\n",
	"internal/front/vault/vault.go", imports("vault", module+"/internal/custody"),
	"internal/front/vault/vault_test.go", "package vault_test\nfunc TestErrorTableIsComplete() { print() }\nfunc TestEveryOperationHasAPolicyRow() { print() }\n",
	"client/client.go", imports("client", "net/http", module+"/internal/secret"),
	"cmd/keephold/main.go", "// Command keephold is a test's.\npackage main\nimport \"os\"\nfunc main() { os.Exit(0) }\n",
	"conformance/go.mod", "module x\n",
	"conformance/util/util.go", "package util\n",
	"internal/secret/testdata/bad.go", "not go",
)

var rules = []rule{
	{
		name:  "every package is on exactly one floor",
		fix:   "add the package to `floors` in house_test.go, on the lowest floor whose imports it needs",
		check: checkPlaced,
		bad: []badTree{
			{src("internal/cellar/cellar.go", imports("cellar")), "internal/cellar: placed on 0 floors"},
			{src("internal/policy/rego/rego.go", imports("rego")), "internal/policy/rego: placed on 0"},
			{src("extra/extra_test.go", "package extra_test\n"), "extra: placed on 0"},
		},
		good: []map[string]string{src("scripts/gen.go", "//go:build ignore\n\n// Command scripts is for go run.\npackage main\n")},
	},
	{
		name:  "imports go down only",
		fix:   "pass what you need down as a value or a small interface beside its caller; nothing calls back up",
		check: checkUpward,
		bad: []badTree{
			{src("internal/policy/p.go", imports("policy", module+"/internal/custody")), "internal/policy (floor 0) imports internal/custody (floor 3)"},
			{src("internal/server/s.go", imports("server", module+"/internal/cli")), "floor 6"},
		},
		good: []map[string]string{src("internal/policy/p_test.go", "package policy_test\nimport _ \""+module+"/internal/policy/hcl\"\n")},
	},
	{
		name:  "no imports within a floor",
		fix:   "move what both need one floor down, or add the pair to `sideways` in house_test.go with its reason",
		check: checkSideways,
		bad: []badTree{
			{src("internal/front/vault/v.go", imports("vault", module+"/internal/front/awssm")), "imports internal/front/awssm of its own floor"},
			{src("internal/policy/p.go", imports("policy", module+"/internal/barrier")), "of its own floor 0"},
			{src("internal/store/mem/m.go", imports("mem", module+"/internal/store/bolt")), "of its own floor 1"},
			{src("client/c.go", imports("client", module+"/internal/cli")), "of its own floor 6"},
		},
	},
	{
		name:  "floor 0, client and redact need the standard library only",
		fix:   "keep the foreign format's reader on floor 2 and let it yield floor 0's types",
		check: checkStdlibOnly,
		bad: []badTree{
			{src("internal/barrier/b.go", imports("barrier", "golang.org/x/crypto/argon2")), "not golang.org/x/crypto/argon2"},
			{src("client/c.go", imports("client", module+"/internal/store")), "not github.com/keephold/keephold/internal/store"},
			{src("redact/r.go", imports("redact", "github.com/rs/zerolog")), "not github.com/rs/zerolog"},
		},
	},
	{
		name:  "floor 0 does not touch the machine",
		fix:   "take bytes, a reader or a now() from the caller; files, sockets and processes belong to floor 1 and above",
		check: checkGround,
		bad: []badTree{
			{src("internal/dotenv/d.go", imports("dotenv", "os")), "floor 0 imports os"},
			{src("internal/dotenv/d.go", imports("dotenv", "os/exec")), "floor 0 imports os/exec"},
			{src("internal/secret/s.go", imports("secret", "net/http")), "floor 0 imports net/http"},
			{src("internal/leak/l.go", imports("leak", "log")), "floor 0 imports log"},
			{src("internal/leak/l.go", imports("leak", "database/sql")), "floor 0 imports database/sql"},
		},
		good: []map[string]string{src("internal/dotenv/d_test.go", "package dotenv_test\nimport _ \"os\"\n")},
	},
	{
		name:  "store is imported by its allow-list only",
		fix:   "ask custody's Desk; only custody, auth's read view, registry, server and the engines see the store",
		check: checkStoreUsers,
		bad: []badTree{
			{src("internal/front/vault/v.go", imports("vault", module+"/internal/store")), "internal/front/vault imports internal/store"},
			{src("internal/cli/c.go", imports("cli", module+"/internal/store/bolt")), "internal/cli imports internal/store/bolt"},
		},
	},
	{
		name:  "Apply is called in custody only",
		fix:   "return the operations to custody, which commits them together with their audit record",
		check: checkApply,
		bad: []badTree{
			{src("internal/auth/a.go", imports("auth", module+"/internal/store")+"func f(e interface{ Apply() }) { e.Apply() }\n"), "internal/auth calls Apply"},
			{src("internal/server/a.go", imports("server", module+"/internal/store"), "internal/server/b.go", body("server", "func f(e interface{ Apply() }) func() { return e.Apply }\n")), "internal/server calls Apply"},
		},
		good: []map[string]string{src("internal/rotate/r.go", body("rotate", "func f(e interface{ Apply() }) { e.Apply() }\n"))},
	},
	{
		name:  "Reveal is used on its allow-list only",
		fix:   "pass the secret.Value on; do not widen `revealers`",
		check: checkReveal,
		bad: []badTree{
			{src("internal/custody/c.go", body("custody", "func f(v interface{ Reveal() []byte }) { v.Reveal() }\n")), "custody/c.go:3: Reveal"},
			{src("internal/cli/get.go", body("cli", "func f(v interface{ Reveal() []byte }) { _ = v.Reveal }\n")), "cli/get.go:3: Reveal"},
			{src("internal/leak/rule.go", body("leak", "func f(v interface{ Reveal() []byte }) { _ = v.Reveal }\n")), "leak/rule.go:3: Reveal"},
		},
		good: []map[string]string{src("internal/cli/reveal.go", body("cli", "func f(v interface{ Reveal() []byte }) { _ = v.Reveal }\n"))},
	},
	{
		name:  "no init functions",
		fix:   "build it in a constructor, or list it in the literal table of internal/server",
		check: checkInit,
		bad:   []badTree{{src("internal/policy/p.go", body("policy", "func init() {}\n")), "init function"}},
		good:  []map[string]string{src("internal/policy/p.go", body("policy", "type t int\nfunc (t) init() {}\n"))},
	},
	{
		name:  "the process ends in cmd/keephold/main.go only",
		fix:   "return an error; cli.Run answers the exit code",
		check: checkExit,
		bad: []badTree{
			{src("internal/cli/c.go", "// Package cli x.\npackage cli\nimport \"os\"\nfunc f() { os.Exit(1) }\n"), "os.Exit ends the process"},
			{src("cmd/keephold/other.go", "// Command keephold x.\npackage main\nimport o \"os\"\nfunc f() { o.Exit(1) }\n"), "o.Exit ends"},
			{src("internal/cli/c.go", "// Package cli x.\npackage cli\nimport \"log\"\nfunc f() { log.Fatalf(\"\") }\n"), "log.Fatalf ends"},
		},
	},
	{
		name:  "no junk names",
		fix:   "name the package after the one thing it is; directory and package name agree",
		check: checkNames,
		bad: []badTree{
			{src("internal/util/u.go", imports("util")), `"util"`},
			{src("internal/auth/common/u.go", imports("common")), `"common"`},
			{src("internal/auth/token/u.go", imports("tok")), "package tok in directory token"},
		},
	},
	{
		name:  "files stay under 600 lines",
		fix:   "one file per idea: split it",
		check: checkLines,
		bad:   []badTree{{src("internal/auth/a.go", imports("auth")+strings.Repeat("\n", maxLines)), "a.go: 602 lines"}},
		good:  []map[string]string{src("internal/auth/a.go", "// Code generated by x. DO NOT EDIT.\n\n"+imports("auth")+strings.Repeat("\n", maxLines))},
	},
	{
		name:  "structs stay under 21 fields",
		fix:   "there is a second type in it",
		check: checkFields,
		bad: []badTree{
			{src("internal/auth/a.go", body("auth", "type t struct {"+strings.Repeat("_ int;", maxFields+1)+"}\n")), "21 fields"},
			{src("internal/auth/a.go", body("auth", "type t struct { a, b int; "+strings.Repeat("_ int;", maxFields-2)+" t2 }\ntype t2 int\n")), "21 fields"},
		},
	},
	{
		name:  "every package has a comment",
		fix:   "say in one sentence what the package is, starting with its name; if the sentence needs \"and\", split it",
		check: checkDoc,
		bad: []badTree{
			{src("internal/auth/a.go", "package auth\n"), "internal/auth: no comment"},
			{src("internal/auth/a.go", "// Here be dragons.\npackage auth\n"), "internal/auth: no comment"},
			{src("cmd/keephold/main.go", "package main\n"), "cmd/keephold: no comment"},
		},
		good: []map[string]string{src("internal/auth/a.go", "package auth\n", "internal/auth/b.go", imports("auth"))},
	},
	{
		name:  "no package-level state",
		fix:   "make it a field of the type that uses it; a table stays as it was written",
		check: checkState,
		bad: []badTree{
			{src("internal/auth/a.go", body("auth", "var seen = map[string]int{}\nfunc f() { seen[\"a\"] = 1 }\n")), "f writes to the package variable seen"},
			{src("internal/auth/a.go", body("auth", "var n int\n"), "internal/auth/b.go", body("auth", "func f() { n++ }\n")), "f writes to the package variable n"},
			{src("internal/auth/a.go", body("auth", "var t struct{ f []int }\nfunc f() { t.f[0] = 1 }\n")), "variable t"},
			{src("internal/auth/a.go", body("auth", "var m map[int]int\nfunc f() { delete(m, 1) }\n")), "variable m"},
			{src("internal/auth/a.go", "// Package auth x.\npackage auth\nimport \"sync\"\nvar mu sync.Mutex\n"), "mu is a lock"},
			{src("internal/auth/a.go", "// Package auth x.\npackage auth\nimport \"sync/atomic\"\nvar p atomic.Pointer[int]\n"), "p is a lock"},
			{src("internal/auth/a.go", body("auth", "var Methods = map[string]int{}\n")), "exported package variable Methods"},
		},
		good: []map[string]string{src("internal/auth/a.go", body("auth", "var n int\n"), "internal/auth/b.go", body("auth", "var _ any = 1\nfunc h() { _ = 1 }\nfunc f(n int) { n++ }\nfunc g() { n := 1; n = 2; _ = n }\n"))},
	},
	{
		name:  "nothing is compiled before it is needed",
		fix:   "var x = sync.OnceValue(func() *regexp.Regexp { … }): every process of ours waits for what is made when it starts",
		check: checkStart,
		bad: []badTree{
			{src("internal/auth/a.go", "// Package auth x.\npackage auth\nimport \"regexp\"\nvar re = regexp.MustCompile(`a`)\n"), "re is compiled"},
			{src("internal/auth/a.go", "// Package auth x.\npackage auth\nimport \"regexp\"\nvar all = []*regexp.Regexp{regexp.MustCompile(`a`)}\n"), "all is compiled"},
		},
		good: []map[string]string{src("internal/auth/a.go", "// Package auth x.\npackage auth\nimport (\"regexp\"; \"sync\")\nvar re = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`a`) })\nfunc f() { _ = regexp.MustCompile(`a`) }\n")},
	},
	{
		name:  "each front tests that its tables are complete",
		fix:   "range over secret.Sentinels() and over the front's operations, and look each one up in its table",
		check: checkRoomTests,
		bad: []badTree{
			{src("internal/front/vault/v.go", imports("vault")), "internal/front/vault: no TestErrorTableIsComplete"},
			{src("internal/front/vault/v.go", imports("vault"), "internal/front/vault/v_test.go", "package vault_test\nfunc TestErrorTableIsComplete() {}\n"), "no TestErrorTableIsComplete"},
			{src("internal/front/vault/v.go", imports("vault"), "internal/front/vault/v_test.go", "package vault_test\nfunc TestErrorTableIsComplete() { print() }\n"), "no TestEveryOperationHasAPolicyRow"},
		},
	},
	{
		name:  "no unwanted imports",
		fix:   "see docs/adr and CONTRIBUTING.md, Dependencies",
		check: checkUnwanted,
		bad: []badTree{
			{src("internal/auth/a.go", imports("auth", "github.com/stretchr/testify/require")), "no assertion library"},
			{src("internal/auth/a.go", imports("auth", "math/rand/v2")), "crypto/rand only"},
			{src("internal/auth/a.go", imports("auth", "C")), "cgo stays off"},
		},
		good: []map[string]string{src("internal/auth/a_test.go", "package auth_test\nimport _ \"math/rand/v2\"\n")},
	},
	{
		name:  "go.mod has no replace and no foreign core",
		fix:   "`go install …@latest` must work, under our licence",
		check: checkModule,
		bad: []badTree{
			{src("go.mod", "module m\nreplace a => b\n"), "go.mod:2: replace"},
			{src("go.mod", "module m\nrequire (\n\tgithub.com/hashicorp/vault v1.2.3\n)\n"), "licence"},
			{src("go.mod", "module m\nrequire github.com/hashicorp/vault v1.2.3\n"), "licence"},
		},
		good: []map[string]string{src("go.mod", "module m\nrequire github.com/hashicorp/vault/api v1.2.3 // replace\n")},
	},
}
