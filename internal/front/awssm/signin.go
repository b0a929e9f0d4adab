package awssm

import (
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth"
)

// IsSignIn says that a request asks for credentials, or whose they are: it speaks to the token service, or fetches those of a
// container. The server bounds how often an address may try.
func IsSignIn(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, ContainerPath) || len(r.Header["X-Amz-Target"]) == 0
}

// Throttled answers a sign-in beyond the bound, before anything of it is read, as the vendor does: its clients wait and try
// again.
func Throttled(w http.ResponseWriter, r *http.Request) {
	rq := &request{http: r, id: auth.NewID()}
	w.Header().Set("X-Amzn-Requestid", rq.id)
	w.Header().Set("Cache-Control", "no-store")
	if strings.HasPrefix(r.URL.Path, ContainerPath) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"code":"Throttling","message":"Rate exceeded"}`)) // a client that went away has no use for the error
		return
	}
	rq.failXML(w, &apiError{"ThrottlingException", "Rate exceeded", http.StatusBadRequest})
}
