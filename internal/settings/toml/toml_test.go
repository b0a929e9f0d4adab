package toml_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/settings"
	"github.com/keephold/keephold/internal/settings/toml"
)

const shop = `# the shop
project = "shop"
id = "p_7qk2m9xd" # made by init
store = "local"
default_env = "dev"

[env.dev]
space = "shop/dev"
[env.staging]
inherits = "dev"
[env.prod]
inherits = "staging"
protected = true
sources = ["aws://123456789012/eu-west-1/prod/shop/"]

[settings.DATABASE_URL]
type = "url"
required = true
secret = true
default = ""
description = "PostgreSQL of the shop"
example = "postgresql://user:password@localhost:5432/dbname"

[settings.PORT]
type = "port"
default = 8000
required = ["prod"]

[redact]
patterns = [{ match = "a+", replace = "x" }]
`

func read(t *testing.T, src string) *toml.Project {
	t.Helper()
	p, err := toml.Read("keephold.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRead(t *testing.T) {
	p := read(t, shop)
	empty, port := "", "8000"
	want := &toml.Project{
		Name: "shop", ID: "p_7qk2m9xd", Store: "local", DefaultEnv: "dev",
		Envs: []toml.Env{
			{Name: "dev", Space: "shop/dev"}, {Name: "staging", Space: "shop/staging", Inherits: "dev"},
			{Name: "prod", Space: "shop/prod", Inherits: "staging", Protected: true,
				Sources: []string{"aws://123456789012/eu-west-1/prod/shop/"}},
		},
		Settings: settings.Schema{
			{Name: "DATABASE_URL", Type: settings.URL, Required: settings.Required{Always: true}, Secret: true, Default: &empty,
				Description: "PostgreSQL of the shop", Example: "postgresql://user:password@localhost:5432/dbname"},
			{Name: "PORT", Type: settings.Port, Required: settings.Required{In: []string{"prod"}}, Default: &port},
		},
		Redact: []toml.Redaction{{Match: "a+", Replace: "x"}},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v\nwant %+v", p, want)
	}
	chain, err := p.Chain("prod")
	if err != nil || len(chain) != 3 || chain[2].Name != "dev" {
		t.Errorf("got %v, %v", chain, err)
	}
	written, err := toml.Write(p)
	if err != nil {
		t.Fatal(err)
	}
	if again := read(t, string(written)); !reflect.DeepEqual(again, want) {
		t.Errorf("what was written reads as %+v\n%s", again, written)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ name, src, want, hint string }{
		{"unknown key", "project = \"a\"\nstor = \"x\"\n", `keephold.toml:2:1: unknown key "stor"`, `did you mean "store"?`},
		{"unknown key of a setting", "project = \"a\"\n[settings.X]\n  requird = true\n", `:3:3: unknown key "settings.X.requird"`, `"required"`},
		{"unknown key of an environment", "project = \"a\"\n[env.dev]\nsecrets = 1\n", `:3:1: unknown key "env.dev.secrets"`, ""},
		{"syntax", "project = \"a\"\nid = \n", ":2:", ""},
		{"wrong type", "project = 1\n", ":1:", ""},
		{"no project", "id = \"x\"\n", "project is a name", ""},
		{"bad type", "project = \"a\"\n[settings.X]\ntype = \"number\"\n", `:2:2: setting X: unknown type "number"`, ""},
		{"default of a secret", "project = \"a\"\n[settings.X]\nsecret = true\ndefault = \"hunter2\"\n", ":2:2: setting X: a secret may have no default", ""},
		{"required", "project = \"a\"\n[settings.X]\nrequired = \"yes\"\n", ":3:1: required is true", ""},
		{"required somewhere else", "project = \"a\"\n[settings.X]\nrequired = [\"prd\"]\n", ":3:1: setting X is required in prd", ""},
		{"no such parent", "project = \"a\"\n[env.dev]\ninherits = \"base\"\n", ":3:1: environment base: not found", ""},
		{"circle", "project = \"a\"\n[env.a]\ninherits = \"b\"\n[env.b]\ninherits = \"a\"\n", "inherits from itself", ""},
		{"default_env", "project = \"a\"\ndefault_env = \"x\"\n[env.a]\n", ":2:1: default_env names x", ""},
		{"store without encryption", "project = \"a\"\nstore = \"http://keephold.internal\"\n", ":2:1: store is reached without encryption", ""},
		{"store with a password", "project = \"a\"\nstore = \"https://u:p@h\"\n", ":2:1: store is", ""},
	} {
		_, err := toml.Read("keephold.toml", []byte(c.src))
		var e *toml.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the value", c.name)
		}
	}
}

// TestReadManySettings: what is decoded in parts reads as if it had been decoded whole, and what is wrong has its line.
func TestReadManySettings(t *testing.T) {
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "[settings.S%03d]\nrequired = true # %d\n", i, i)
	}
	for _, c := range []struct{ name, src, want string }{
		{"in order", many.String(), ""},
		{"with tables between", many.String() + "[env.dev]\n" + strings.ReplaceAll(many.String(), "S", "T"), ""},
		{"text that looks like a table", "[settings.A]\ndescription = \"\"\"\n[settings.B]\n\"\"\"\n" + many.String(), ""},
		{"twice, far apart", many.String() + "[settings.S000]\n", ":402:"},
		{"twice, the second of another kind", many.String() + "[[settings.S000]]\n", ":402:"},
		{"twice, side by side", many.String() + "[settings.S199]\n", ":402:"},
		{"first as a key of another table", "[settings]\nS150.secret = true\n" + many.String(), ":304:"},
		{"all kinds of values", "[settings.A]\ntype = 'int'\nrequired = ['dev', \"prod\"]\nchoices = [\n \"1\", # one\n \"2\"]\ndefault = 1\n[settings.F]\ndefault = 8_000\n[settings.B]\ndefault = 0x10\n[settings.C]\ndefault = 1.5\n[settings.D]\ndefault = 7\nrequired = []\nchoices = []\n[settings.E]\ndefault = true\ndescription = \"\"\"a\n\\u00e9\"\"\"\n[env.dev]\n[env.prod]\n" + many.String(), ""},
		{"keys with dots and quotes", "[ settings . \"A\" ]\nsecret = true\n[settings.'B.C']\n" + many.String(), ""},
		{"a key twice", many.String() + "secret = true\nsecret = true\n", ":403:"},
		{"all in one line", "settings = { A = { type = \"int\" } }\n" + many.String(), ":3:"},
		{"a table below", many.String() + "[settings.S000.more]\n", ":402:"},
		{"an unknown key at the end", many.String() + "secrets = 1\n", `:402:1: unknown key "settings.S199.secrets"`},
		{"a wrong type in the middle", strings.Replace(many.String(), "required = true # 100\n", "secret = 1\n", 1), ":203:"},
		{"broken off", many.String() + "secret = \n", ":402:"},
	} {
		p, err := toml.Read("keephold.toml", []byte("project = \"a\"\n"+c.src))
		if c.want == "" {
			if err != nil || len(p.Settings) < 200 || !p.Settings[199].Required.Always {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if plain := toml.IsPlain([]byte("project = \"a\"\n" + c.src)); plain != (c.want == "") {
			t.Errorf("%s: its plain tables are taken: %v", c.name, plain)
		}
		if difference := toml.ComparePlain([]byte("project = \"a\"\n" + c.src)); difference != "" {
			t.Errorf("%s: %s", c.name, difference)
		}
	}
}

func TestEditKeepsComments(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		path  []string
		want  [2]string // what is replaced by what
	}{
		{"a key", "https://h", []string{"store"}, [2]string{`store = "local"`, `store = "https://h"`}},
		{"before a comment", "p_1", []string{"id"}, [2]string{`id = "p_7qk2m9xd" #`, `id = "p_1" #`}},
		{"a list", []string{"a", "b"}, []string{"env", "prod", "sources"}, [2]string{`["aws://123456789012/eu-west-1/prod/shop/"]`, `["a", "b"]`}},
		{"a new key", true, []string{"env", "dev", "protected"}, [2]string{"space = \"shop/dev\"\n", "space = \"shop/dev\"\nprotected = true\n"}},
		{"a new table", "dev", []string{"env", "ci", "inherits"}, [2]string{"replace = \"x\" }]\n", "replace = \"x\" }]\n\n[env.ci]\ninherits = \"dev\"\n"}},
	} {
		got, err := toml.Set([]byte(shop), c.value, c.path...)
		want := strings.Replace(shop, c.want[0], c.want[1], 1)
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\ngot\n%s", c.name, err, got)
		}
		read(t, string(got))
	}
	got, added, err := toml.AddSettings([]byte(shop), settings.Schema{{Name: "PORT"}, {Name: "we.ird", Secret: true}})
	if err != nil || len(added) != 1 || !strings.HasPrefix(string(got), shop) {
		t.Fatalf("got %v, %v\n%s", added, err, got)
	}
	if s := read(t, string(got)).Settings.Lookup("we.ird"); s == nil || !s.Secret {
		t.Errorf("the added setting is not there")
	}
}

// FuzzRead: no input makes the reader or the editor panic, and an edit of a file that reads, reads.
func FuzzRead(f *testing.F) {
	f.Add(shop)
	f.Add("[settings.A]\nsecret = true\n[settings.B]\n[settings.A]\n[[settings.C]]\n[settings]\nD.type = \"int\"\n")
	f.Add("[settings.A]\nrequired = [\"dev\"]\ndefault = 08\n[settings.B]\nchoices = ['a']\ndefault = -1\n[env.dev]\n[settings.C]\ndefault = 1e3\nsecret = false\n")
	f.Add("project = \"a\"\nx = [1, # c\n 2]\n[env]\ndev = { space = '''x''' }\n")
	f.Fuzz(func(t *testing.T, src string) {
		if difference := toml.ComparePlain([]byte(src)); difference != "" {
			t.Fatal(difference)
		}
		p, err := toml.Read("f", []byte(src))
		if err != nil {
			return
		}
		edited, err := toml.Set([]byte(src), "p_new", "id")
		if err != nil {
			t.Fatal(err)
		}
		again, err := toml.Read("f", edited)
		if err != nil || again.ID != "p_new" || len(again.Settings) != len(p.Settings) {
			t.Fatalf("the edited file reads as %+v, %v\n%q", again, err, edited)
		}
	})
}

func TestRedactPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{`{ match = "tok_[a-z0-9]+", replace = "[token]" }`, ""},
		{`{ match = "(?i)order-\\d{6}" }`, ""},
		{`{ replace = "x" }`, "keephold.toml:3:1: redact pattern 2: match is empty"},
		{`{ match = "a(b" }`, "redact pattern 2: match is no expression: missing closing ): `a(b`"},
		{`{ match = "a(?=b)" }`, "redact pattern 2: match is no expression: invalid or unsupported Perl syntax"},
		{`{ match = "a*" }`, "redact pattern 2: match takes the empty text"},
		{`{ match = "a+", replace = "x\ny" }`, "redact pattern 2: replace has a line feed"},
		{`{ match = "[a-z]+", replace = "hidden" }`, "redact pattern 2: match takes its own replacement"},
		{`{ match = "a+", replce = "x" }`, `unknown key "redact.replce"`},
	} {
		p, err := toml.Read("keephold.toml", []byte("project = \"shop\"\n[redact]\npatterns = [ { match = \"z\" }, "+c.pattern+"]\n"))
		switch {
		case c.want == "" && (err != nil || len(p.Redact) != 2):
			t.Errorf("%s: %v", c.pattern, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", c.pattern, err, c.want)
		}
		var e *toml.Error
		if errors.As(err, &e) && e.Hint == "" {
			t.Errorf("%s: no hint", c.pattern)
		}
	}
}
