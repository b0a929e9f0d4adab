// Package house_test enforces the rules of the house on the whole tree: which room may import which, the one door to
// plaintext, and the sizes beyond which nobody can read along. It parses the sources and nothing else, so that it
// takes about a second. Every rule is also run on small bad trees, where it has to fail.
package house_test

import (
	"os"
	"strings"
	"testing"
)

const module = "github.com/keephold/keephold"

// floors places every package. Imports go down only. A pattern that ends in "/..." stands for the package and its
// sub-packages; every package matches exactly one pattern.
var floors = [][]string{
	0: {
		"internal/secret", "internal/policy", "internal/barrier", "internal/leak", "internal/dotenv",
		"internal/settings",
	},
	1: {
		"internal/store", "internal/store/bolt", "internal/store/mem", "internal/store/storetest",
		"internal/record/...", "internal/audit/...", "internal/seal/...", "internal/wire", "internal/lane", "internal/snapshot", "internal/hygiene", "internal/intercept",
	},
	2: {
		"internal/auth/...", "internal/registry", "internal/policy/hcl", "internal/policy/iam", "internal/settings/toml", "internal/scan/...",
		"internal/scrub", "internal/provider/...", "internal/inspect/...", "internal/launch", "internal/envfile",
		"internal/offline", "internal/ownkey",
	},
	3: {"internal/custody/..."},
	4: {"internal/front/...", "internal/rotate/...", "internal/ui"},
	5: {"internal/server"},
	6: {"internal/cli", "client", "redact", "keepholdtest"},
	7: {"cmd/keephold"},
}

// sideways lists the imports within a floor that are allowed, with the reason. It stays short: a new line needs its
// reason in the commit message too.
var sideways = []sidewaysImport{
	{from: "*", to: "internal/secret", why: "the vocabulary that every room of floor 0 speaks"},
	{from: "internal/store/...", to: "internal/store", why: "an engine implements the seam of its parent"},
	{from: "internal/audit/...", to: "internal/audit", why: "a sink implements the seam of its parent"},
	{from: "internal/audit/...", to: "internal/audit/segment", why: "the files of records that the Merkle log is drawn over"},
	{from: "internal/audit/...", to: "internal/audit/tile", why: "the hashes of the Merkle log, a room of its own beside the records"},
	{from: "internal/seal/...", to: "internal/seal", why: "a wrapper implements the seam of its parent"},
	{from: "internal/auth/...", to: "internal/auth", why: "a method implements the seam of its parent"},
	{from: "internal/auth/gcpsa", to: "internal/auth/machine", why: "a proof is held against the key that the identity has"},
	{from: "internal/auth/jwt", to: "internal/auth/machine", why: "a token of another issuer is held against the identity that trusts it"},
	{from: "internal/record/...", to: "internal/record", why: "the view in memory implements the seam of its parent"},
	{from: "internal/registry", to: "internal/auth", why: "administration says who asks: a Caller is made by auth only"},
	{from: "internal/registry", to: "internal/policy/hcl", why: "policies are administered as the text they were written in"},
	{from: "internal/inspect", to: "internal/inspect/python", why: "the syntax trees that settings are found in"},
	{from: "internal/scan/...", to: "internal/scan", why: "a source implements the seam of its parent"},
	{from: "internal/provider/...", to: "internal/provider", why: "a provider implements the seam of its parent"},
	{from: "internal/custody/...", to: "internal/custody", why: "the rig of tests opens the Desk of its parent"},
	{from: "internal/front/...", to: "internal/front", why: "a dialect implements the seam of its parent; never another front"},
	{from: "internal/rotate/...", to: "internal/rotate", why: "a rotator implements the seam of its parent"},
	{from: "internal/cli", to: "redact", why: "the command redact is the public package with flags"},
	{from: "client", to: "redact", why: "the two public packages may use each other"},
	{from: "redact", to: "client", why: "the two public packages may use each other"},
}

// stdlibOnly lists what, besides floor 0, may import only the standard library and floor 0 (and each other).
var stdlibOnly = []string{"client", "redact"}

// storeUsers may import internal/store.
var storeUsers = []string{
	"internal/custody/...", "internal/auth/...", "internal/registry", "internal/server", "internal/store/...",
}

// applyCallers may call Apply of an engine: custody, and the engines with their contract suite.
var applyCallers = []string{"internal/custody", "internal/store/..."}

// revealers may turn a secret.Value into bytes. A name that ends in .go is one file. Do not widen this list to make a
// test pass: it is the whole answer to "where can plaintext leave?".
var revealers = []string{
	"internal/secret", "internal/barrier", "internal/leak/value.go", "internal/front/...", "internal/rotate/...",
	"internal/provider/...", "internal/launch", "internal/ui", "internal/cli/reveal.go",
}

const (
	maxLines  = 600
	maxFields = 20
)

func TestHouse(t *testing.T) {
	tr, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.packages) == 0 {
		t.Fatal("found no packages: the house test walks the wrong directory")
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, offence := range r.check(tr) {
				t.Error(offence)
			}
			if t.Failed() {
				t.Log("how to fix: " + r.fix)
			}
		})
	}
}

// TestEveryRuleCanFail runs each rule on the small bad trees that stand beside it, and on a clean one.
func TestEveryRuleCanFail(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if len(r.bad) == 0 {
				t.Fatal("this rule has no bad example; a rule that cannot fail is not a rule")
			}
			for _, b := range r.bad {
				tr := mustLoad(t, b.tree)
				got := r.check(tr)
				if !strings.Contains(strings.Join(got, "\n"), b.want) || len(got) == 0 {
					t.Errorf("on %v:\ngot  %q\nwant an offence that contains %q", b.tree, got, b.want)
				}
			}
			for _, good := range append(r.good, cleanTree) {
				if got := r.check(mustLoad(t, good)); len(got) > 0 {
					t.Errorf("on the clean tree %v: got %q, want no offence", good, got)
				}
			}
		})
	}
}
