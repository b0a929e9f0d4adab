// Package sigv4 verifies requests signed with AWS Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html). It knows nothing of
// identities: a request says under which access key it was signed, and Verify checks it against that key's secret.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	stamp      = "20060102T150405Z"

	// Skew is how far a request's time may be from ours, either way.
	Skew = 15 * time.Minute

	maxHeaders   = 64
	maxPresigned = 7 * 24 * time.Hour
)

// Kind of a fault; each dialect of the vendor has a code of its own for it.
type Kind uint8

// The kinds.
const (
	Missing    Kind = iota // nothing is signed
	Incomplete             // the signature cannot be read, or does not cover what it must
	Mismatch               // it is another request's, or another key's
	Skewed                 // it is too old, or of the future
)

// Fault is why a request's signature is refused. Text is for the client, in the vendor's words.
type Fault struct {
	Kind Kind
	Text string
}

func (f *Fault) Error() string { return f.Text }

// Unwrap makes every fault a refusal.
func (f *Fault) Unwrap() error { return secret.ErrDenied }

func incomplete(text string) error { return &Fault{Incomplete, text} }

var (
	errMissing  = &Fault{Missing, "Missing Authentication Token"}
	errMismatch = &Fault{Mismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
)

// Scope is what a signature is good for.
type Scope struct{ AccessKey, Date, Region, Service string }

// Signed is a request's signature, read and ready to be verified.
type Signed struct {
	Scope
	Token string // session token of temporary credentials; "" for none

	time      time.Time
	expires   time.Duration // of a presigned request; 0: Skew
	toSign    []byte
	room      [192]byte // where toSign lies, unless it is longer
	signature [sha256.Size]byte
}

// Parse reads the signature of a request whose whole body is at hand. What is wrong with it is a *Fault.
func Parse(r *http.Request, body []byte) (*Signed, error) {
	auth := r.Header["Authorization"]
	switch {
	case len(auth) == 1:
		return parseHeader(r, auth[0], body)
	case len(auth) > 1:
		return nil, incomplete("Authorization header must stand once.")
	}
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if _, ok := q.get("X-Amz-Algorithm"); ok {
		return parsePresigned(r, q, body)
	}
	return nil, errMissing
}

func parseHeader(r *http.Request, text string, body []byte) (*Signed, error) {
	rest, ok := strings.CutPrefix(text, algorithm+" ")
	if !ok {
		return nil, incomplete("Unsupported authorization type; only " + algorithm + " is.")
	}
	var credential, list, signature string
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var into *string
		switch name {
		case "Credential":
			into = &credential
		case "SignedHeaders":
			into = &list
		case "Signature":
			into = &signature
		}
		if into == nil || *into != "" || value == "" {
			return nil, incomplete("Authorization header must have 'Credential', 'SignedHeaders' and 'Signature', each once.")
		}
		*into = value
	}
	if credential == "" || list == "" || signature == "" {
		return nil, incomplete("Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.")
	}
	s := &Signed{}
	if dates := r.Header["X-Amz-Date"]; len(dates) != 1 {
		return nil, incomplete("Authorization header requires existence of one 'X-Amz-Date' header.")
	} else if err := s.read(credential, dates[0], signature); err != nil {
		return nil, err
	}
	if tokens := r.Header["X-Amz-Security-Token"]; len(tokens) > 1 {
		return nil, incomplete("X-Amz-Security-Token must stand once.")
	} else if len(tokens) == 1 {
		s.Token = tokens[0]
	}
	names, err := readSignedNames(list)
	if err != nil {
		return nil, err
	}
	if !names.has("host") || !names.has("x-amz-date") {
		return nil, incomplete("'Host' and 'X-Amz-Date' must be signed.")
	}
	if name, found := names.unsigned(r.Header); found {
		return nil, incomplete("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
	}
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	s.sign(r, q, names, body)
	return s, nil
}

// parsePresigned reads a signature that stands in the query.
func parsePresigned(r *http.Request, q query, body []byte) (*Signed, error) {
	one := func(name string) string { v, _ := q.get(name); return v }
	if one("X-Amz-Algorithm") != algorithm {
		return nil, incomplete("Unsupported 'X-Amz-Algorithm'; only " + algorithm + " is.")
	}
	s := &Signed{}
	if err := s.read(one("X-Amz-Credential"), one("X-Amz-Date"), one("X-Amz-Signature")); err != nil {
		return nil, err
	}
	if text, ok := q.get("X-Amz-Expires"); ok {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil || seconds == 0 || time.Duration(seconds)*time.Second > maxPresigned {
			return nil, incomplete("X-Amz-Expires must be between 1 and 604800.")
		}
		s.expires = time.Duration(seconds) * time.Second
	}
	s.Token = one("X-Amz-Security-Token")
	names, err := readSignedNames(one("X-Amz-SignedHeaders"))
	if err != nil {
		return nil, err
	}
	if !names.has("host") {
		return nil, incomplete("'Host' must be signed.")
	}
	if name, found := names.unsigned(r.Header); found {
		return nil, incomplete("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
	}
	s.sign(r, q.without("X-Amz-Signature"), names, body)
	return s, nil
}

// read takes the credential scope, the time and the signature apart.
func (s *Signed) read(credential, date, signature string) error {
	if strings.Count(credential, "/") != 4 || !strings.HasSuffix(credential, "/"+terminator) {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	rest := credential
	for _, part := range []*string{&s.AccessKey, &s.Date, &s.Region, &s.Service} {
		if *part, rest, _ = strings.Cut(rest, "/"); *part == "" || len(*part) > 128 {
			return incomplete("Credential must have exactly 5 slash-delimited elements, none of them empty.")
		}
	}
	var err error
	if s.time, err = time.Parse(stamp, date); err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'.")
	}
	if s.Date != date[:8] {
		return &Fault{Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."}
	}
	n, err := hex.Decode(s.signature[:], []byte(signature[:min(len(signature), 2*sha256.Size)]))
	if err != nil || n != sha256.Size || len(signature) != 2*sha256.Size {
		return errMismatch
	}
	return nil
}

// sign makes the string that was signed.
func (s *Signed) sign(r *http.Request, q query, names signedNames, body []byte) {
	canonical := canonicalHash(r, q, names, body)
	b := append(append(s.room[:0], algorithm...), '\n')
	b = append(s.time.AppendFormat(b, stamp), '\n')
	for _, word := range []string{s.Date, "/", s.Region, "/", s.Service, "/", terminator, "\n"} {
		b = append(b, word...)
	}
	s.toSign = hex.AppendEncode(b, canonical[:])
}

// Verify checks the signature with the secret of the access key, in constant time, and then that its time is now.
func (s *Signed) Verify(keys *Keys, shared []byte, now time.Time) error {
	sum := keys.sign(s.Scope, shared, s.toSign)
	if !hmac.Equal(sum[:], s.signature[:]) {
		return errMismatch
	}
	life := Skew
	if s.expires > 0 {
		life = s.expires
	}
	at := func(t time.Time) string { return t.UTC().Format(stamp) }
	switch {
	case now.After(s.time.Add(life)):
		return &Fault{Skewed, "Signature expired: " + at(s.time) + " is now earlier than " + at(now.Add(-life)) + " (" + at(now) + " - " + minutes(life) + ")"}
	case s.time.After(now.Add(Skew)):
		return &Fault{Skewed, "Signature not yet current: " + at(s.time) + " is still later than " + at(now.Add(Skew)) + " (" + at(now) + " + " + minutes(Skew) + ")"}
	}
	return nil
}

func minutes(d time.Duration) string { return strconv.Itoa(int(d/time.Minute)) + " min." }
