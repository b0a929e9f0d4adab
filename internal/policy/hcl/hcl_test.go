package hcl_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/hcl"
)

func TestParseBothForms(t *testing.T) {
	texts := map[string]string{
		"hcl": `# a comment
path "secret/data/app/*" {
  capabilities = ["read", "list"]
  comment = "for the app"
}
path "secret/data/app/admin" { capabilities = ["deny"] }
`,
		"json": `{"path": {
  "secret/data/app/*": {"capabilities": ["read", "list"]},
  "secret/data/app/admin": {"capabilities": ["deny"]}
}}`,
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			p, err := hcl.Parse("app", "app."+name, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Rules[0].Origin.Line; got != 2 {
				t.Errorf("line: got %d, want 2", got)
			}
			s := policy.Compile(time.Time{}, p)
			for resource, want := range map[string]bool{"secret/data/app/db": true, "secret/data/app/admin": false, "secret/data/other": false} {
				if got := s.Decide(policy.Request{Resource: resource, Capability: policy.Read}).Allowed; got != want {
					t.Errorf("read %s: got %v, want %v", resource, got, want)
				}
			}
		})
	}
}

func TestParseTellsFileLineAndRemedy(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown capability", "path \"a\" {\n  capabilities = [\"raed\"]\n}", `p.hcl:2: path "a": unknown capability "raed": use create`},
		{"unknown key", "path \"a\" {\n\n  capabilites = []\n}", `p.hcl:3: path "a": unknown key "capabilites": known are`},
		{"twice", "path \"a\" {\n capabilities = []\n capabilities = []\n}", `p.hcl:3: path "a": capabilities stands twice`},
		{"plus star", "\npath \"a/+*\" {}", `p.hcl:2: path "a/+*": "+*" is not a pattern`},
		{"json twice", "{\"path\": {\"a\": {},\n \"a\": {}}}", `p.hcl:2: not JSON: the key "a" stands twice`},
		{"deep", "path \"a\" { x = " + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "}", "p.hcl:1: more than 12 levels"},
		{"ignored would grant", "path \"a\" {\n control_group = {}\n}", "p.hcl:2: path \"a\": control_group is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := hcl.Parse("p", "p.hcl", []byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
