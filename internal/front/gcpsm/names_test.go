package gcpsm

import (
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/secret"
)

func TestParseResource(t *testing.T) {
	good := map[string]resource{
		"projects/p": {project: "p"}, "projects/p/locations/l": {project: "p", location: "l"}, "projects/1/secrets/s": {project: "1", secret: "s"},
		"projects/example.com:p/locations/l/secrets/s/versions/latest": {"example.com:p", "l", "s", "latest"},
	}
	for s, want := range good {
		if got, err := parseResource(s); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "projects", "projects/", "projects//secrets/s", "secrets/s", "projects/p/secrets", "projects/p/secrets/s/versions", "projects/p/versions/1",
		"projects/p/secrets/s/secrets/t", "projects/p/secrets/../versions/1", "projects/p/secrets/a b", "projects/p/secrets/s/locations/l",
		"/projects/p", "projects/p/", "folders/f", "projects/p/secrets/é", "projects/" + strings.Repeat("a", 256),
	} {
		if got, err := parseResource(s); err == nil {
			t.Errorf("%q: accepted as %+v", s, got)
		}
	}
}

func TestVersionSelector(t *testing.T) {
	for version, want := range map[string]secret.Ref{
		"latest": {}, "1": {Number: 1}, "25": {Number: 25}, "prod": {Label: "prod"}, "current": {Label: "~current"}, "pending": {Label: "~pending"},
	} {
		if got, err := (place{resource: resource{version: version}}).selector(); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", version, got, err)
		}
	}
	for _, version := range []string{"0", "01", "1a", "-1", "99999999999999999999", "a.b", strings.Repeat("a", 64)} {
		if got, err := (place{resource: resource{version: version}}).selector(); err == nil {
			t.Errorf("%s: accepted as %+v", version, got)
		}
	}
}

func TestAliasesAreLabels(t *testing.T) {
	for _, alias := range []string{"prod", "current", "previous", "pending", "NEWER"} {
		label := labelOf(alias)
		if isHouseLabel(label) {
			t.Errorf("%s is the house's own label", alias)
		}
		if back, ok := aliasOf(label); !ok || back != alias {
			t.Errorf("%s: comes back as %q", alias, back)
		}
	}
	for _, label := range []string{"current", "previous", "latest", "with space", "1st", "~other"} {
		if alias, ok := aliasOf(label); ok {
			t.Errorf("the label %q is the alias %q", label, alias)
		}
	}
}

func TestPageTokens(t *testing.T) {
	token := page{total: 7, after: "s"}.token("projects/p", "name:a")
	if got, err := parsePage(token, "projects/p", "name:a"); err != nil || got != (page{7, "s"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, other := range [][2]string{{"projects/q", "name:a"}, {"projects/p", ""}, {"projects/pname:a", ""}} {
		if _, err := parsePage(token, other[0], other[1]); err == nil {
			t.Errorf("the token is good for %v", other)
		}
	}
	if got := (page{}).token("p", ""); got != "" {
		t.Errorf("no next page is %q", got)
	}
	if _, err := parsePage(token+"=", "projects/p", "name:a"); err == nil {
		t.Error("padding is accepted")
	}
}

func FuzzParseResource(f *testing.F) {
	f.Add("projects/p/locations/l/secrets/s/versions/1")
	f.Add("projects/p")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseResource(s)
		if err != nil {
			return
		}
		back := n.parent()
		if n.secret != "" {
			back = n.secretName()
		}
		if n.version != "" {
			back += "/versions/" + n.version
		}
		if back != s {
			t.Fatalf("%q reads as %q", s, back)
		}
	})
}

func FuzzPageToken(f *testing.F) {
	f.Add(page{total: 3, after: "a"}.token("p", "f"), "p", "f")
	f.Add("AAAA", "", "")
	f.Fuzz(func(t *testing.T, token, parent, filter string) {
		p, err := parsePage(token, parent, filter)
		if err == nil && token != "" && p.token(parent, filter) == "" {
			t.Fatalf("%q leads nowhere: %+v", token, p)
		}
	})
}
