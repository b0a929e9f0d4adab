package provider_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ text, store, prefix, space string }{
		{"aws://123456789012/eu-west-1/prod/shop/", "123456789012/eu-west-1", "prod/shop/", "aws/123456789012/eu-west-1"},
		{"aws://123456789012/eu-west-1/", "123456789012/eu-west-1", "", "aws/123456789012/eu-west-1"},
		{"aws://123456789012/eu-west-1", "123456789012/eu-west-1", "", "aws/123456789012/eu-west-1"},
		{"aws://123456789012/eu-west-1//odd", "123456789012/eu-west-1", "/odd", "aws/123456789012/eu-west-1"},
		{"gcp://my-project/shop-", "my-project", "shop-", "gcp/my-project"},
		{"azure://my-vault/", "my-vault", "", "azure/my-vault"},
		{"azure://my-vault.vault.azure.cn/x", "my-vault.vault.azure.cn", "x", "azure/my-vault"},
		{"vault://vault.internal:8200/secret/shop", "vault.internal:8200", "secret/shop", ""},
	} {
		a, err := provider.ParseAddress(c.text)
		if err != nil || a.Store != c.store || a.Prefix != c.prefix || a.Space() != c.space {
			t.Errorf("%s: got %+v (Space %s), %v", c.text, a, a.Space(), err)
		}
	}
	for _, text := range []string{
		"", "x", "soap://x/y", "aws://", "aws://123/eu-west-1/", "aws://123456789012/EU/", "gcp://", "gcp://A/", "azure://-x/", "vault://host", "vault://host/", "vault:///mount",
		"vault://user:password@host/secret", "gcp://p/x?token=1", "azure://v/#x", "aws://123456789012@x/eu-west-1/",
	} {
		if a, err := provider.ParseAddress(text); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%q: got %+v, %v", text, a, err)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("%q: the error repeats a credential: %v", text, err)
		}
	}
}

func parsePath(t *testing.T, s string) secret.Path {
	t.Helper()
	p, err := secret.ParsePrefix(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		address, name, folder string
		whole                 bool
		path                  string // "": refused
	}{
		{"aws://123456789012/eu-west-1/prod/", "prod/db", "", true, "prod/db"},
		{"aws://123456789012/eu-west-1/prod/", "prod/db", "", false, "db"},
		{"aws://123456789012/eu-west-1/prod/", "prod/a/b", "x/y", false, "x/y/a/b"},
		{"aws://123456789012/eu-west-1/", "/lead//double/", "", true, "~/lead/~/double/~"},
		{"gcp://p/shop-", "shop-db", "", false, "db"},
		{"gcp://p/shop-", "shop-", "", false, ""},
		{"azure://v/", "db-Password", "f", false, "f/db-password"},
	} {
		a, err := provider.ParseAddress(c.address)
		if err != nil {
			t.Fatal(err)
		}
		path, err := a.Path(c.name, parsePath(t, c.folder), c.whole)
		if (err == nil) != (c.path != "") || path.String() != c.path {
			t.Errorf("%s of %s: got %q, %v", c.name, a, path, err)
		}
		if err != nil {
			continue
		}
		back, err := a.Name(path, parsePath(t, c.folder), c.whole)
		if err != nil || !strings.EqualFold(back, c.name) {
			t.Errorf("%s of %s comes back as %q, %v", c.name, a, back, err)
		}
	}
}

func TestNamesThatDoNotFit(t *testing.T) {
	for address, path := range map[string]string{
		"gcp://p/": "a/b", "azure://v/": "UPPER", "azure://v/x-": "a_b", "aws://123456789012/eu-west-1/": "a b", "gcp://p/a": "a.b",
	} {
		a, err := provider.ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if name, err := a.Name(parsePath(t, path), secret.Path{}, false); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s has the name %q for %s, %v", address, name, path, err)
		}
	}
}

func TestSame(t *testing.T) {
	of := func(kind secret.Kind, text string) *provider.Secret {
		return &provider.Secret{Version: provider.Version{Kind: kind, Value: secret.NewValue([]byte(text))}}
	}
	for _, c := range []struct {
		a, b    *provider.Secret
		untyped bool
		want    bool
	}{
		{of(secret.Text, "x"), of(secret.Text, "x"), false, true},
		{of(secret.Text, "x"), of(secret.Text, "y"), false, false},
		{of(secret.Text, "x"), of(secret.Binary, "x"), false, false},
		{of(secret.Text, "x"), of(secret.Binary, "x"), true, true},
		{of(secret.Map, `{"a":1,"b":2}`), of(secret.Text, `{ "b": 2, "a": 1 }`), false, true},
		{of(secret.Map, `{"a":1}`), of(secret.Text, `{"a":1.0}`), false, false},
		{of(secret.Text, `{"a":1}`), of(secret.Text, `{ "a":1}`), false, false},
	} {
		if got := provider.Same(c.a, c.b, c.untyped); got != c.want {
			t.Errorf("%s and %s: got %v", c.a.Value.Reveal(), c.b.Value.Reveal(), got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"aws://123456789012/eu-west-1/prod/", "gcp://p/x", "azure://v.example/x", "vault://h:1/secret/x", "://"} {
		f.Add(s, "a/b")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		a, err := provider.ParseAddress(text)
		if err != nil {
			return
		}
		again, err := provider.ParseAddress(a.String())
		if err != nil || again != a {
			t.Fatalf("%q is %+v, and that is %+v, %v", text, a, again, err)
		}
		// A name that has a path comes back from it, but for the case of Azure's.
		path, err := a.Path(a.Prefix+name, secret.Path{}, false)
		if err != nil {
			return
		}
		back, err := a.Name(path, secret.Path{}, false)
		if err == nil && !strings.EqualFold(back, a.Prefix+name) {
			t.Fatalf("%q has the path %s, which is %q", a.Prefix+name, path, back)
		}
	})
}
