package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalHash is the hash of what both sides write down of a request:
//
//	METHOD \n canonical URI \n canonical query \n canonical headers \n signed headers \n hash of the body
func canonicalHash(r *http.Request, q query, names signedNames, body []byte) [sha256.Size]byte {
	var room [1024]byte
	b := append(append(room[:0], r.Method...), '\n')
	b = append(appendPath(b, wirePath(r)), '\n')
	b = append(q.append(b), '\n')
	for name := range strings.SplitSeq(string(names), ";") {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, names...), '\n')
	sum := sha256.Sum256(body)
	return sha256.Sum256(hex.AppendEncode(b, sum[:]))
}

// wirePath is the path as it stood in the request.
func wirePath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}

// appendPath normalises a path (RFC 3986, section 6.2.2.3) and encodes each segment once more, as every service but S3 does.
func appendPath(b []byte, path string) []byte {
	var kept []string
	for s := range strings.SplitSeq(path, "/") {
		switch s {
		case "", ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, s)
		}
	}
	for _, s := range kept {
		b = appendEncoded(append(b, '/'), s)
	}
	if len(kept) == 0 || strings.HasSuffix(path, "/") {
		b = append(b, '/')
	}
	return b
}

// appendEncoded percent-encodes everything but the unreserved characters (RFC 3986, section 2.3).
func appendEncoded(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return b
}

// appendHeader appends a header's values, joined by commas, without space at their ends and with single spaces inside.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return append(b, strings.TrimSpace(r.Host)...)
	case "content-length": // net/http takes it out of the headers
		if r.ContentLength >= 0 && len(r.Header["Content-Length"]) == 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	case "transfer-encoding":
		return append(b, strings.Join(r.TransferEncoding, ",")...)
	}
	for i, v := range valuesOf(r.Header, name) {
		if i > 0 {
			b = append(b, ',')
		}
		if isTrim(v) {
			b = append(b, v...)
			continue
		}
		for j, word := range strings.Fields(v) {
			if j > 0 {
				b = append(b, ' ')
			}
			b = append(b, word...)
		}
	}
	return b
}

// valuesOf is h.Values without making the canonical name anew each time.
func valuesOf(h http.Header, lower string) []string {
	var room [64]byte
	if len(lower) > len(room) {
		return h.Values(lower)
	}
	start := true
	for i := range len(lower) {
		c := lower[i]
		if start && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		room[i], start = c, c == '-'
	}
	return h[string(room[:len(lower)])]
}

// isTrim says that a value has nothing but single spaces between its words.
func isTrim(v string) bool {
	space := true
	for i := range len(v) {
		c := v[i]
		if c < ' ' || c > '~' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space
}

// signedNames is the list of the headers that were signed: sorted, in lower case, each name once, with a semicolon between two.
type signedNames string

func readSignedNames(text string) (signedNames, error) {
	count, last := 0, ""
	for n := range strings.SplitSeq(text, ";") {
		if count++; text == "" || count > maxHeaders {
			return "", incomplete("'SignedHeaders' must list the headers that were signed.")
		}
		if n == "" || n != strings.ToLower(n) || strings.ContainsAny(n, " :\n,") || last >= n {
			return "", incomplete("'SignedHeaders' must be sorted names in lower case, each once.")
		}
		last = n
	}
	return signedNames(text), nil
}

// has says whether a header was signed, whatever the case that its name is written in.
func (s signedNames) has(header string) bool {
	for n := range strings.SplitSeq(string(s), ";") {
		if strings.EqualFold(n, header) {
			return true
		}
	}
	return false
}

// unsigned answers a header that chooses the operation, or says who asks, and was not signed: it could have been exchanged behind
// the signer's back.
func (s signedNames) unsigned(h http.Header) (name string, found bool) {
	const prefix = "x-amz-"
	for name := range h {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && !s.has(name) {
			return name, true
		}
	}
	return "", false
}

// query is a decoded query string, in the order it was written.
type query []pair

type pair struct{ name, value string }

func parseQuery(raw string) (query, error) {
	var q query
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.PathUnescape(name)
		v, err2 := url.PathUnescape(value)
		if err != nil || err2 != nil || len(q) >= maxHeaders {
			return nil, incomplete("The query string cannot be read.")
		}
		q = append(q, pair{n, v})
	}
	return q, nil
}

// get answers a parameter that stands once.
func (q query) get(name string) (string, bool) {
	found, n := "", 0
	for _, p := range q {
		if p.name == name {
			found, n = p.value, n+1
		}
	}
	return found, n == 1
}

func (q query) without(name string) query {
	return slices.DeleteFunc(slices.Clone(q), func(p pair) bool { return p.name == name })
}

// append appends the parameters encoded and sorted by name, then by value.
func (q query) append(b []byte) []byte {
	if len(q) == 0 {
		return b
	}
	encoded := make([]pair, len(q))
	for i, p := range q {
		encoded[i] = pair{string(appendEncoded(nil, p.name)), string(appendEncoded(nil, p.value))}
	}
	slices.SortFunc(encoded, func(a, c pair) int {
		if n := strings.Compare(a.name, c.name); n != 0 {
			return n
		}
		return strings.Compare(a.value, c.value)
	})
	for i, p := range encoded {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.name...), '='), p.value...)
	}
	return b
}
