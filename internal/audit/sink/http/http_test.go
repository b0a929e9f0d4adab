package http_test

import (
	"context"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/audit/sink/http"
)

var recs = []audit.Record{{Seq: 7, Data: []byte("{\"kind\":\"read\"}\n")}, {Seq: 8, Data: []byte("{\"kind\":\"change\"}\n")}}

func TestAppend(t *testing.T) {
	var body, first, credential string
	status := 204
	srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		b, _ := io.ReadAll(r.Body)
		body, first, credential = string(b), r.Header.Get("Keephold-First-Seq"), r.Header.Get("Authorization")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer srv.Close()
	s := &http.Sink{URL: srv.URL + "/?key=topsecret", Header: func(h nethttp.Header) error { h.Set("Authorization", "Bearer x"); return nil }}
	if err := s.Append(context.Background(), recs); err != nil {
		t.Fatal(err)
	}
	if want := "{\"seq\":7,\"kind\":\"read\"}\n{\"seq\":8,\"kind\":\"change\"}\n"; body != want || first != "7" || credential != "Bearer x" {
		t.Fatalf("got %q, %q, %q", body, first, credential)
	}
	for _, status = range []int{302, 400, 503} {
		if err := s.Append(context.Background(), recs); err == nil {
			t.Errorf("status %d counts as delivered", status)
		}
	}
	srv.Close()
	err := s.Append(context.Background(), recs)
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Fatalf("unreachable collector: got %v", err)
	}
}

func TestCollectorThatHangs(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := (&http.Sink{URL: srv.URL}).Append(ctx, recs); err == nil {
		t.Fatal("a collector that hangs took the records")
	}
}
