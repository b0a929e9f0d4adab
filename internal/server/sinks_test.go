package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/server"
)

// TestAHangingSinkStallsNobody serves with a second sink that takes connections and never answers.
func TestAHangingSinkStallsNobody(t *testing.T) {
	hang, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hang.Close() })
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := server.Parse("test.toml", []byte(`
[[listener]]
address = "127.0.0.1:0"
plaintext = true
[storage]
path = "`+dir+`/store"
[[audit.sink]]
kind = "http"
address = "http://`+hang.Addr().String()+`"
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s, err := server.Open(ctx, f, "test", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	url := strings.Replace(s.Addrs[0], "https://", "http://", 1)
	client := &http.Client{Timeout: 2 * time.Minute}
	for range 20 {
		resp, err := client.Get(url + "/v1/sys/health")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotImplemented {
			t.Fatalf("health of a keep without keys: got %d", resp.StatusCode)
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the server did not stop while a sink hangs")
	}
}

func TestUnknownSinkIsRefused(t *testing.T) {
	f, err := server.Parse("x", []byte("[storage]\nkind = \"memory\"\n[[listener]]\naddress = \"127.0.0.1:0\"\nplaintext = true\n[[audit.sink]]\nkind = \"smoke\"\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Open(context.Background(), f, "test", io.Discard); err == nil || !strings.Contains(err.Error(), `kind "smoke"`) {
		t.Errorf("got %v", err)
	}
}
