package azurekv

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// Managed is the face of a managed identity for one program: that of App Service when it has a Header, else that of a
// virtual machine's metadata service (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token).
// Whoever reaches the second acts as the identity, as at the vendor's: it belongs on a loopback address that one program is
// given, never on a shared port.
type Managed struct {
	ClientID string
	Header   secret.Value // that X-IDENTITY-HEADER has to hold; empty: "Metadata: true" is asked for instead
	// Token answers an access token for a resource and when it ends.
	Token func(ctx context.Context, resource string) (secret.Value, time.Time, error)
}

// MetadataPath is where clients ask a virtual machine's metadata service for a token.
const MetadataPath = "/metadata/identity/oauth2/token"

// ServeHTTP answers one request for a token.
func (m *Managed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	wanted := []string{q.Get("client_id"), q.Get("mi_res_id"), q.Get("msi_res_id"), q.Get("principal_id"), q.Get("object_id")}
	switch {
	case r.Method != http.MethodGet:
		managedFault(w, http.StatusMethodNotAllowed, "bad_request_102", "use GET")
	case !m.admits(r.Header):
		managedFault(w, http.StatusUnauthorized, "unauthorized_client", "the header of this endpoint is missing or wrong")
	case len(q["resource"]) != 1 || canonical(q.Get("resource")) == "":
		managedFault(w, http.StatusBadRequest, "invalid_request", "the query must contain 'resource' once")
	case slices.ContainsFunc(wanted, func(s string) bool { return s != "" && !strings.EqualFold(s, m.ClientID) }):
		managedFault(w, http.StatusBadRequest, "invalid_request", "Identity not found")
	default:
		m.answer(w, r, q.Get("resource"))
	}
}

// admits keeps out who was not told the header, and what a browser or a forwarder was tricked into.
func (m *Managed) admits(h http.Header) bool {
	if m.Header.Len() == 0 {
		return h.Get("Metadata") == "true" && h.Get("X-Forwarded-For") == ""
	}
	want, got := sha256.Sum256(m.Header.Reveal()), sha256.Sum256([]byte(h.Get("X-Identity-Header")))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func (m *Managed) answer(w http.ResponseWriter, r *http.Request, resource string) {
	text, ends, err := m.Token(r.Context(), canonical(resource))
	if err != nil {
		managedFault(w, http.StatusServiceUnavailable, "unavailable", "no token can be had now")
		return
	}
	left := strconv.FormatInt(max(int64(time.Until(ends)/time.Second), 0), 10)
	say(w, http.StatusOK, map[string]any{
		"access_token": string(text.Reveal()), "expires_on": strconv.FormatInt(ends.Unix(), 10), "expires_in": left, "ext_expires_in": left,
		"not_before": strconv.FormatInt(time.Now().Unix(), 10), "resource": resource, "token_type": "Bearer", "client_id": m.ClientID,
	})
}

func managedFault(w http.ResponseWriter, status int, code, text string) {
	say(w, status, map[string]string{"error": code, "error_description": text})
}
