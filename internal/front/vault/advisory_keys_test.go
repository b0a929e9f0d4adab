package vault

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
)

// Each test here is named after a class of advisory that a peer had.

// as makes a token with a policy of that text and asks with it from now on.
func (k *keyhole) as(name, text string) {
	k.t.Helper()
	local, err := k.desk.Local()
	if err != nil {
		k.t.Fatal(err)
	}
	n, err := policy.NormalizeName(name)
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := custody.Do(k.t.Context(), k.desk, local, registry.WritePolicy{Name: n, Text: text, Resource: "sys/policies/acl/" + name}); err != nil {
		k.t.Fatal(err)
	}
	made, err := custody.Do(k.t.Context(), k.desk, local, auth.Create{OrphanPath: true, Policies: []string{name}})
	if err != nil {
		k.t.Fatal(err)
	}
	k.token = string(made.Token.Reveal())
}

func TestAdvisoryRekeyCancelNeedsNonce(t *testing.T) {
	k, shares := opened(t)
	root := k.token
	nonce := k.must("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)["nonce"].(string)
	k.must("PUT", "sys/rekey/update", k.key(shares[0], "nonce", nonce))

	k.token = ""
	for _, path := range []string{"sys/rekey/init", "sys/rotate/root/init", "sys/rekey/init?nonce=" + nonce} {
		k.refused(http.StatusForbidden, "DELETE", path, "") // without authentication
	}
	k.as("deputy", `path "sys/rekey/*" { capabilities = ["read", "update", "delete", "sudo"] }`)
	k.refused(http.StatusBadRequest, "DELETE", "sys/rekey/init", "") // with leave, without the nonce
	k.refused(http.StatusBadRequest, "DELETE", "sys/rekey/init", `{"nonce":"00000000-0000-4000-8000-000000000000"}`)
	k.token = root
	if got := k.must("GET", "sys/rekey/init", ""); got["progress"] != 1.0 {
		t.Fatalf("the attempt was disturbed: %v", got)
	}
	k.as("deputy", `path "sys/rekey/*" { capabilities = ["read", "update", "delete", "sudo"] }`)
	k.must("DELETE", "sys/rekey/init", `{"nonce":"`+nonce+`"}`)
	if got := k.must("GET", "sys/rekey/init", ""); got["started"] != false {
		t.Errorf("after cancel: %v", got)
	}
	k.token = root
	k.must("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	k.must("DELETE", "sys/rekey/init", "") // the starter is known by their token, as hvac's cancel_rekey has it
}

func TestAdvisoryRekeyUpdateNeedsNonceAndAuthentication(t *testing.T) {
	k, shares := opened(t)
	nonce := k.must("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)["nonce"].(string)
	if text := k.refused(http.StatusBadRequest, "PUT", "sys/rekey/update", k.key(shares[0])); strings.Contains(text, nonce) {
		t.Errorf("the refusal tells the nonce: %q", text)
	}
	k.as("reader", `path "sys/*" { capabilities = ["read", "update", "delete"] }`)
	for _, x := range [][3]string{
		{"GET", "sys/rekey/init", ""}, {"PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`}, {"DELETE", "sys/rekey/init", ""},
		{"PUT", "sys/rekey/update", k.key(shares[0], "nonce", nonce)}, {"GET", "sys/rekey/verify", ""}, {"PUT", "sys/rekey/verify", k.key(shares[0], "nonce", nonce)},
		{"DELETE", "sys/rekey/verify", ""}, {"GET", "sys/rekey/backup", ""}, {"DELETE", "sys/rekey/backup", ""}, {"PUT", "sys/seal", ""},
		{"PUT", "sys/rekey-recovery-key/init", `{"secret_shares":1,"secret_threshold":1}`}, {"PUT", "sys/rotate/recovery/init", `{"secret_shares":1,"secret_threshold":1}`},
	} {
		k.refused(http.StatusForbidden, x[0], x[1], x[2]) // without sudo
	}
}

func TestAdvisoryGenerateRootNeedsProofAndNonce(t *testing.T) {
	k, shares := opened(t)
	root := k.token
	k.token = ""
	k.refused(http.StatusForbidden, "PUT", "sys/generate-root/attempt", "")
	k.refused(http.StatusForbidden, "PUT", "sys/generate-root/attempt", k.key("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"))
	k.as("deputy", `path "sys/*" { capabilities = ["read", "update", "delete"] }`)
	k.refused(http.StatusForbidden, "PUT", "sys/generate-root/attempt", "") // without sudo

	k.token = ""
	nonce := k.must("PUT", "sys/generate-root/attempt", k.key(shares[0]))["nonce"].(string)
	if got := k.must("GET", "sys/generate-root/attempt", ""); got["nonce"] != "" || got["started"] != true {
		t.Errorf("a stranger is told the nonce: %v", got)
	}
	k.refused(http.StatusForbidden, "DELETE", "sys/generate-root/attempt", "")
	k.refused(http.StatusBadRequest, "DELETE", "sys/generate-root/attempt", `{"nonce":"00000000-0000-4000-8000-000000000000"}`)
	if text := k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/update", k.key(shares[1])); strings.Contains(text, nonce) {
		t.Errorf("the refusal tells the nonce: %q", text)
	}
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/update", k.key("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh", "nonce", nonce))
	k.token = root
	if got := k.must("GET", "sys/generate-root/attempt", ""); got["nonce"] != nonce || got["progress"] != 0.0 {
		t.Errorf("with sudo: %v", got)
	}
	k.token = ""
	k.must("DELETE", "sys/generate-root/attempt", `{"nonce":"`+nonce+`"}`)
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/update", k.key(shares[0], "nonce", nonce))
}

func TestAdvisoryRecoveryStateIsBounded(t *testing.T) {
	k, shares := opened(t)
	k.token = ""
	limited := false
	for range 40 {
		if status, _ := k.ask("PUT", "sys/generate-root/attempt", k.key("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh")); status == http.StatusTooManyRequests {
			limited = true
		}
	}
	if !limited {
		t.Error("forty wrong proofs were not limited")
	}
	limited = false
	for range 20 {
		status, got := k.ask("PUT", "sys/generate-root/attempt", k.key(shares[0]))
		if status == http.StatusTooManyRequests {
			limited = true
			break
		}
		k.must("DELETE", "sys/generate-root/attempt", `{"nonce":"`+got["nonce"].(string)+`"}`)
	}
	if !limited {
		t.Error("twenty starts were not limited")
	}
}

func TestAdvisoryRootAttemptEnds(t *testing.T) {
	k, shares := opened(t)
	nonce := k.must("PUT", "sys/generate-root/attempt", k.key(shares[0]))["nonce"].(string)
	k.clock = k.clock.Add(11 * time.Minute)
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/update", k.key(shares[0], "nonce", nonce))
	if got := k.must("GET", "sys/generate-root/attempt", ""); got["started"] != false {
		t.Errorf("after eleven minutes: %v", got)
	}
	// A rekey voids the shares that an attempt was begun with.
	nonce = k.must("PUT", "sys/generate-root/attempt", "")["nonce"].(string)
	rekey := k.must("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)["nonce"].(string)
	k.must("PUT", "sys/rekey/update", k.key(shares[0], "nonce", rekey))
	k.must("PUT", "sys/rekey/update", k.key(shares[1], "nonce", rekey))
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/update", k.key(shares[0], "nonce", nonce))
}

func TestAdvisoryNamespaceRulesNoKeys(t *testing.T) {
	k, shares := opened(t)
	local, err := k.desk.Local()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Do(t.Context(), k.desk, local, registry.MakeNamespace{Name: "team"}); err != nil {
		t.Fatal(err)
	}
	for _, x := range [][3]string{
		{"PUT", "team/sys/seal", ""}, {"PUT", "team/sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`}, {"PUT", "team/sys/generate-root/attempt", ""},
		{"PUT", "team/sys/generate-root/attempt", k.key(shares[0])}, {"GET", "team/sys/rekey/init", ""},
	} {
		if status, got := k.ask(x[0], x[1], x[2]); status != http.StatusNotFound {
			t.Errorf("%s %s with the root token: %d %v, want 404", x[0], x[1], status, got)
		}
	}
	if k.desk.Sealed() {
		t.Error("sealed from a namespace")
	}
}
