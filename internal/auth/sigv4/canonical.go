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

// canonicalRequest is what both sides hash:
//
//	METHOD \n canonical URI \n canonical query \n canonical headers \n signed headers \n hash of the body
func canonicalRequest(r *http.Request, q query, names []string, body []byte) []byte {
	b := make([]byte, 0, 512)
	b = append(append(b, r.Method...), '\n')
	b = append(appendPath(b, wirePath(r)), '\n')
	b = append(q.append(b), '\n')
	for _, name := range names {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	b = append(append(b, strings.Join(names, ";")...), '\n')
	sum := sha256.Sum256(body)
	return hex.AppendEncode(b, sum[:])
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
	for i, v := range r.Header[http.CanonicalHeaderKey(name)] {
		if i > 0 {
			b = append(b, ',')
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

// signedHeaders reads the list, which must be sorted, in lower case, and hold each name once.
func signedHeaders(text string) ([]string, error) {
	names := strings.Split(text, ";")
	if text == "" || len(names) > maxHeaders {
		return nil, incomplete("'SignedHeaders' must list the headers that were signed.")
	}
	for i, n := range names {
		if n == "" || n != strings.ToLower(n) || strings.ContainsAny(n, " :\n,") || i > 0 && names[i-1] >= n {
			return nil, incomplete("'SignedHeaders' must be sorted names in lower case, each once.")
		}
	}
	return names, nil
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
