package lane_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/lane"
)

const okFields = "Host: 127.0.0.1:8200\r\nX-Vault-Token: hvs.x\r\n"

func TestPlain(t *testing.T) {
	for _, in := range []string{
		"GET /v1/secret/data/a HTTP/1.1\r\n" + okFields + "\r\n",
		"LIST /v1/secret/metadata/a?after=b%20c&limit=10 HTTP/1.1\r\n" + okFields + "\r\n",
		"GET /v1/secret/data/a HTTP/1.1\r\nhost:h\r\nAccept: */*\r\nConnection: keep-alive\r\nAccept-Encoding: gzip, deflate\r\n\r\n",
		"POST /v1/auth/approle/login HTTP/1.1\r\n" + okFields + "Content-Length: 2\r\n\r\n{}",
		"PUT /v1/a HTTP/1.1\r\n" + okFields + "Content-Length: 0\r\n\r\n",
		"DELETE /v1/a HTTP/1.1\r\n" + okFields + "\r\nGET ",
	} {
		if _, _, _, _, _, _, ok := lane.Plain([]byte(in)); !ok {
			t.Errorf("%q: not plain", in)
		}
	}
}

// Whatever could be read in two ways, changes the framing or the connection, or is merely rare, is net/http's.
func TestOdd(t *testing.T) {
	get := func(fields string) string { return "GET /v1/a HTTP/1.1\r\n" + fields + "\r\n" }
	post := func(fields, body string) string { return "POST /v1/a HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body }
	for name, in := range map[string]string{
		"no host":                       get("Accept: a\r\n"),
		"no fields":                     get(""),
		"two hosts":                     get("Host: h\r\nHost: h\r\n"),
		"host with a path":              get("Host: h/a\r\n"),
		"http 1.0":                      "GET /v1/a HTTP/1.0\r\nHost: h\r\n\r\n",
		"http 2 preface":                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"bare line feed":                "GET /v1/a HTTP/1.1\nHost: h\r\n\r\n",
		"bare line feed between fields": get("Host: h\nA: b\r\n"),
		"bare carriage return":          get("Host: h\r\nA: b\rc\r\n"),
		"folded field":                  get("Host: h\r\nA: b\r\n c\r\n"),
		"space before the colon":        get("Host: h\r\nA : b\r\n"),
		"no colon":                      get("Host: h\r\nA\r\n"),
		"empty value":                   get("Host: h\r\nA:\r\n"),
		"space at the end":              get("Host: h\r\nA: b \r\n"),
		"tab":                           get("Host: h\r\nA: b\tc\r\n"),
		"NUL":                           get("Host: h\r\nA: b\x00\r\n"),
		"not ASCII":                     get("Host: h\r\nA: \xc3\xa4\r\n"),
		"underscore in a name":          get("Host: h\r\nContent_Length: 5\r\n"),
		"chunked":                       post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"chunked in capitals":           post("TRANSFER-ENCODING: chunked\r\n", "0\r\n\r\n"),
		"both lengths":                  post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"two lengths":                   post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
		"list of lengths":               post("Content-Length: 2, 2\r\n", "{}"),
		"length with a sign":            post("Content-Length: +2\r\n", "{}"),
		"length with a zero":            post("Content-Length: 02\r\n", "{}"),
		"length in hex":                 post("Content-Length: 0x2\r\n", "{}"),
		"length too large":              post("Content-Length: 65537\r\n", strings.Repeat("a", 65537)),
		"expect":                        post("Expect: 100-continue\r\nContent-Length: 2\r\n", "{}"),
		"upgrade":                       get("Host: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"),
		"close":                         get("Host: h\r\nConnection: close\r\n"),
		"connection names a field":      get("Host: h\r\nConnection: keep-alive, X-Vault-Token\r\n"),
		"trailer":                       get("Host: h\r\nTrailer: A\r\n"),
		"pragma":                        get("Host: h\r\nPragma: no-cache\r\n"),
		"absolute target":               "GET http://h/v1/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"asterisk":                      "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"two slashes":                   "GET //v1/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"escaped path":                  "GET /v1/%61 HTTP/1.1\r\nHost: h\r\n\r\n",
		"backslash":                     "GET /v1\\a HTTP/1.1\r\nHost: h\r\n\r\n",
		"fragment":                      "GET /v1/a#b HTTP/1.1\r\nHost: h\r\n\r\n",
		"empty query":                   "GET /v1/a? HTTP/1.1\r\nHost: h\r\n\r\n",
		"two spaces":                    "GET  /v1/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"space at the line's end":       "GET /v1/a HTTP/1.1 \r\nHost: h\r\n\r\n",
		"small letters":                 "get /v1/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"head":                          "HEAD /v1/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"connect":                       "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
		"empty line first":              "\r\nGET /v1/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"huge head":                     get("Host: h\r\nA: " + strings.Repeat("a", 17<<10) + "\r\n"),
	} {
		if _, _, _, _, _, _, ok := lane.Plain([]byte(in)); ok {
			t.Errorf("%s: %.80q is plain", name, in)
		}
	}
}

// FuzzAgainstNetHTTP holds the promise of this package: what is plain here, net/http accepts, and reads the same message
// of the same length out of it.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, seed := range []string{
		"GET /v1/secret/data/a HTTP/1.1\r\n" + okFields + "\r\n",
		"LIST /v1/a?list=true&x=%zz;y HTTP/1.1\r\nHost: [::1]:8200\r\nAccept: */*\r\nAccept: b\r\n\r\nGET /",
		"POST /v1/a:b@c+d,e;f=g$&~._-/ HTTP/1.1\r\nHost: h\r\nconnection: Keep-Alive\r\ncontent-length: 5\r\n\r\nhelloPOST",
		"POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /v1/a HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
		"GET /v1/./../a HTTP/1.1\r\nHost: h\r\nx-vault-TOKEN: a b\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		method, target, host, header, body, used, ok := lane.Plain(b)
		if !ok {
			return
		}
		in := bytes.NewReader(b)
		buffered := bufio.NewReaderSize(in, 1<<20)
		r, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatalf("%q is plain, and net/http says: %v", b, err)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("%q: its body: %v", b, err)
		}
		theirs := len(b) - in.Len() - buffered.Buffered()
		path, query, _ := strings.Cut(target, "?")
		url := url.URL{Path: path, RawQuery: query}
		same := r.Method == method && r.RequestURI == target && r.Host == host && *r.URL == url && r.Proto == "HTTP/1.1" &&
			bytes.Equal(got, body) && r.ContentLength == int64(len(body)) && theirs == used &&
			!r.Close && r.TransferEncoding == nil && r.Trailer == nil &&
			maps.EqualFunc(r.Header, header, slices.Equal)
		if !same {
			t.Fatalf("%q\nhere:  %s %s %s %q %q %d\nthere: %s %s %#v %s %q %q %d", b,
				method, target, host, header, body, used, r.Method, r.RequestURI, r.URL, r.Host, fmt.Sprint(r.Header), got, theirs)
		}
	})
}

// What a connection remembers of a request changes nothing in what the next one says.
func FuzzAfterAnother(f *testing.F) {
	f.Add([]byte("GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\nC: d\r\n\r\n"), []byte("GET /b HTTP/1.1\r\nHost: i\r\na: c\r\nC: d\r\nC: d\r\n\r\n"))
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"), []byte("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		host, header, length, ok := lane.PlainAfter(a, b)
		if !ok {
			return
		}
		wantHost, want, wantLength, ok := lane.PlainAfter(b, b)
		if !ok || host != wantHost || length != wantLength || !maps.EqualFunc(header, want, slices.Equal) {
			t.Fatalf("%q\nafter %q: %s %q %d\nalone: %s %q %d", b, a, host, header, length, wantHost, want, wantLength)
		}
	})
}

// The bytes decide, not how they arrive: a head in pieces is never taken for odd before it is whole, nor for plain.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _, _, _, used, ok := lane.Plain(b)
		for n := range len(b) {
			if _, _, _, _, _, u, early := lane.Plain(b[:n]); early && (!ok || u != used) {
				t.Fatalf("%q: its first %d bytes are a message, all of them another one", b, n)
			}
			if ok && n < used && !lane.MayBecomePlain(b[:n]) {
				t.Fatalf("%q: its first %d bytes are refused", b, n)
			}
		}
	})
}
