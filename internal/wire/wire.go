// Package wire reads what all HTTP fronts read alike: who knocks, with which token, and JSON without surprises.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Token is the token that a request presents: in X-Vault-Token, or as a bearer (RFC 6750).
func Token(h http.Header) string {
	if t := h["X-Vault-Token"]; len(t) > 0 {
		return t[0]
	}
	if bearer := h["Authorization"]; len(bearer) > 0 {
		if t, ok := strings.CutPrefix(bearer[0], "Bearer "); ok {
			return strings.TrimSpace(t)
		}
	}
	return ""
}

// Peer is the address that a request came from; the zero Addr for a unix socket or a call in process.
func Peer(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// ErrTooLarge says that a body is longer than its bound.
var ErrTooLarge = errors.New("request body too large")

// Body reads at most limit bytes; ErrTooLarge when there are more.
func Body(r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, errors.New("error reading the body")
	}
	if int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Object reads the members of a JSON object strictly (RFC 8259 with what RFC 7493 forbids): no member twice, no NUL in
// a name, at most depth levels, nothing behind the end. Empty text is an empty object.
func Object(b []byte, depth int) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, errors.New("it is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := value(d, depth); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON value")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil || members == nil {
		return nil, errors.New("the body must be a JSON object")
	}
	return members, nil
}

var errJSON = errors.New("it is no well-formed JSON")

// value walks one value. What it refuses, encoding/json would quietly accept.
func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return errJSON
	}
	delim, ok := t.(json.Delim)
	switch {
	case !ok:
		return nil
	case depth == 0:
		return errors.New("it is nested too deeply")
	case delim == '[':
		for d.More() {
			if err := value(d, depth-1); err != nil {
				return err
			}
		}
		return end(d)
	}
	seen := map[string]bool{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return errJSON
		}
		name, _ := k.(string)
		switch {
		case seen[name]:
			return errors.New("member " + strconv.Quote(name) + " stands twice")
		case strings.ContainsRune(name, 0):
			return errors.New("a member's name holds a NUL")
		}
		seen[name] = true
		if err := value(d, depth-1); err != nil {
			return err
		}
	}
	return end(d)
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}

// Canonical is a JSON object in the form that the house keeps maps in: members sorted, numbers as they were written, no spaces. It
// fails for what is no object.
func Canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil {
		return nil, errNoObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNoObject
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

var errNoObject = errors.New("not a JSON object")
