package lane_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/lane"
)

const patience = 30 * time.Second

// stand is a lane with net/http behind it, which says of each answer whose it is.
type stand struct {
	lane *lane.Server
	http *http.Server
	addr string
	log  log
}

type log struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func serve(t *testing.T, handler http.HandlerFunc, wrap func(net.Listener) net.Listener) *stand {
	t.Helper()
	s := new(stand)
	var err error
	s.lane, err = lane.New(lane.Config{
		Handler: handler, Quick: func(_, path string) bool { return strings.HasPrefix(path, "/v1/") },
		Call: func(path string) bool { return strings.HasPrefix(path, "/pkg.Service/") },
		Log:  slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{Protocols: protocols, ConnContext: lane.ConnContext, Handler: lane.WithTLS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Over", "yes")
		handler(w, r)
	}))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if wrap != nil {
		l = wrap(l)
	}
	var served sync.WaitGroup
	for _, run := range []func() error{func() error { return s.lane.Serve(l) }, func() error { return s.http.Serve(s.lane.Others()) }} {
		served.Go(func() {
			if err := run(); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		if err := errors.Join(s.lane.Shutdown(ctx), s.http.Shutdown(ctx)); err != nil {
			t.Error(err)
		}
		served.Wait()
	})
	return s
}

// echo says everything that a handler can know of a request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	fmt.Fprintf(w, "%s %s %s %s %s %v %d %q %v %v %s", r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, r.Header, r.ContentLength, body, err, r.TLS != nil, host)
}

type dialed struct {
	net.Conn
	in *bufio.Reader
}

func (s *stand) dial(t *testing.T) *dialed {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &dialed{c, bufio.NewReader(c)}
}

func (d *dialed) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(d, text); err != nil {
		t.Fatal(err)
	}
}

func (d *dialed) hear(t *testing.T) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(d.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

const get = "GET /v1/a HTTP/1.1\r\nHost: h\r\n\r\n"

// A handler sees the same request and a client the same answer, whoever carries them.
func TestLikeNetHTTP(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"echo":       echo,
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Add("A", "b")
			w.Header().Add("A", "c\r\nd: e")
			w.Header()["B\r\nC"] = []string{"no name"}
			w.WriteHeader(http.StatusForbidden)
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, `{"errors":[]}`)
		},
		"long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answer, nil)
			d := s.dial(t)
			plain := httptest.NewServer(answer)
			defer plain.Close()
			c, err := net.Dial("tcp", plain.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			other := &dialed{c, bufio.NewReader(c)}
			for _, request := range []string{
				get,
				"LIST /v1/a/b?list=true HTTP/1.1\r\nHost: h:1\r\nX-Vault-Token: t\r\nx-vault-token: u\r\nConnection: keep-alive\r\n\r\n",
				"POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
				"PUT /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
			} {
				d.say(t, request)
				other.say(t, request)
				ours, body := d.hear(t)
				theirs, want := other.hear(t)
				if ours.Header.Get("Over") != "" {
					t.Fatalf("%q went over", request)
				}
				if ours.StatusCode != theirs.StatusCode || body != want || ours.ContentLength != theirs.ContentLength {
					t.Errorf("%q\ngot  %v %q\nwant %v %q", request, ours, body, theirs, want)
				}
				if ours.Header.Get("Date") == "" {
					t.Error("no Date")
				}
				ours.Header.Del("Date")
				theirs.Header.Del("Date")
				if got, want := fmt.Sprint(ours.Header), fmt.Sprint(theirs.Header); got != want {
					t.Errorf("%q\ngot  %v\nwant %v", request, got, want)
				}
			}
		})
	}
}

// What is not plain, or not quick, goes over with every byte, and the connection stays there.
func TestOver(t *testing.T) {
	s := serve(t, echo, nil)
	for _, tt := range []struct{ request, want string }{
		{"POST /v1/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", `"hello"`},
		{"POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("a", 70_000), strings.Repeat("a", 70_000)},
		{"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "/metrics"},
		{"GET /v1/%41 HTTP/1.1\r\nHost: h\r\n\r\n", "/v1/A"},
		{"GET /v1/a HTTP/1.1\nHost: h\n\n", "/v1/a"},
	} {
		d := s.dial(t)
		d.say(t, get)
		if r, _ := d.hear(t); r.Header.Get("Over") != "" {
			t.Fatal("a plain request went over")
		}
		d.say(t, tt.request+get)
		for _, want := range []string{tt.want, "GET /v1/a"} {
			if r, body := d.hear(t); r.Header.Get("Over") == "" || r.StatusCode != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%.60q: got %v %.200q, want it answered there with %.60q", tt.request, r.Header, body, want)
			}
		}
	}
	for _, wrong := range []string{"GET /v1/a HTTP/1.1\r\n\r\n", "\x16\x03\x01 and what follows\n", "GET /v1/a HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "GET /v1/a HTTP/1.1\r\nHost: a b\r\n\r\n"} {
		d := s.dial(t)
		d.say(t, wrong)
		if r, _ := d.hear(t); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: got %d", wrong, r.StatusCode)
		}
	}
}

// HTTP/2 with prior knowledge, as gRPC speaks it on plaintext, begins like a request that is odd.
func TestHTTP2WithoutTLS(t *testing.T) {
	s := serve(t, echo, nil)
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: h2}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://" + s.addr + "/v1/a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.ProtoMajor != 2 || r.Header.Get("Over") == "" {
		t.Errorf("got %s %v", r.Proto, r.Header)
	}
}

func TestPipelineAndPieces(t *testing.T) {
	s := serve(t, echo, nil)
	d := s.dial(t)
	var all strings.Builder
	for i := range 50 {
		fmt.Fprintf(&all, "POST /v1/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n%02d", i, i)
	}
	sent := make(chan struct{})
	go func() { // pieces that end anywhere
		defer close(sent)
		for rest := all.String(); rest != ""; {
			n := min(37, len(rest))
			if _, err := io.WriteString(d, rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
	}()
	for i := range 50 {
		want := fmt.Sprintf("POST /v1/%d /v1/%d  h map[Content-Length:[2]] 2 \"%02d\"", i, i, i)
		if _, body := d.hear(t); !strings.HasPrefix(body, want) {
			t.Fatalf("got %q, want %q", body, want)
		}
	}
	<-sent
}

// A panic ends its connection without an answer, and nothing else.
func TestPanic(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		if r.URL.Path == "/v1/p" {
			panic("a bug")
		}
	}, nil)
	d := s.dial(t)
	d.say(t, "GET /v1/p HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := d.in.ReadByte(); err == nil {
		t.Error("an answer")
	}
	if !strings.Contains(s.log.String(), "a bug") {
		t.Errorf("log: %q", &s.log)
	}
	d = s.dial(t)
	d.say(t, get)
	if _, body := d.hear(t); body != "half" {
		t.Errorf("got %q", body)
	}
}

// The clock ends who is too slow, at each stage, and nobody else.
func TestClock(t *testing.T) {
	s := serve(t, echo, nil)
	for _, tt := range []struct {
		name, sent string
		seconds    int64
	}{
		{"new", "", 10},
		{"half a head", get + get[:20], 10},
		{"half a body", get + "POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", 30},
		{"idle", get, 120},
	} {
		d := s.dial(t)
		d.say(t, tt.sent)
		if tt.sent != "" {
			d.hear(t)
		}
		ended := make(chan error, 1)
		go func() { _, err := d.in.ReadByte(); ended <- err }()
		for range tt.seconds { // not late yet
			s.lane.Strike(time.Now())
		}
		select {
		case err := <-ended:
			t.Errorf("%s: ended early: %v", tt.name, err)
			continue
		default:
		}
		for { // the other side may only now have read what was sent
			s.lane.Strike(time.Now())
			select {
			case <-ended:
			case <-time.After(10 * time.Millisecond):
				continue
			}
			break
		}
	}
}

// A process that stood still for an hour ends nobody for that: whoever it kept waiting could do nothing about it.
func TestClockAfterStandstill(t *testing.T) {
	s := serve(t, echo, nil)
	d := s.dial(t)
	d.say(t, get+get[:20])
	d.hear(t)
	s.lane.Strike(time.Now().Add(time.Hour))
	d.say(t, get[20:])
	if r, _ := d.hear(t); r.StatusCode != http.StatusOK {
		t.Errorf("answered %d", r.StatusCode)
	}
}

// Shutdown ends who is idle at once and waits for answers under way.
func TestShutdown(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		inside <- struct{}{}
		<-leave
		_, _ = io.WriteString(w, "done")
	}, nil)
	idle, busy := s.dial(t), s.dial(t)
	busy.say(t, get)
	<-inside
	down := make(chan error, 1)
	go func() { down <- s.lane.Shutdown(context.Background()) }()
	if _, err := idle.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("idle: got %v, want the end", err)
	}
	select {
	case err := <-down:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	close(leave)
	if r, body := busy.hear(t); body != "done" || !r.Close {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	defer cert.Close()
	config := &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	s := serve(t, echo, func(l net.Listener) net.Listener { return tls.NewListener(l, config) })
	for _, tt := range []struct {
		http2, over bool
		path        string
	}{{false, false, "/v1/a"}, {false, true, "/metrics"}, {true, true, "/v1/a"}} {
		transport := cert.Client().Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = tt.http2
		if !tt.http2 {
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		r, err := (&http.Client{Transport: transport}).Get("https://" + s.addr + tt.path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if (r.ProtoMajor == 2) != tt.http2 || (r.Header.Get("Over") != "") != tt.over || !strings.HasSuffix(string(body), "true 127.0.0.1") {
			t.Errorf("%+v: got %s %v %q", tt, r.Proto, r.Header, body)
		}
		transport.CloseIdleConnections()
	}
	d := s.dial(t)
	d.say(t, get)
	if r, body := d.hear(t); r.StatusCode != http.StatusBadRequest || !strings.Contains(body, "HTTP request to an HTTPS server") {
		t.Errorf("plaintext: got %d %q", r.StatusCode, body)
	}
}
