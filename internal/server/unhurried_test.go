package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/server"
)

// impatient is a server that gives a request a third of a second.
const impatient = `
[[listener]]
address = "127.0.0.1:0"
plaintext = true
[storage]
kind = "memory"
[limits]
request_time = "300ms"
`

// slowly gives its reader a piece, is silent for longer than a request may take, and then gives the rest.
type slowly struct {
	all   *bytes.Reader
	begun bool
}

func (s *slowly) Read(b []byte) (int, error) {
	if !s.begun {
		s.begun = true
		return s.all.Read(b[:min(len(b), 20)])
	}
	if s.all.Size() == int64(s.all.Len())+20 {
		time.Sleep(time.Second)
	}
	return s.all.Read(b)
}

// A restore takes as long as its snapshot takes to arrive, however short other requests are kept.
func TestRestoreOutlivesTheTimeOfRequests(t *testing.T) {
	f, err := server.Parse("test.toml", []byte(impatient), nil)
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
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	url, token := strings.Replace(s.Addrs[0], "https://", "http://", 1)+"/v1/", ""
	send := func(method, path string, body io.Reader) (int, []byte, error) {
		rq, err := http.NewRequestWithContext(ctx, method, url+path, body)
		if err != nil {
			t.Fatal(err)
		}
		rq.Header.Set("X-Vault-Token", token)
		resp, err := http.DefaultClient.Do(rq)
		if err != nil {
			return 0, nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, b, err
	}
	must := func(method, path, body string) []byte {
		t.Helper()
		code, b, err := send(method, path, strings.NewReader(body))
		if err != nil || code/100 != 2 {
			t.Fatalf("%s %s: %d %s %v", method, path, code, b, err)
		}
		return b
	}
	var made struct {
		Keys      []string
		RootToken string `json:"root_token"`
	}
	if err := json.Unmarshal(must("PUT", "sys/init", `{"secret_shares":1,"secret_threshold":1}`), &made); err != nil {
		t.Fatal(err)
	}
	must("PUT", "sys/unseal", `{"key":"`+made.Keys[0]+`"}`)
	token = made.RootToken
	must("POST", "sys/mounts/secret", `{"type":"kv","options":{"version":"2"}}`)
	must("POST", "secret/data/a", `{"data":{"v":"old"}}`)
	snap := must("GET", "sys/storage/raft/snapshot", "")
	must("POST", "secret/data/a", `{"data":{"v":"new"}}`)

	// Any other body that comes so slowly is cut off: the limit is there.
	slow := &slowly{all: bytes.NewReader([]byte(`{"data":{"v":"half of it came in time"}}`))}
	if code, _, err := send("POST", "secret/data/a", slow); err == nil && code/100 == 2 {
		t.Errorf("a slow write: got %d", code)
	}
	code, b, err := send("POST", "sys/storage/raft/snapshot?keep_sessions=true", &slowly{all: bytes.NewReader(snap)})
	if err != nil || code/100 != 2 {
		t.Fatalf("a slow restore: got %d %s, %v", code, b, err)
	}
	if got := must("GET", "secret/data/a", ""); !strings.Contains(string(got), `"old"`) {
		t.Errorf("after the restore: %s", got)
	}
}
