package intercept_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/intercept"
)

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"sts.amazonaws.com:443", "STS.amazonaws.com.:443", "[::1]:443", "127.0.0.1:80", "a:0", "a:65536", ":1", "a b:1", "u@h:1", "[x]:1", "a::1", ".:10", "..:10", "\xa9:1", "é:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := intercept.ParseTarget(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(host+port, "@/?# \r\n\x00") || host != strings.ToLower(host) {
			t.Fatalf("%q: %q, %q", s, host, port)
		}
		again, samePort, err := intercept.ParseTarget(net.JoinHostPort(host, port))
		if err != nil || samePort != port || strings.TrimSuffix(again, ".") != strings.TrimSuffix(host, ".") {
			t.Fatalf("%q: %q, %q does not read back: %q, %q, %v", s, host, port, again, samePort, err)
		}
		if intercept.Ours(host) && net.ParseIP(host) != nil {
			t.Fatalf("%q is an address on the list", host)
		}
	})
}

func FuzzProxyCredential(f *testing.F) {
	for _, s := range []string{"Basic dTpw", "basic dTpw", "Basic", "Basic !", "Bearer x", "Basic dQ==", strings.Repeat("a", 2000)} {
		f.Add(s)
	}
	c := intercept.NewCredential()
	f.Fuzz(func(t *testing.T, s string) {
		h := http.Header{"Proxy-Authorization": {s}}
		user, password, ok := intercept.Presented(h)
		if !ok {
			return
		}
		again := &http.Request{Header: http.Header{}}
		again.SetBasicAuth(user, password)
		u, p, ok := intercept.Presented(http.Header{"Proxy-Authorization": {again.Header.Get("Authorization")}})
		if !ok && len(s) < 500 || ok && (u != user || p != password) {
			t.Fatalf("%q does not read back", s)
		}
		if strings.Contains(c.URL("127.0.0.1:1"), ":"+password+"@") && password != "" {
			t.Fatal("a guess was right")
		}
	})
}
