package lane_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const method = "/pkg.Service/Method"

// callEcho is echo with a status in the trailers.
func callEcho(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	echo(w, r)
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

func h2Client(t *testing.T) *http.Client {
	t.Helper()
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: h2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func call(t *testing.T, c *http.Client, url, body string) (r *http.Response, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, struct{ io.Reader }{strings.NewReader(body)}) // of no known length: with one, it is no call
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header["A"] = []string{"b", "c"}
	r, err = c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

// A call is answered here, and its handler is told what net/http's is told.
func TestCallsAreAnsweredHere(t *testing.T) {
	s := serve(t, callEcho, nil)
	c := h2Client(t)
	for _, body := range []string{"", "x", strings.Repeat("0123456789", 20_000)} {
		here, text := call(t, c, "http://"+s.addr+method, body)
		if here.Header.Get("Over") != "" || here.Trailer.Get("Grpc-Status") != "0" || here.Header.Get("Content-Type") != "application/grpc" || here.StatusCode != http.StatusOK {
			t.Errorf("got %v %v %v", here.Status, here.Header, here.Trailer)
		}
		there, theirs := call(t, h2Client(t), "http://"+s.addr+"/not"+method, body)
		if there.Header.Get("Over") == "" || text != strings.ReplaceAll(theirs, "/not/", "/") {
			t.Errorf("here  %.300q\nthere %.300q", text, theirs)
		}
	}
}

// A request that is no call goes to net/http, whatever came before it on its connection, and its client notices nothing.
func TestOthersBetweenCalls(t *testing.T) {
	s := serve(t, callEcho, nil)
	c := h2Client(t)
	for i := range 3 {
		if r, _ := call(t, c, "http://"+s.addr+method, "x"); i == 0 && r.Header.Get("Over") != "" {
			t.Error("a first call is not answered here")
		}
		r, err := c.Get("http://" + s.addr + "/v1/a")
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.ProtoMajor != 2 || r.Header.Get("Over") == "" {
			t.Errorf("got %s %v", r.Proto, r.Header)
		}
	}
}

func TestCallsBelowTLS(t *testing.T) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	defer cert.Close()
	config := &tls.Config{Certificates: cert.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	s := serve(t, callEcho, func(l net.Listener) net.Listener { return tls.NewListener(l, config) })
	for _, tt := range []struct {
		version uint16
		path    string
		over    bool
	}{{tls.VersionTLS13, method, false}, {tls.VersionTLS13, "/v1/a", true}, {tls.VersionTLS12, method, true}} {
		transport := cert.Client().Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = true
		transport.TLSClientConfig.MaxVersion = tt.version
		r, text := call(t, &http.Client{Transport: transport}, "https://"+s.addr+tt.path, "x")
		transport.CloseIdleConnections()
		if r.ProtoMajor != 2 || (r.Header.Get("Over") != "") != tt.over || !strings.HasSuffix(text, " true 127.0.0.1") {
			t.Errorf("%v: got %s %v %q", tt, r.Proto, r.Header, text)
		}
	}
}

// raw is a client that says what it likes.
type raw struct {
	*http2.Framer
	net.Conn
	t      *testing.T
	block  bytes.Buffer
	fields *hpack.Encoder
}

func (s *stand) raw(t *testing.T, settings ...http2.Setting) *raw {
	t.Helper()
	c := s.dial(t)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	r := &raw{Framer: http2.NewFramer(c.Conn, c.Conn), Conn: c.Conn, t: t}
	r.Framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.fields = hpack.NewEncoder(&r.block)
	r.must(r.WriteSettings(settings...))
	return r
}

func (r *raw) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) head(fields ...string) []byte {
	r.block.Reset()
	all := append([]string{":method", "POST", ":scheme", "http", ":path", method, ":authority", "h", "content-type", "application/grpc"}, fields...)
	for i := 0; i < len(all); i += 2 {
		_ = r.fields.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	return bytes.Clone(r.block.Bytes())
}

// open opens a stream that ends with its head, or not.
func (r *raw) open(id uint32, ends bool, fields ...string) {
	r.t.Helper()
	r.must(r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head(fields...), EndHeaders: true, EndStream: ends}))
}

// until reads frames until want says that one is it; nil when the connection ends before.
func (r *raw) until(want func(http2.Frame) bool) http2.Frame {
	r.t.Helper()
	for {
		f, err := r.ReadFrame()
		var wrong http2.StreamError
		switch {
		case errors.As(err, &wrong):
			r.t.Fatal(err)
		case err != nil:
			if n := net.Error(nil); errors.As(err, &n) && n.Timeout() {
				r.t.Fatal("nothing came")
			}
			return nil
		case want(f):
			return f
		}
	}
}

// ping returns when everything said before has been read.
func (r *raw) ping() {
	r.t.Helper()
	r.must(r.WritePing(false, [8]byte{1, 2, 3}))
	pong, ok := r.until(func(f http2.Frame) bool { p, ok := f.(*http2.PingFrame); return ok && p.IsAck() }).(*http2.PingFrame)
	if !ok || pong.Data != [8]byte{1, 2, 3} {
		r.t.Fatalf("got %v", pong)
	}
}

func (r *raw) reset(id uint32) http2.ErrCode {
	r.t.Helper()
	f, ok := r.until(func(f http2.Frame) bool { g, ok := f.(*http2.RSTStreamFrame); return ok && g.StreamID == id }).(*http2.RSTStreamFrame)
	if !ok {
		r.t.Fatalf("stream %d is not reset", id)
	}
	return f.ErrCode
}

func (r *raw) goAway() *http2.GoAwayFrame {
	r.t.Helper()
	f, ok := r.until(func(f http2.Frame) bool { _, ok := f.(*http2.GoAwayFrame); return ok }).(*http2.GoAwayFrame)
	if !ok {
		r.t.Fatal("the connection ends without a word")
	}
	return f
}

func answered(id uint32) func(http2.Frame) bool {
	return func(f http2.Frame) bool {
		h, ok := f.(*http2.MetaHeadersFrame)
		return ok && h.StreamID == id && h.StreamEnded()
	}
}

// An answer keeps to the windows of its client, and waits for them.
func TestAnswerKeepsToTheWindows(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", 4096)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, want)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil)
	r := s.raw(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	r.open(1, true)
	var got bytes.Buffer
	room := 10
	for got.Len() < len(want) {
		f, ok := r.until(func(f http2.Frame) bool { _, ok := f.(*http2.DataFrame); return ok }).(*http2.DataFrame)
		if !ok {
			t.Fatal("the connection ended")
		}
		got.Write(f.Data())
		if room -= len(f.Data()); room < 0 {
			t.Fatalf("%d bytes came beyond the window", -room)
		}
		if room == 0 {
			room = 5000
			r.must(r.WriteWindowUpdate(1, 5000))
			r.must(r.WriteWindowUpdate(0, 5000))
		}
	}
	if r.until(answered(1)) == nil || got.String() != want {
		t.Errorf("got %d bytes, want %d", got.Len(), len(want))
	}
}

// What the client asks beyond the limit is refused, and a stream counts until its handler has returned, whether its client
// still wants it or not: a client that opens and resets starts no more handlers than one that waits.
func TestStreamsAreCounted(t *testing.T) {
	const most = 250
	var running, worst atomic.Int64
	leave := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := running.Add(1)
		for old := worst.Load(); n > old && !worst.CompareAndSwap(old, n); old = worst.Load() {
		}
		<-leave
		running.Add(-1)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil)
	r := s.raw(t)
	id := uint32(1)
	for range most {
		r.open(id, true)
		r.must(r.WriteRSTStream(id, http2.ErrCodeCancel))
		id += 2
	}
	for range 2000 {
		r.open(id, true)
		r.must(r.WriteRSTStream(id, http2.ErrCodeCancel))
		id += 2
	}
	if code := r.reset(id - 2); code != http2.ErrCodeRefusedStream {
		t.Errorf("got %v", code)
	}
	close(leave)
	r.open(id, true)
	for {
		f := r.until(func(f http2.Frame) bool { return f.Header().StreamID == id })
		if f == nil {
			t.Fatal("the connection ended")
		}
		if _, refused := f.(*http2.RSTStreamFrame); !refused {
			break
		}
		id += 2
		r.open(id, true) // the handlers are leaving
	}
	if n := worst.Load(); n != most {
		t.Errorf("%d handlers ran at a time, want %d", n, most)
	}
}

// What may be sent is bounded, read or not.
func TestBodiesAreBounded(t *testing.T) {
	leave := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Wait") != "" {
			<-leave
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil)
	defer close(leave)
	piece := make([]byte, 16<<10)
	r := s.raw(t)
	r.open(1, false, "wait", "1")
	for range 4 {
		r.must(r.WriteData(1, false, piece))
	}
	if code := r.reset(1); code != http2.ErrCodeFlowControl {
		t.Errorf("beyond a stream's window: %v", code)
	}
	r.open(3, false) // its handler does not read
	if r.until(answered(3)) == nil {
		t.Fatal("not answered")
	}
	if code := r.reset(3); code != http2.ErrCodeNo {
		t.Errorf("a body that nobody wants: %v", code)
	}
	r = s.raw(t)
	for id := uint32(1); ; id += 2 {
		r.open(id, false, "wait", "1")
		for range 3 {
			if r.WriteData(id, false, piece) != nil {
				t.Fatal("the connection ended before it said why")
			}
		}
		if id > 2*(1<<20)/(3<<14)+2 {
			break
		}
	}
	if f := r.goAway(); f.ErrCode != http2.ErrCodeFlowControl {
		t.Errorf("beyond the channel's window: %v", f)
	}
}

// Fields that never end, end the connection.
func TestContinuationFlood(t *testing.T) {
	s := serve(t, callEcho, nil)
	for _, first := range []bool{true, false} {
		r := s.raw(t)
		id := uint32(1)
		if !first {
			r.open(1, true)
			id = 3
		}
		r.must(r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head()}))
		field := []byte("\x00\x01a\x7f\x80\x01" + strings.Repeat("b", 255))
		var err error
		for range 10_000 {
			if err = r.WriteContinuation(id, false, field); err != nil {
				break
			}
		}
		for err == nil {
			_, err = r.ReadFrame()
		}
		if n := net.Error(nil); errors.As(err, &n) && n.Timeout() {
			t.Errorf("first %v: it goes on", first)
		}
	}
}

// What is wrong ends a stream or the connection, and says why.
func TestWrongFrames(t *testing.T) {
	s := serve(t, callEcho, nil)
	for name, tt := range map[string]struct {
		say  func(r *raw)
		code http2.ErrCode
	}{
		"an even stream":            {func(r *raw) { r.open(2, true) }, http2.ErrCodeProtocol},
		"an old stream":             {func(r *raw) { r.open(5, true); r.open(3, true) }, http2.ErrCodeProtocol},
		"data before a head":        {func(r *raw) { r.must(r.WriteData(9, true, nil)) }, http2.ErrCodeProtocol},
		"reset before a head":       {func(r *raw) { r.must(r.WriteRSTStream(9, http2.ErrCodeCancel)) }, http2.ErrCodeProtocol},
		"window before a head":      {func(r *raw) { r.must(r.WriteWindowUpdate(9, 1)) }, http2.ErrCodeProtocol},
		"a window that is too wide": {func(r *raw) { r.must(r.WriteWindowUpdate(0, 1<<31-1)) }, http2.ErrCodeFlowControl},
		"a frame that is too large": {func(r *raw) { r.must(r.WriteRawFrame(http2.FrameData, 0, 3, make([]byte, 1<<14+1))) }, http2.ErrCodeFrameSize},
		"a push": {func(r *raw) {
			r.must(r.WriteRawFrame(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, []byte{0, 0, 0, 2}))
		}, http2.ErrCodeProtocol},
		"a continuation": {func(r *raw) { r.must(r.WriteContinuation(1, true, nil)) }, http2.ErrCodeProtocol},
		"fields that are none": {func(r *raw) {
			r.must(r.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true}))
		}, http2.ErrCodeCompression},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.raw(t)
			r.open(1, true)
			tt.say(r)
			if f := r.goAway(); f.ErrCode != tt.code {
				t.Errorf("got %v", f)
			}
		})
	}
	r := s.raw(t)
	r.open(1, true)
	r.open(3, true, "Upper", "case")
	if code := r.reset(3); code != http2.ErrCodeProtocol {
		t.Errorf("a name in capitals: %v", code)
	}
	r.ping()
}

// Who is late, loses the connection: for a body, for reading an answer, between calls.
func TestLateCalls(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		_, _ = w.Write(make([]byte, 1000))
	}, nil)
	ended := func(r *raw) {
		t.Helper()
		if r.until(func(http2.Frame) bool { return false }) != nil {
			t.Error("it goes on")
		}
	}
	body := s.raw(t)
	body.open(1, false)
	answer := s.raw(t, http2.Setting{ID: http2.SettingInitialWindowSize})
	answer.open(1, true)
	idle := s.raw(t)
	idle.open(1, true)
	silent := s.raw(t) // connected, and asks nothing
	if idle.until(func(f http2.Frame) bool { d, ok := f.(*http2.DataFrame); return ok && d.StreamEnded() }) == nil {
		t.Fatal("not answered")
	}
	beat := func(seconds int) {
		for range seconds {
			s.lane.Strike(time.Now())
		}
	}
	for _, r := range []*raw{body, answer} {
		r.ping() // they are being answered
	}
	beat(30)
	for _, r := range []*raw{body, answer} {
		r.ping()
	}
	beat(1)
	ended(body)
	ended(answer)
	idle.ping()
	beat(90)
	if f := idle.goAway(); f.ErrCode != http2.ErrCodeNo || f.LastStreamID != 1 {
		t.Errorf("got %v", f)
	}
	stop := make(chan struct{})
	go func() { // it may only now be known what it is
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				beat(1)
			}
		}
	}()
	ended(silent)
	close(stop)
}

func TestShutdownOfCalls(t *testing.T) {
	leave, inside := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Wait") != "" {
			close(inside)
			<-leave
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil)
	idle, busy := s.raw(t), s.raw(t)
	idle.open(1, true)
	if idle.until(answered(1)) == nil {
		t.Fatal("not answered")
	}
	busy.open(1, true, "wait", "1")
	<-inside
	down := make(chan error, 1)
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		down <- s.lane.Shutdown(ctx)
	}()
	if f := idle.goAway(); f.ErrCode != http2.ErrCodeNo {
		t.Errorf("got %v", f)
	}
	busy.open(3, true) // too late
	if f := busy.goAway(); f.LastStreamID != 1 || f.ErrCode != http2.ErrCodeNo {
		t.Errorf("got %v", f)
	}
	close(leave)
	if busy.until(answered(1)) == nil {
		t.Error("what was under way is not answered")
	}
	_ = busy.Close()
	_ = idle.Close()
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// A panic ends its stream alone.
func TestPanicInACall(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Panic") != "" {
			panic("oh")
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, nil)
	r := s.raw(t)
	r.open(1, true, "panic", "1")
	if code := r.reset(1); code != http2.ErrCodeInternal {
		t.Errorf("got %v", code)
	}
	r.open(3, true)
	if r.until(answered(3)) == nil || !strings.Contains(s.log.String(), "oh") {
		t.Errorf("log %q", s.log.String())
	}
}
