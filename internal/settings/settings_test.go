package settings_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/settings"
)

func TestCheckValue(t *testing.T) {
	const any, dec, pyd = settings.AnyWords, settings.DecoupleWords, settings.PydanticWords
	for _, c := range []struct {
		typ    settings.Type
		words  settings.Words
		accept []string
		refuse []string
	}{
		{settings.Bool, dec, []string{"y", "YES", "t", "True", "on", "1", "n", "no", "f", "false", "off", "0", ""}, []string{"2", " true", "enabled"}},
		{settings.Bool, pyd, []string{"y", "YES", "t", "True", "on", "1", "OFF"}, []string{"", "2", " true"}},
		{settings.Int, pyd, []string{"5", " 5 ", "1_000", "1.0", "+5", "-5"}, []string{"1.5", "0x10", "", "1e3", "_1", "1__0", "٣"}},
		{settings.Int, dec, []string{"5", " 5 ", "1_000", "+5"}, []string{"1.0", "", "x"}},
		{settings.Float, pyd, []string{"1", " 1 ", "1_0.5", "inf", "nan", "1e3", "1e999"}, []string{"", "0x1", "1,5"}},
		{settings.Duration, pyd, []string{"P1DT2H", "01:02:03", "1 day", "1d 01:00:00", "-PT5M", "1 days, 01:00:00"}, []string{"15m", "P", "PT", "", "x"}},
		{settings.Duration, any, []string{"15m", "1.5h", "90", "PT15M"}, []string{"soon", ""}},
		{settings.URL, any, []string{"postgresql://u:p@localhost:5432/db", "https://x", "sqlite:///./a.db", "redis://h"}, []string{"localhost:80", "x", "https://", "http://a b"}},
		{settings.Email, any, []string{"a@example.org"}, []string{"a", "a@b", "a b@c.d", "@x.y", "a@.x"}},
		{settings.Port, any, []string{"1", "65535"}, []string{"0", "65536", "x", "-1"}},
		{settings.IP, any, []string{"127.0.0.1", "::1"}, []string{"localhost", "1.2.3"}},
		{settings.JSON, any, []string{`{"a":1}`, "1"}, []string{"{", "a"}},
		{settings.List, pyd, []string{`["a","b"]`, " [1] "}, []string{"a,b", `{"a":1}`}},
		{settings.List, dec, []string{"a,b", ""}, nil},
		{settings.PEM, any, []string{"-----BEGIN X-----\nAAAA\n-----END X-----\n"}, []string{`-----BEGIN X-----\nAAAA\n-----END X-----`}},
		{settings.Path, any, []string{"/a", "b"}, []string{"", " "}},
		{settings.String, any, []string{"", "x"}, []string{"a\x00"}},
	} {
		s := settings.Setting{Name: "X", Type: c.typ}
		for _, v := range c.accept {
			if err := s.Check(v, c.words); err != nil {
				t.Errorf("%s %q: %v", c.typ, v, err)
			}
		}
		for _, v := range c.refuse {
			err := s.Check(v, c.words)
			if err == nil {
				t.Errorf("%s %q was accepted", c.typ, v)
			} else if len(v) > 3 && c.typ != settings.Bool && strings.Contains(err.Error(), v) {
				t.Errorf("%s: the error shows the value: %v", c.typ, err)
			}
		}
	}
}

func text(s string) *string { return &s }

func TestSchemaValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		set  settings.Setting
		ok   bool
	}{
		{"plain", settings.Setting{Name: "A"}, true},
		{"unknown type", settings.Setting{Name: "A", Type: "number"}, false},
		{"enum without choices", settings.Setting{Name: "A", Type: settings.Enum}, false},
		{"default of a secret", settings.Setting{Name: "A", Secret: true, Default: text("x")}, false},
		{"empty default of a secret", settings.Setting{Name: "A", Secret: true, Default: text("")}, true},
		{"default of the wrong type", settings.Setting{Name: "A", Type: settings.Int, Default: text("x")}, false},
		{"bad pattern", settings.Setting{Name: "A", Pattern: "("}, false},
		{"bad generator", settings.Setting{Name: "A", Generate: "dice"}, false},
		{"no name", settings.Setting{}, false},
		{"equal sign", settings.Setting{Name: "A=B"}, false},
	} {
		if err := (settings.Schema{c.set}).Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if (settings.Schema{{Name: "A"}, {Name: "A"}}).Validate() == nil {
		t.Error("a name twice was accepted")
	}
}

func shop() settings.Schema {
	return settings.Schema{
		{Name: "DATABASE_URL", Type: settings.URL, Required: settings.Required{Always: true}, Secret: true,
			Description: "PostgreSQL of the shop", Example: "postgresql://user:password@localhost:5432/dbname"},
		{Name: "DEBUG", Type: settings.Bool, Default: text("false")},
		{Name: "STRIPE_KEY", Secret: true, Required: settings.Required{In: []string{"prod"}}, Pattern: "sk_.+"},
		{Name: "LEVEL", Type: settings.Enum, Choices: []string{"debug", "info"}},
		{Name: "TOKEN", Secret: true, Generate: "urlsafe:32"},
	}
}

func TestSchemaCheck(t *testing.T) {
	for _, c := range []struct {
		env    string
		values map[string]string
		want   []string
	}{
		{"dev", map[string]string{"DATABASE_URL": "postgres://h/d"}, nil},
		{"dev", map[string]string{"LEVEL": "info"}, []string{"DATABASE_URL missing"}},
		{"dev", map[string]string{"DATABASE_URL": ""}, []string{"DATABASE_URL missing"}},
		{"prod", map[string]string{"DATABASE_URL": "x", "STRIPE_KEY": "pk_1", "LEVEL": "warn", "DEBUG": "maybe", "OTHER": "1"},
			[]string{"DATABASE_URL invalid", "DEBUG invalid", "STRIPE_KEY invalid", "LEVEL invalid", "OTHER unknown"}},
		{"prod", map[string]string{"DATABASE_URL": "a://b"}, []string{"STRIPE_KEY missing"}},
	} {
		var got []string
		for _, p := range shop().Check(c.env, c.values, settings.AnyWords) {
			got = append(got, p.Name+" "+string(p.Kind))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %v: got %q, want %q", c.env, c.values, got, c.want)
		}
	}
}

func TestExampleAndDrift(t *testing.T) {
	got := shop().Example()
	for _, want := range []string{
		"# PostgreSQL of the shop\n# url, required, secret\n# for example: postgresql://user:password@localhost:5432/dbname\nDATABASE_URL=\n",
		"# bool, optional\n# default: false\nDEBUG=\n",
		"# string, required in prod, secret\n# matches: sk_.+\nSTRIPE_KEY=\n",
		"# one of: debug, info\nLEVEL=\n",
		"# make one with: keephold set TOKEN --generate urlsafe:32\nTOKEN=\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	drift := shop().Drift([]settings.ExampleLine{{"DATABASE_URL", 3, true}, {"DEBUG", 4, true}, {"LEVEL", 5, false}, {"OLD", 6, false},
		{"TOKEN", 7, false}})
	want := []settings.Drift{{settings.DriftMissing, "STRIPE_KEY", 0}, {settings.DriftValue, "DATABASE_URL", 3}, {settings.DriftUnknown, "OLD", 6}}
	if !slices.Equal(drift, want) {
		t.Errorf("got %v, want %v", drift, want)
	}
}

func TestGenerate(t *testing.T) {
	for spec, pattern := range map[string]string{
		"urlsafe:32":               `^[A-Za-z0-9_-]{43}$`,
		"urlsafe":                  `^[A-Za-z0-9_-]{43}$`,
		"hex:16":                   `^[0-9a-f]{32}$`,
		"alnum:40":                 `^[A-Za-z0-9]{40}$`,
		"uuid":                     `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"password:20:lower,digit":  `^[a-z0-9]{20}$`,
		"password:12:upper,symbol": `^[A-Z.+=!@%^*_-]{12}$`,
	} {
		a, err := settings.Generate(spec)
		b, _ := settings.Generate(spec)
		if err != nil || !regexp.MustCompile(pattern).Match(a.Reveal()) || a.Equal(b) {
			t.Errorf("%s: does not match %s, or is not random: %v", spec, pattern, err)
		}
	}
	for range 200 {
		v, _ := settings.Generate("password:8")
		for _, class := range []string{"abcdefghijklmnopqrstuvwxyz", "0123456789", "-_.+=!@%^*"} {
			if !strings.ContainsAny(string(v.Reveal()), class) {
				t.Fatalf("a class is missing")
			}
		}
	}
	for _, spec := range []string{"", "dice", "hex:1", "hex:x", "uuid:3", "rsa:512", "rsa:2049", "password:8:emoji", "hex:16:lower", "password:8:lower,lower"} {
		if settings.CheckGenerator(spec) == nil {
			t.Errorf("%q was accepted", spec)
		}
	}
}

func TestGenerateKeys(t *testing.T) {
	for _, spec := range []string{"ed25519", "rsa:2048"} {
		v, err := settings.Generate(spec)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(v.Reveal())
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		switch k := key.(type) {
		case ed25519.PrivateKey:
		case *rsa.PrivateKey:
			if k.N.BitLen() != 2048 {
				t.Errorf("%d bits", k.N.BitLen())
			}
		default:
			t.Errorf("%s: %T", spec, key)
		}
	}
}
