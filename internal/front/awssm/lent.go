package awssm

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// Container is the credentials endpoint of a container for one program
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
type Container struct {
	Token secret.Value // that Authorization has to hold
	// Issue answers credentials for a while.
	Issue func(context.Context) (Lent, error)
}

// Lent are such credentials.
type Lent struct {
	AccessKey string
	Secret    secret.Value
	Session   secret.Value
	Expires   time.Time
	ARN       string // whose they are
}

// ServeHTTP answers one request for credentials.
func (c *Container) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want, got := sha256.Sum256(c.Token.Reveal()), sha256.Sum256([]byte(r.Header.Get("Authorization")))
	if r.Method != http.MethodGet || c.Token.Len() == 0 || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		lentFault(w, http.StatusForbidden, "AccessDenied", "the token is not the one of this program")
		return
	}
	l, err := c.Issue(r.Context())
	if err != nil {
		lentFault(w, http.StatusServiceUnavailable, "ServiceUnavailable", "no credentials can be had now")
		return
	}
	b, _ := json.Marshal(struct{ AccessKeyId, SecretAccessKey, Token, Expiration, RoleArn string }{
		l.AccessKey, string(l.Secret.Reveal()), string(l.Session.Reveal()), l.Expires.UTC().Format(time.RFC3339), l.ARN,
	}) // strings always marshal
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // a client that went away has no use for the error
}

func lentFault(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	b, _ := json.Marshal(map[string]string{"code": code, "message": text}) // strings always marshal
	_, _ = w.Write(b)
}
