package sigv4_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth/sigv4"
	"github.com/keephold/keephold/internal/secret"
)

// The key, scope and time of the vendor's published test suite.
const (
	exampleKey    = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	exampleScope  = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
	exampleHeader = "Host:example.amazonaws.com\r\nX-Amz-Date:20150830T123600Z\r\n"
)

var exampleTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// request is an HTTP request as it comes from the wire.
func request(tb testing.TB, text string) (*http.Request, []byte) {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return r, body
}

func authorization(headers, signature string) string {
	return "Authorization: AWS4-HMAC-SHA256 Credential=" + exampleScope + ", SignedHeaders=" + headers + ", Signature=" + signature + "\r\n"
}

// TestPublishedVectors are cases of the vendor's test suite for Signature Version 4 that a server can meet.
func TestPublishedVectors(t *testing.T) {
	const plain = "host;x-amz-date"
	tests := []struct{ name, line, more, headers, body, signature string }{
		{"get-vanilla", "GET /", "", plain, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", "GET /?Param2=value2&Param1=value1", "", plain, "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"get-vanilla-empty-query-key", "GET /?Param1=value1", "", plain, "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		{"get-relative", "GET /example/..", "", plain, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slash", "GET //", "", plain, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-slashes", "GET //example//", "", plain, "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
		{"get-unreserved", "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", plain, "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		{"post-vanilla", "POST /", "", plain, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"post-vanilla-query", "POST /?Param1=value1", "", plain, "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		{"post-x-www-form-urlencoded", "POST /", "Content-Type:application/x-www-form-urlencoded\r\n", "content-type;host;x-amz-date", "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"get-header-key-duplicate", "GET /", "My-Header1:value2\r\nMy-Header1:value2\r\nMy-Header1:value1\r\n", "host;my-header1;x-amz-date", "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		{"get-header-value-trim", "GET /", "My-Header1: value1\r\nMy-Header2: \"a   b   c\"\r\n", "host;my-header1;my-header2;x-amz-date", "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			more := test.more
			if test.body != "" {
				more += "Content-Length: 13\r\n"
			}
			r, body := request(t, test.line+" HTTP/1.1\r\n"+exampleHeader+more+authorization(test.headers, test.signature)+"\r\n"+test.body)
			s, err := sigv4.Parse(r, body)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(sigv4.NewKeys(), []byte(exampleKey), exampleTime); err != nil {
				t.Error(err)
			}
			if s.AccessKey != "AKIDEXAMPLE" || s.Region != "us-east-1" || s.Service != "service" {
				t.Errorf("scope %+v", s.Scope)
			}
		})
	}
}

// TestWhatIsNotSignedAlike changes one thing of a request that is good.
func TestWhatIsNotSignedAlike(t *testing.T) {
	const signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
	good := "POST / HTTP/1.1\r\n" + exampleHeader + authorization("host;x-amz-date", signature) + "\r\n"
	keys := sigv4.NewKeys()
	verify := func(text string, now time.Time, key string) error {
		r, body := request(t, text)
		s, err := sigv4.Parse(r, body)
		if err != nil {
			return err
		}
		return s.Verify(keys, []byte(key), now)
	}
	if err := verify(good, exampleTime.Add(14*time.Minute), exampleKey); err != nil {
		t.Fatal(err)
	}
	swap := func(old, fresh string) string {
		t.Helper()
		out := strings.Replace(good, old, fresh, 1)
		if out == good {
			t.Fatalf("%q is not in the request", old)
		}
		return out
	}
	tests := []struct {
		name, text string
		now        time.Time
		key        string
		want       sigv4.Kind
	}{
		{"another method", swap("POST", "PUT"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another path", swap("POST /", "POST /x"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another encoding of the path", swap("POST /", "POST /%2F"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another query", swap("POST /", "POST /?a=b"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another host", swap("example.amazonaws", "evil.amazonaws"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another port", swap("amazonaws.com", "amazonaws.com:8443"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another second", swap("T123600Z", "T123601Z"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another region", swap("us-east-1", "us-east-2"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another service", swap("/service/", "/sts/"), exampleTime, exampleKey, sigv4.Mismatch},
		{"a body", strings.TrimSuffix(good, "\r\n") + "Content-Length: 1\r\n\r\nx", exampleTime, exampleKey, sigv4.Mismatch},
		{"one bit of the signature", swap("5da7", "5da6"), exampleTime, exampleKey, sigv4.Mismatch},
		{"a short signature", swap(signature, signature[:62]), exampleTime, exampleKey, sigv4.Mismatch},
		{"a long signature", swap(signature, signature+"00"), exampleTime, exampleKey, sigv4.Mismatch},
		{"no hex", swap("5da7", "zzzz"), exampleTime, exampleKey, sigv4.Mismatch},
		{"another key", good, exampleTime, exampleKey + "x", sigv4.Mismatch},
		{"another day of the scope", swap("/20150830/", "/20150831/"), exampleTime, exampleKey, sigv4.Mismatch},
		{"too old", good, exampleTime.Add(16 * time.Minute), exampleKey, sigv4.Skewed},
		{"of the future", good, exampleTime.Add(-16 * time.Minute), exampleKey, sigv4.Skewed},
		{"unsigned x-amz header", swap("X-Amz-Date:", "X-Amz-Target: secretsmanager.DeleteSecret\r\nX-Amz-Date:"), exampleTime, exampleKey, sigv4.Incomplete},
		{"no host signed", swap("host;x-amz-date", "x-amz-date"), exampleTime, exampleKey, sigv4.Incomplete},
		{"headers unsorted", swap("host;x-amz-date", "x-amz-date;host"), exampleTime, exampleKey, sigv4.Incomplete},
		{"no date", swap("X-Amz-Date:20150830T123600Z\r\n", ""), exampleTime, exampleKey, sigv4.Incomplete},
		{"a date twice", swap("X-Amz-Date:", "X-Amz-Date: 20150830T123600Z\r\nX-Amz-Date:"), exampleTime, exampleKey, sigv4.Incomplete},
		{"another algorithm", swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), exampleTime, exampleKey, sigv4.Incomplete},
		{"a short scope", swap("/us-east-1/service", "/us-east-1"), exampleTime, exampleKey, sigv4.Incomplete},
		{"a part twice", swap("Signature=", "Signature=00, Signature="), exampleTime, exampleKey, sigv4.Incomplete},
		{"two authorizations", swap("Authorization:", "Authorization: x\r\nAuthorization:"), exampleTime, exampleKey, sigv4.Incomplete},
		{"nothing", "POST / HTTP/1.1\r\n" + exampleHeader + "\r\n", exampleTime, exampleKey, sigv4.Missing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := verify(test.text, test.now, test.key)
			var f *sigv4.Fault
			if !errors.As(err, &f) || f.Kind != test.want || !errors.Is(err, secret.ErrDenied) {
				t.Errorf("got %v, want kind %d", err, test.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential="+exampleScope+", SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "20150830T123600Z", "a=b", "body")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host,Signature=00", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x", "")
	keys := sigv4.NewKeys()
	f.Fuzz(func(t *testing.T, auth, date, query, body string) {
		r := &http.Request{Method: http.MethodPost, Host: "h", Header: http.Header{}, RequestURI: "/?" + query}
		r.URL = &url.URL{Path: "/"}
		r.URL.RawQuery = query
		if auth != "" {
			r.Header["Authorization"] = []string{auth}
		}
		r.Header["X-Amz-Date"] = []string{date}
		s, err := sigv4.Parse(r, []byte(body))
		var fault *sigv4.Fault
		if err != nil {
			if !errors.As(err, &fault) {
				t.Errorf("an error that is no fault: %v", err)
			}
			return
		}
		if err := s.Verify(keys, []byte("not the key"), exampleTime); err == nil {
			t.Error("verified without the key")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r, body := request(b, "POST / HTTP/1.1\r\n"+exampleHeader+authorization("host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")+"\r\n")
	keys := sigv4.NewKeys()
	b.ReportAllocs()
	for b.Loop() {
		s, err := sigv4.Parse(r, body)
		if err == nil {
			err = s.Verify(keys, []byte(exampleKey), exampleTime)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
