package vault

import (
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/secret"
)

func TestMetaForms(t *testing.T) {
	want := []secret.Pair{{Key: "a", Value: "1"}, {Key: "b", Value: "x"}}
	for _, body := range []string{
		`{"m":{"b":"x","a":"1"}}`, `{"m":{"b":"x","a":1}}`, `{"m":"{\"a\":\"1\",\"b\":\"x\"}"}`, `{"m":"a=1, b = x"}`, `{"m":["a=1","b=x"]}`,
	} {
		f, err := parseFields([]byte(body), 8)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.meta("m"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", body, got, err, want)
		}
	}
	for _, body := range []string{`{"m":["a"]}`, `{"m":"=1"}`, `{"m":{"a":{"b":"c"}}}`, `{"m":{"a":[1]}}`, `{"m":7}`, `{"m":[1]}`} {
		f, err := parseFields([]byte(body), 8)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.meta("m"); err == nil {
			t.Errorf("%s: read as %v", body, got)
		}
	}
}

// FuzzAuthBodies reads bodies as every sign-in route does. What is accepted is well formed; a mistake leaves what stood
// before alone from there on.
func FuzzAuthBodies(f *testing.F) {
	for _, s := range []string{
		``, `null`, `{}`, `{"token_ttl":"1h","token_policies":"a,b","token_bound_cidrs":["10.0.0.0/8"],"token_num_uses":3}`,
		`{"metadata":"{\"a\":\"b\"}","num_uses":"1","ttl":60}`, `{"meta":["a=b"],"policies":["x"],"period":"5m","type":"batch"}`,
		`{"bind_secret_id":"true","secret_id_ttl":"9999999999999","secret_id_num_uses":1e9}`, `{"allowed_policies":null,"path_suffix":"a","renewable":0}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parseFields(body, 16)
		if err != nil {
			return
		}
		var terms auth.TokenTerms
		if readTerms(in, &terms, map[string]string{"token_policies": "policies", "token_period": "period"}) == nil {
			for _, p := range terms.CIDRs {
				if !p.IsValid() || p != p.Masked() {
					t.Errorf("range %v", p)
				}
			}
		}
		role, tokenRole := approle.Role{RoleID: "kept"}, auth.NewRole("kept")
		_ = changeAppRole(in, &role)
		_ = changeTokenRole(in, &tokenRole)
		if !in.has("role_id") && role.RoleID != "kept" || tokenRole.Name != "kept" {
			t.Errorf("changed what was not named: %q %q", role.RoleID, tokenRole.Name)
		}
		for _, name := range []string{"meta", "metadata"} {
			pairs, err := in.meta(name)
			if err != nil {
				continue
			}
			if !slices.IsSortedFunc(pairs, func(a, b secret.Pair) int { return strings.Compare(a.Key, b.Key) }) {
				t.Errorf("%s: %v is not sorted", name, pairs)
			}
		}
	})
}
