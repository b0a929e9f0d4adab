package gcpsm_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/front/gcpsm"
	"github.com/keephold/keephold/internal/secret"
)

func metadataServer() *gcpsm.Metadata {
	return &gcpsm.Metadata{Project: "p", Number: 7, Email: "robot@p.iam.gserviceaccount.com", Token: func(context.Context) (secret.Value, time.Time, error) {
		return secret.NewValue([]byte("canary")), time.Now().Add(time.Hour), nil
	}}
}

// TestMetadata holds what clients ask for: Python's for the account, Node's for the instance, Go's for the project.
func TestMetadata(t *testing.T) {
	const v1 = "/computeMetadata/v1/"
	for path, want := range map[string]string{
		"/": "computeMetadata/\n", v1: "instance/\nproject/\n", v1 + "instance": "service-accounts/\n", v1 + "instance/": "service-accounts/\n",
		v1 + "project/project-id": "p", v1 + "project/numeric-project-id": "7", v1 + "instance/service-accounts/": "default/\nrobot@p.iam.gserviceaccount.com/\n",
		v1 + "instance/service-accounts/default/email": "robot@p.iam.gserviceaccount.com", v1 + "instance/service-accounts/robot%40p.iam.gserviceaccount.com/email": "robot@p.iam.gserviceaccount.com",
		v1 + "instance/service-accounts/default/scopes": "https://www.googleapis.com/auth/cloud-platform\n",
		v1 + "universe/universe-domain":                 "404", v1 + "instance/service-accounts/other/token": "404", "/computeMetadata/v2/": "404",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Metadata-Flavor", "Google")
		metadataServer().ServeHTTP(w, r)
		got := w.Body.String()
		if w.Code == http.StatusNotFound {
			got = "404"
		}
		if got != want || w.Header().Get("Metadata-Flavor") != "Google" {
			t.Errorf("%s: got %d %q, want %q", path, w.Code, got, want)
		}
	}
}

// FuzzMetadata: a token is given to who knows the header only, and at its one path.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{"/", "/computeMetadata/v1/instance/service-accounts/default/token", "/computeMetadata/v1/instance/service-accounts/%/token", "/computeMetadata/v1//", "x"} {
		f.Add(s, "Google", "")
	}
	f.Add("/computeMetadata/v1/instance/service-accounts/default/token", "google", "10.0.0.1")
	f.Fuzz(func(t *testing.T, path, flavor, forwarded string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		r.Header = http.Header{"Metadata-Flavor": {flavor}, "X-Forwarded-For": {forwarded}}
		metadataServer().ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "canary") && (flavor != "Google" || forwarded != "" || !strings.Contains(path, "/token")) {
			t.Fatalf("%q, %q, %q is answered a token", path, flavor, forwarded)
		}
	})
}
