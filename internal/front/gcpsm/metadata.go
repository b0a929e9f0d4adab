package gcpsm

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

const metadataPrefix = "/computeMetadata/"

// Metadata is the face of a metadata server (https://cloud.google.com/compute/docs/metadata/overview) for one service
// account. Whoever can reach it acts as that account, as at the vendor's: it belongs on a loopback address that one
// program is given, never on a shared port.
type Metadata struct {
	Project string
	Number  int64 // of the project
	Email   string
	// Token answers an access token and when it ends.
	Token func(context.Context) (secret.Value, time.Time, error)
}

// ServeHTTP answers one request. The header keeps browsers and forwarded requests out: neither can set it by accident.
func (m *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Metadata-Flavor", "Google")
	h.Set("Server", "Metadata Server for VM")
	path := r.URL.Path
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	case path == "/": // clients look whether a metadata server is there
		metadataText(w, "computeMetadata/\n")
		return
	case r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Metadata-Flavor") != "Google":
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		return
	}
	rest, ok := strings.CutPrefix(path+"/", metadataPrefix+"v1/")
	rest = strings.TrimSuffix(rest, "/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if account, ok := strings.CutPrefix(rest, "instance/service-accounts/"); ok {
		m.account(w, r, account)
		return
	}
	switch rest {
	case "":
		metadataText(w, "instance/\nproject/\n")
	case "instance", "instance/": // Node's client looks for a metadata server here
		metadataText(w, "service-accounts/\n")
	case "project", "project/":
		metadataText(w, "numeric-project-id\nproject-id\n")
	case "project/project-id":
		metadataText(w, m.Project)
	case "project/numeric-project-id":
		metadataText(w, strconv.FormatInt(m.Number, 10))
	default: // universe/universe-domain too: there is one universe
		http.NotFound(w, r)
	}
}

func metadataText(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "application/text")
	_, _ = w.Write([]byte(s)) // a client that went away has no use for the error
}

// metadataScopes are those that the vendor's default account has.
var metadataScopes = []string{cloudPlatformScope}

const cloudPlatformScope = "https://www.googleapis.com/auth/cloud-platform"

func (m *Metadata) account(w http.ResponseWriter, r *http.Request, rest string) {
	if rest == "" {
		metadataText(w, "default/\n"+m.Email+"/\n")
		return
	}
	who, what, _ := strings.Cut(rest, "/")
	if who, err := url.PathUnescape(who); err != nil || who != "default" && who != m.Email {
		http.NotFound(w, r)
		return
	}
	switch what {
	case "":
		if r.URL.Query().Get("recursive") != "true" {
			metadataText(w, "aliases\nemail\nscopes\ntoken\n")
			return
		}
		b, err := json.Marshal(map[string]any{"aliases": []string{"default"}, "email": m.Email, "scopes": metadataScopes})
		if err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		respond(w, http.StatusOK, b)
	case "email":
		metadataText(w, m.Email)
	case "aliases":
		metadataText(w, "default\n")
	case "scopes":
		metadataText(w, strings.Join(metadataScopes, "\n")+"\n")
	case "token":
		m.token(w, r)
	case "identity":
		http.Error(w, "ID tokens are not issued here", http.StatusNotFound)
	default:
		http.NotFound(w, r)
	}
}

func (m *Metadata) token(w http.ResponseWriter, r *http.Request) {
	text, end, err := m.Token(r.Context())
	if err == nil {
		var b []byte
		if b, err = accessToken(string(text.Reveal()), time.Until(end)); err == nil {
			respond(w, http.StatusOK, b)
			return
		}
	}
	http.Error(w, "no token can be had now", http.StatusServiceUnavailable)
}
