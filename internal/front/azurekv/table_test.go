package azurekv

import (
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

func TestErrorTableIsComplete(t *testing.T) {
	for _, s := range secret.Sentinels() {
		if f, ok := table[s]; !ok || f.status < 400 || f.code == "" {
			t.Errorf("%q has no row in the table of errors", s)
		}
	}
}

// TestEveryOperationHasAPolicyRow holds the routes against policy's table, both ways.
func TestEveryOperationHasAPolicyRow(t *testing.T) {
	used := map[policy.Operation]bool{"azure.token": true} // the token service, which has no route here
	for _, r := range routes() {
		for _, op := range r.policy {
			if !op.Known() {
				t.Errorf("%s %s: policy knows no operation %q", r.method, r.pattern, op)
			}
			used[op] = true
		}
	}
	for _, op := range policy.Operations() {
		if strings.HasPrefix(string(op), "azure.") && !used[op] {
			t.Errorf("no route has the operation %q", op)
		}
	}
}

func TestPlace(t *testing.T) {
	f := &Front{cfg: Config{Domains: []string{"vault.example"}, Vault: "dev"}}
	for _, c := range []struct{ host, vault, resource string }{
		{"shop.vault.example", "shop", "https://vault.example"},
		{"Shop.Vault.Example:8200", "shop", "https://vault.example:8200"},
		{"127.0.0.1:8200", "dev", "https://0.0.1:8200"},
		{"localhost:8200", "dev", "https://localhost:8200"},
		{"[::1]:8200", "dev", "https://[::1]:8200"},
		{"a.b.vault.example", "dev", "https://b.vault.example"},
		{"shop.vault.example.evil", "dev", "https://vault.example.evil"},
	} {
		if vault, resource := f.place(c.host); vault != c.vault || resource != c.resource {
			t.Errorf("%s: got %s and %s, want %s and %s", c.host, vault, resource, c.vault, c.resource)
		}
	}
}

func TestVersionsOfTheAPI(t *testing.T) {
	for v, want := range map[string]bool{
		"7.0": true, "7.6": true, "7.6-preview": true, "2025-07-01": true, "2026-04-01": true, "2027-01-01-preview": true,
		"7.7": false, "6.0": false, "2016-10-01": false, "": false, "2025-7-1": false, "latest": false, "7.10": false,
	} {
		if got := v != "" && knownVersion(v); got != want {
			t.Errorf("%q: got %t", v, got)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"api-version=7.4", "api%2Dversion=7.4&maxresults=3", "api-version=2025-07-01&$skiptoken=czE", "%zz", "api-version=7.4&maxresults=-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err == nil && (q.limit < 1 || q.limit > maxPage || len(q.after) > 1024 || !knownVersion(q.version)) {
			t.Errorf("%q: got %+v", raw, q)
		}
	})
}
