package cli

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestUpstreamProxyIsGoneThrough: a program behind a proxy stays behind it, for the hosts that are not ours.
func TestUpstreamProxyIsGoneThrough(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	asked := make(chan string, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			asked <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization")
			answer := "HTTP/1.1 200 OK\r\n\r\nfrom afar"
			if strings.HasPrefix(r.RequestURI, "refused") {
				answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
			}
			_, _ = io.WriteString(c, answer)
			_ = c.Close()
		}
	}()
	dial := upstream([]string{"https_proxy=http://u:p@" + l.Addr().String(), "NO_PROXY=direct.example"})
	c, err := dial(t.Context(), "tcp", "example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "CONNECT example.com:443 Basic dTpw" {
		t.Errorf("the proxy was asked %q", got)
	}
	// What came with the proxy's answer is the far host's.
	if b, err := io.ReadAll(c); string(b) != "from afar" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := dial(t.Context(), "tcp", "refused.example:443"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("got %v, want the proxy's refusal", err)
	}
	if got := <-asked; !strings.HasPrefix(got, "CONNECT refused.example:443") {
		t.Errorf("the proxy was asked %q", got)
	}
}
