package hcl_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/hcl"
)

// FuzzParse: no text makes the reader panic or gives a rule that does not say where it stands; and JSON that is read is JSON.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"path \"secret/*\" {\n  capabilities = [\"read\", \"list\"]\n}",
		`{"path": {"a": {"capabilities": ["read"], "allowed_parameters": {"x": ["y", 1, true, null]}}}}`,
		`{"path": [{"a": {}}, {"b": [{}, {}]}]}`,
		"path \"a/{{identity.entity.id}}\" { policy = \"write\" min_wrapping_ttl = 5 expiration = \"2030-01-01T00:00:00Z\" }",
		"path \"a\" { comment = <<EOT\nhello\nEOT\n}", "path \"a\" { x = 99999999999999999999 }", "path \"a\" { capabilities = [\"${\"] }", "a = 1e999", "path = {}", "path \"a\" \"b\" {}", "name = \"x\"", "[[[[", "{", "\ufeff{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := hcl.Parse("p", "p.hcl", src)
		if err != nil {
			if p != nil || !strings.HasPrefix(err.Error(), "p.hcl:") {
				t.Fatalf("got %v with %v", p, err)
			}
			return
		}
		if strings.HasPrefix(strings.TrimLeft(string(src), " \t\r\n"), "{") && !json.Valid(src) {
			t.Fatalf("%q is not JSON and was read", src)
		}
		lines := strings.Count(string(src), "\n") + 1
		for _, r := range p.Rules {
			if r.Origin.Line < 1 || r.Origin.Line > lines || r.Origin.Policy != "p" || r.Effect != policy.Allow {
				t.Fatalf("%q: rule %+v", src, r)
			}
		}
		policy.Compile(time.Time{}, p).Explain(policy.Request{Resource: "secret/data/x", Capability: policy.Read})
	})
}
