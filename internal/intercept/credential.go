package intercept

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Credential is what a client presents to the proxy (RFC 7617). It opens the proxy, and nothing that lies behind it. It
// prints as nothing.
type Credential struct{ user, password string }

// NewCredential makes one that nobody can guess.
func NewCredential() *Credential {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return &Credential{"keephold", base64.RawURLEncoding.EncodeToString(b[:])}
}

// minPassword is how long a password that somebody chose has to be.
const minPassword = 16

// ParseCredential reads USER:PASSWORD, as a file holds it.
func ParseCredential(text string) (*Credential, error) {
	user, password, ok := strings.Cut(strings.TrimSpace(text), ":")
	switch {
	case !ok || user == "":
		return nil, errors.New("the credential is not USER:PASSWORD")
	case len(password) < minPassword:
		return nil, errors.New("the password has fewer than 16 characters")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' || r > '~' }):
		return nil, errors.New("the credential holds characters that no header can carry")
	}
	return &Credential{user, password}, nil
}

// String keeps the credential out of everything that prints.
func (c *Credential) String() string { return "[redacted]" }

// GoString is String.
func (c *Credential) GoString() string { return c.String() }

// URL is how clients are told of a proxy at that address, with what they have to present.
func (c *Credential) URL(addr string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(c.user, c.password), Host: addr}
	return u.String()
}

// admits compares what a request presents in constant time.
func (c *Credential) admits(h http.Header) bool {
	user, password, ok := presented(h)
	want, got := sha256.Sum256([]byte(c.user+":"+c.password)), sha256.Sum256([]byte(user+":"+password))
	return ok && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// maxCredential bounds what is decoded of a stranger's header.
const maxCredential = 1024

// presented reads the one Proxy-Authorization of a request.
func presented(h http.Header) (user, password string, ok bool) {
	v := h["Proxy-Authorization"]
	if len(v) != 1 || len(v[0]) > maxCredential || len(v[0]) < 6 || !strings.EqualFold(v[0][:6], "Basic ") {
		return "", "", false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(v[0][6:]))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}
