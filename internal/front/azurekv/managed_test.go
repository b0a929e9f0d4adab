package azurekv_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/secret"
)

// FuzzManaged: a token is given to who presents the header only, for a resource that stands once, and to the identity that
// is asked for.
func FuzzManaged(f *testing.F) {
	f.Add("resource=https%3A%2F%2Fvault.azure.net&api-version=2019-08-01", "header")
	f.Add("resource=a&resource=b", "header")
	f.Add("resource=a&client_id=ID", "header")
	f.Add("resource=a&client_id=other", "header")
	f.Add("resource=/;%", "Header")
	f.Fuzz(func(t *testing.T, query, header string) {
		for _, imds := range []bool{false, true} {
			m := azurekv.Managed{ClientID: "id", Token: func(context.Context, string) (secret.Value, time.Time, error) {
				return secret.NewValue([]byte("canary")), time.Now().Add(time.Hour), nil
			}}
			h := http.Header{"Metadata": {header}}
			if !imds {
				m.Header = secret.NewValue([]byte("header"))
				h = http.Header{"X-Identity-Header": {header}}
			}
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.RawQuery, r.Header = query, h
			m.ServeHTTP(w, r)
			q, _ := url.ParseQuery(query)
			given := strings.Contains(w.Body.String(), "canary")
			known := imds && header == "true" || !imds && header == "header"
			if given && (!known || len(q["resource"]) != 1 || q.Get("client_id") != "" && !strings.EqualFold(q.Get("client_id"), "id")) {
				t.Fatalf("%q, %q is answered a token", query, header)
			}
		}
	})
}
