// Package gcpsa proves Google service accounts: it reads the assertions that their clients sign (JSON Web Tokens, RFC 7519,
// signed with RS256, RFC 7518 section 3.3) and holds them against the public half of a key that machine keeps. The private
// half is in the client's key file and nowhere else.
package gcpsa

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// Bounds of an assertion.
const (
	MaxLifetime = time.Hour // between iat and exp, as the vendor has it
	maxText     = 8 << 10
	skew        = 5 * time.Minute // how far the clocks of a client and of this server may be apart
	minKeyBits  = 2048
)

// Assertion is what a client signed. It is well formed; nothing about it is proved.
type Assertion struct {
	KeyID     string
	Issuer    string // the account's email
	Audiences []string
	Scopes    []string
	IssuedAt  time.Time
	Expires   time.Time
	Target    string // the audience of an ID token that is asked for; "" when none is

	sum       [sha256.Size]byte // of the whole text
	digest    [sha256.Size]byte // of what is signed
	signature []byte
	provedBy  []byte // the public key that it was proved with before; nil: never
}

// The reasons of a refusal. Only the log tells them apart where who asks is not known.
var (
	errForm      = auth.Tell(secret.ErrDenied, "it is no assertion of a service account")
	errAlgorithm = auth.Tell(secret.ErrDenied, "an assertion must be signed with RS256")
	errSubject   = auth.Tell(secret.ErrDenied, "the subject of an assertion must be its issuer")
	errSignature = auth.Tell(secret.ErrDenied, "invalid signature")
	errLifetime  = auth.Tell(secret.ErrDenied, "an assertion lives at most an hour")
	errExpired   = auth.Tell(secret.ErrDenied, "the assertion has expired")
	errFuture    = auth.Tell(secret.ErrDenied, "the assertion is from the future")
	errAudience  = auth.Tell(secret.ErrDenied, "the assertion is for another audience")
)

// Looks says that a bearer has the form of a JSON Web Token: three parts.
func Looks(text string) bool { return strings.Count(text, ".") == 2 }

// Parse reads an assertion in compact form. A member that stands twice, another algorithm, a critical extension, padding:
// nothing that two readers could take differently is accepted.
func Parse(text string) (*Assertion, error) {
	if len(text) > maxText {
		return nil, errForm
	}
	signed, sig, ok := cutLast(text)
	head, body, two := strings.Cut(signed, ".")
	if !ok || !two || strings.Contains(body, ".") {
		return nil, errForm
	}
	a := &Assertion{sum: sha256.Sum256([]byte(text)), digest: sha256.Sum256([]byte(signed))}
	var err error
	if a.signature, err = decode(sig); err != nil {
		return nil, err
	}
	if err := a.header(head); err != nil {
		return nil, err
	}
	return a, a.claims(body)
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func decode(part string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") {
		return nil, errForm
	}
	return b, nil
}

// object reads one part of the token as a flat object.
func object(part string) (map[string]json.RawMessage, error) {
	b, err := decode(part)
	if err != nil {
		return nil, err
	}
	o, err := wire.Object(b, 4)
	if err != nil || o == nil {
		return nil, errForm
	}
	return o, nil
}

func text(o map[string]json.RawMessage, name string) (string, error) {
	raw, ok := o[name]
	if !ok {
		return "", nil
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", errForm
	}
	return *s, nil
}

func (a *Assertion) header(part string) error {
	o, err := object(part)
	if err != nil {
		return err
	}
	alg, err := text(o, "alg")
	if err != nil {
		return err
	}
	if alg != "RS256" {
		return errAlgorithm
	}
	typ, err := text(o, "typ")
	if err != nil || typ != "" && !strings.EqualFold(typ, "JWT") {
		return errForm
	}
	if _, critical := o["crit"]; critical {
		return errForm
	}
	a.KeyID, err = text(o, "kid")
	if err == nil && a.KeyID == "" {
		err = errForm
	}
	return err
}

func (a *Assertion) claims(part string) error {
	o, err := object(part)
	if err != nil {
		return err
	}
	var subject, email, scope string
	for name, dst := range map[string]*string{"iss": &a.Issuer, "sub": &subject, "email": &email, "scope": &scope, "target_audience": &a.Target} {
		if *dst, err = text(o, name); err != nil {
			return err
		}
	}
	if a.Issuer == "" {
		return errForm
	}
	if subject != "" && subject != a.Issuer || email != "" && email != a.Issuer {
		return errSubject
	}
	a.Scopes = strings.Fields(scope)
	if a.Audiences, err = audiences(o["aud"]); err != nil {
		return err
	}
	if a.IssuedAt, err = instant(o["iat"]); err != nil {
		return err
	}
	if a.Expires, err = instant(o["exp"]); err != nil {
		return err
	}
	if raw, ok := o["nbf"]; ok {
		before, err := instant(raw)
		if err != nil {
			return err
		}
		if before.After(a.IssuedAt) {
			a.IssuedAt = before
		}
	}
	return nil
}

// audiences reads one text or a list of them (RFC 7519, section 4.1.3).
func audiences(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && raw[0] == '"' {
		return slices.DeleteFunc([]string{one}, func(s string) bool { return s == "" }), nil
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil || many == nil {
		return nil, errForm
	}
	return many, nil
}

// instant reads a NumericDate.
func instant(raw json.RawMessage) (time.Time, error) {
	var n float64
	if len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &n) != nil || bytes.Equal(raw, []byte("null")) || n < 0 || n > 1<<40 || n != math.Trunc(n) && n > 1<<38 {
		return time.Time{}, errForm
	}
	return time.Unix(int64(n), 0), nil
}

// timely checks the times of the assertion.
func (a *Assertion) timely(now time.Time) error {
	switch {
	case !a.Expires.After(a.IssuedAt), a.Expires.Sub(a.IssuedAt) > MaxLifetime:
		return errLifetime
	case !now.Before(a.Expires):
		return errExpired
	case a.IssuedAt.After(now.Add(skew)):
		return errFuture
	}
	return nil
}

// verify checks the signature with a public key in PKIX.
func (a *Assertion) verify(public []byte) error {
	parsed, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return errSignature
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minKeyBits {
		return errSignature
	}
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, a.digest[:], a.signature) != nil {
		return errSignature
	}
	return nil
}
