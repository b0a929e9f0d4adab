package hcl_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
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
		"json lists": `
{"name": "app", "path": [{"secret/data/app/*": [{"capabilities": ["read"]}, {"capabilities": "list"}]}, {"secret/data/app/admin": {"capabilities": ["deny"]}}]}`,
		"windows": "\r\npath \"secret/data/app/*\" {\r\n capabilities = [\"read\"]\r\n}\r\npath \"secret/data/app/admin\" { capabilities = [\"deny\"] }",
		"shorthand": `name = "app"
path "secret/data/app/*" { policy = "read" }
path "secret/data/app/admin" { policy = "deny" }`,
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			p, err := hcl.Parse("app", "app."+name, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Rules[0].Origin; got.Line != 2 || got.Policy != "app" || got.Text != "secret/data/app/*" || p.Text != text {
				t.Errorf("origin: got %+v", got)
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

func TestParseEveryKey(t *testing.T) {
	const text = `
path "auth/approle/role/web/secret-id" {
  capabilities        = ["create", "update", "patch", "sudo", "scan", "subscribe", "delete"]
  min_wrapping_ttl    = "1s"
  max_wrapping_ttl    = 90
  required_parameters = ["a", "b"]
  allowed_parameters  = {
    "Foo" = ["x", 5, 1.5, true]
    "any" = []
    "one" = "y"
    "*"   = []
  }
  denied_parameters {
    "no_store" = [false, "false"]
  }
  pagination_limit = "100"
  expiration       = "2031-02-03T04:05:06Z"
}
path "days" { max_wrapping_ttl = "2d" min_wrapping_ttl = "1h30m" }
path "sudo" { policy = "sudo" }
path "write" { policy = "write" }
path "denied" {
  capabilities = ["read", "deny"]
  required_parameters = ["x"]
}
path "empty" {}
`
	p, err := hcl.Parse("p", "", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := p.Rules[0]
	if want := policy.Every &^ (policy.Read | policy.List); r.Capabilities != want {
		t.Errorf("capabilities: got %v, want %v", r.Capabilities, want)
	}
	if want := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC); !r.Expires.Equal(want) {
		t.Errorf("expires: got %v", r.Expires)
	}
	c := r.Conditions
	if c.MinWrapTTL != time.Second || c.MaxWrapTTL != 90*time.Second || c.PageLimit != 100 || !slices.Equal(c.Required, []string{"a", "b"}) {
		t.Errorf("got %+v", c)
	}
	if got := fmt.Sprint(c.Allowed, c.Denied); got != `map[*:[] any:[] foo:["x" 5 1.5 true] one:["y"]] map[no_store:[false "false"]]` {
		t.Errorf("parameters: got %s", got)
	}
	if c := p.Rules[1].Conditions; c.MaxWrapTTL != 48*time.Hour || c.MinWrapTTL != 90*time.Minute {
		t.Errorf("durations: got %+v", c)
	}
	if got := fmt.Sprint(p.Rules[2].Capabilities, " ", p.Rules[3].Capabilities); got != "create,delete,list,read,sudo,update create,delete,list,read,update" {
		t.Errorf("shorthands: got %s", got)
	}
	if r := p.Rules[4]; r.Capabilities != policy.Deny || r.Conditions != nil {
		t.Errorf("deny: got %+v", r)
	}
	if r := p.Rules[5]; r.Capabilities != 0 || r.Conditions != nil {
		t.Errorf("empty: got %+v", r)
	}
}

func TestParseTellsFileLineAndRemedy(t *testing.T) {
	deep := strings.Repeat("[", 50) + strings.Repeat("]", 50)
	tests := []struct{ name, text, want string }{
		{"unknown capability", "path \"a\" {\n  capabilities = [\"raed\"]\n}", `p.hcl:2: path "a": unknown capability "raed": use create`},
		{"unknown key", "path \"a\" {\n\n  capability = []\n}", `p.hcl:3: path "a": unknown key "capability": known are`},
		{"unknown block", "\npaths \"a\" {}", `p.hcl:2: unknown key "paths": a policy holds path`},
		{"twice", "path \"a\" {\n capabilities = []\n capabilities = []\n}", `p.hcl:3: path "a": capabilities stands twice`},
		{"plus star", "\npath \"a/+*\" {}", `p.hcl:2: path "a/+*": "+*" is not a pattern`},
		{"template", "path \"a/{{identity.entity.nick}}\" {}", `p.hcl:1: path "a/{{identity.entity.nick}}": unknown template`},
		{"two labels", "path \"a\" \"b\" {}", `p.hcl:1: path with 2 labels: write one block for each path`},
		{"two labels inside", "path = { \"a\" \"b\" {} }", `p.hcl:1: path with 2 labels`},
		{"no block", "path = 5", `p.hcl:1: path without a block: write path`},
		{"no block below", "path = { \"a\" = 5 }", `p.hcl:1: path "a" has no block: write path "a" {`},
		{"list of paths", `{"path": [5]}`, `p.hcl:1: a list of paths holds objects only`},
		{"block with label", "path \"a\" {\n capabilities \"x\" {}\n}", `p.hcl:2: path "a": "capabilities" is a block with a label`},
		{"capabilities of numbers", "path \"a\" {\n capabilities = [1]\n}", `p.hcl:2: path "a": capabilities is not a list of strings`},
		{"capabilities as a block", "path \"a\" {\n capabilities = {}\n}", `p.hcl:2: path "a": capabilities is not a list of strings`},
		{"shorthand", "path \"a\" {\n policy = \"all\"\n}", `p.hcl:2: path "a": policy is not read, write, sudo or deny`},
		{"parameters as a list", "path \"a\" {\n allowed_parameters = [\"x\"]\n}", `p.hcl:2: path "a": allowed_parameters is not a map: write`},
		{"parameter twice", "path \"a\" {\n denied_parameters = {\n x = []\n X = []\n }\n}", `p.hcl:4: path "a": denied_parameters names "x" twice`},
		{"parameter with labels", "path \"a\" {\n denied_parameters = {\n x \"y\" {}\n }\n}", `p.hcl:3: path "a": denied_parameters holds a block with labels`},
		{"parameter of objects", "path \"a\" {\n denied_parameters = { x = [{}] }\n}", `p.hcl:2: path "a": denied_parameters: a value of "x" is neither text`},
		{"star with values", "path \"a\" {\n allowed_parameters = { \"*\" = [\"x\"] }\n}", `p.hcl:2: path "a": allowed_parameters: "*" stands for all other parameters`},
		{"time", "path \"a\" {\n min_wrapping_ttl = \"soon\"\n}", `p.hcl:2: path "a": min_wrapping_ttl: write a time such as "90s"`},
		{"negative time", "path \"a\" {\n min_wrapping_ttl = -1\n}", `p.hcl:2: path "a": min_wrapping_ttl: write a time`},
		{"half a day", "path \"a\" {\n min_wrapping_ttl = \"1.5d\"\n}", `p.hcl:2: path "a": min_wrapping_ttl: write a time`},
		{"times crossed", "\npath \"a\" { min_wrapping_ttl = 10 max_wrapping_ttl = 5 }", `p.hcl:2: path "a": max_wrapping_ttl is less than min_wrapping_ttl`},
		{"time of the wrong kind", "path \"a\" {\n min_wrapping_ttl = true\n}", `p.hcl:2: path "a": min_wrapping_ttl: write a time`},
		{"page of the wrong kind", "path \"a\" {\n pagination_limit = 1.5\n}", `p.hcl:2: path "a": pagination_limit is not a whole number`},
		{"page", "path \"a\" {\n pagination_limit = \"many\"\n}", `p.hcl:2: path "a": pagination_limit is not a whole number`},
		{"moment", "path \"a\" {\n expiration = \"tomorrow\"\n}", `p.hcl:2: path "a": expiration is not a time of the form`},
		{"ignored would grant", "path \"a\" {\n control_group = {}\n}", `p.hcl:2: path "a": control_group is not supported, and ignoring it would grant more`},
		{"json twice", "{\"path\": {\"a\": {},\n \"a\": {}}}", `p.hcl:2: not JSON: the key "a" stands twice`},
		{"json cut", "{\"path\": {\n\"a\": {", `p.hcl:2: not JSON: unexpected EOF`},
		{"json cut in a list", "{\"path\": [", `p.hcl:1: not JSON: unexpected EOF`},
		{"json cut after a key", "{\"path\"", `p.hcl:1: not JSON: unexpected EOF`},
		{"json and more", "{}\n{}", `p.hcl:2: not JSON: there is more`},
		{"json deep", `{"path": ` + deep + "}", `p.hcl:1: not JSON: more than 12 levels`},
		{"hcl deep", "path \"a\" {\n x = " + deep + "}", "p.hcl:2: more than 12 levels"},
		{"hcl broken", "path \"a\" {\n capabilities = [\"read\"\n", "p.hcl:3: not HCL: error parsing list"},
		{"hcl without a value", "path \"a\"", "p.hcl:"},
		{"number out of range", "path \"a\" {\n x = 99999999999999999999\n}", "p.hcl:2: 99999999999999999999 cannot be read"},
		{"float out of range", "path \"a\" {\n x = [1e999]\n}", "p.hcl:2: 1e999 cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := hcl.Parse("p", "p.hcl", []byte(tt.text))
			var at *hcl.Error
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || !errors.As(err, &at) || errors.Unwrap(at) == nil {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestParseTellsAllFaultsUpToABound(t *testing.T) {
	_, err := hcl.Parse("p", "", []byte("path \"a\" { x = 1 }\npath \"b\" { y = 1 }"))
	if got := err.Error(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `p:2: path "b": unknown key "y"`) {
		t.Errorf("got %s", got)
	}
	_, err = hcl.Parse("p", "", []byte(strings.Repeat("x = 1\n", 1000)))
	if got := strings.Count(err.Error(), "\n") + 1; got != 20 {
		t.Errorf("got %d errors", got)
	}
}

func TestParseBounds(t *testing.T) {
	if _, err := hcl.Parse("p", "", make([]byte, hcl.MaxSize+1)); err == nil || !strings.Contains(err.Error(), "split it") {
		t.Errorf("size: got %v", err)
	}
	if _, err := hcl.Parse("p", "", []byte(strings.Repeat("path \"a\" {}\n", hcl.MaxRules+1))); err == nil || !strings.Contains(err.Error(), "split the policy") {
		t.Errorf("rules: got %v", err)
	}
	if _, err := hcl.Parse("p", "", []byte(strings.Repeat("[", hcl.MaxSize))); err == nil {
		t.Error("half a million brackets were read")
	}
}

// worstTexts are what a parser may be made to work hardest with, each repeated to the size that is permitted.
func worstTexts(yield func(string, []byte) bool) {
	for _, unit := range []string{"{", "[", "path \"a\" {", "a=[", "\"${", "/*", "#\n", "<<A\n", "a {", "{\"a\":", "[{", "\\", "a=\"\\", "\"\n", "path \"a\" { capabilities = [\"read\"] }\n", "{\"path\":["} {
		if !yield(unit, []byte(strings.Repeat(unit, hcl.MaxSize/len(unit)))) {
			return
		}
	}
}

// TestAdvisoryParserDenialOfService: the worst texts of the permitted size never end the process, and cost memory in
// proportion to their size. What they cost in time is BenchmarkWorstTexts.
func TestAdvisoryParserDenialOfService(t *testing.T) {
	for unit, text := range worstTexts {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = hcl.Parse("p", "", text)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 256*uint64(len(text)) {
			t.Errorf("%q repeated: %d bytes of text take %d bytes", unit, len(text), took)
		}
	}
}

func BenchmarkWorstTexts(b *testing.B) {
	for unit, text := range worstTexts {
		b.Run(unit, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _ = hcl.Parse("p", "", text)
			}
		})
	}
}

// TestMergeOfStanzas: the same path in one file and in two merges as the vendor has it.
func TestMergeOfStanzas(t *testing.T) {
	one, err := hcl.Parse("one", "", []byte(`path "a" { capabilities = ["read"] } path "a" { capabilities = ["update"] allowed_parameters = { x = ["1"] } }`))
	if err != nil {
		t.Fatal(err)
	}
	two, err := hcl.Parse("two", "", []byte(`path "a" { capabilities = ["list"] allowed_parameters = { x = ["2"], y = [] } }`))
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Compile(time.Time{}, one, two)
	if got := s.Capabilities("a"); got != policy.Read|policy.Update|policy.List {
		t.Errorf("got %v", got)
	}
	if !s.NeedsParams() {
		t.Error("parameters are needed")
	}
}
