package lane

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// farOff is a patience that never ends: streams have times of their own.
const farOff = 1000 * 24 * time.Hour

// stream is one call. Its handler's goroutine owns request, header and reply; the channel's mu guards the rest.
type stream struct {
	channel *channel
	id      uint32
	request http.Request
	url     url.URL
	header  http.Header
	values  []string // of header
	reply   streamReply

	body  []byte // what came and was not read
	ended bool   // no more comes
	reset bool   // nobody wants the answer
	room  int64  // that the client has for data
	recv  int64  // what it may still send
	read  int64  // of that: was read, and not granted again
	until int64  // the second in which the stream is late
}

// streams holds *stream. A pool has no state that anybody could observe.
var streams = sync.Pool{New: func() any { return &stream{header: http.Header{}, reply: streamReply{header: http.Header{}}} }}

// newStream makes a stream of a request that is a call.
func (ch *channel) newStream(f *http2.MetaHeadersFrame) *stream {
	s := streams.Get().(*stream)
	s.channel, s.id = ch, f.StreamID
	s.room, s.recv, s.read, s.ended, s.reset = ch.start, startWindow, 0, f.StreamEnded(), false
	s.begin()
	fields := f.RegularFields()
	if cap(s.values) < len(fields) {
		s.values = make([]string, len(fields))
	}
	s.values = s.values[:len(fields)]
	for i, h := range fields {
		s.values[i] = h.Value
		name := canonical(ch.names, h.Name)
		if old, again := s.header[name]; again {
			s.header[name] = append(old, h.Value)
		} else {
			s.header[name] = s.values[i : i+1 : i+1]
		}
	}
	path := f.PseudoValue("path")
	s.url = url.URL{Path: path}
	s.request = *ch.base
	r := &s.request
	r.URL, r.RequestURI, r.Host, r.Header, r.Body = &s.url, path, f.PseudoValue("authority"), s.header, (*streamBody)(s)
	if s.ended {
		r.ContentLength, r.Body = 0, http.NoBody
	}
	return s
}

// begin begins a stream's time: for its body, and then for its answer.
func (s *stream) begin() {
	c := s.channel.conn
	s.until = c.server.now.Load() + int64((c.server.cfg.RequestTime+time.Second-1)/time.Second)
}

// finish notes that the body is there.
func (s *stream) finish() {
	s.ended = true
	s.begin()
	s.channel.changed.Broadcast()
}

// answer has the handler answer, and sends that.
func (s *stream) answer() {
	ch := s.channel
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, by identity, as net/http has it
				ch.conn.server.cfg.Log.Error("panic while answering", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			}
			ch.mu.Lock()
			_ = ch.abandon(s, http2.ErrCodeInternal)
			ch.close(s)
			ch.mu.Unlock()
		}
	}()
	ch.conn.server.cfg.Handler.ServeHTTP(&s.reply, &s.request)
	ch.mu.Lock()
	s.send()
	ch.close(s)
	ch.mu.Unlock()
	s.recycle()
}

// close ends a stream whose handler has returned. What it did not read is granted to others.
func (ch *channel) close(s *stream) {
	ch.grant(int64(len(s.body)))
	if !s.ended && ch.err == nil {
		ch.resetStream(s.id, http2.ErrCodeNo) // the answer is whole; the rest of the request is not wanted (section 8.1)
	}
	delete(ch.streams, s.id)
	if len(ch.streams) == 0 {
		ch.changed.Broadcast()
		ch.conn.stage.set(ch.conn.server.now.Load(), ch.conn.server.cfg.IdleTime, 1)
		if ch.conn.server.closing.Load() || ch.leave {
			_ = ch.conn.net.SetReadDeadline(past) // its reader ends it
		}
	}
	ch.flush()
}

// recycle forgets everything of a stream that was answered.
func (s *stream) recycle() {
	clear(s.header)
	clear(s.values)
	clear(s.body[:cap(s.body)])
	if s.body = s.body[:0]; cap(s.body) > keepRoom {
		s.body = nil
	}
	s.request, s.channel = http.Request{}, nil
	if s.reply.body != nil {
		giveBack(s.reply.body)
	}
	clear(s.reply.header)
	s.reply = streamReply{header: s.reply.header}
	streams.Put(s)
}

// streamBody is a stream as the body of its request: what came, and a wait for more.
type streamBody stream

var errBodyCut = errors.New("the request was cut short")

func (b *streamBody) Read(p []byte) (int, error) {
	s := (*stream)(b)
	ch := s.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for len(s.body) == 0 && !s.ended && ch.err == nil {
		ch.changed.Wait()
	}
	switch {
	case s.reset || ch.err != nil && !s.ended:
		return 0, errBodyCut
	case len(s.body) == 0:
		return 0, io.EOF
	}
	n := copy(p, s.body)
	rest := copy(s.body, s.body[n:])
	clear(s.body[rest:])
	s.body = s.body[:rest]
	ch.grant(int64(n))
	if s.read += int64(n); s.read >= grantFrom && !s.ended {
		s.recv += s.read
		ch.out.unsent = appendUint32(appendFrame(ch.out.unsent, http2.FrameWindowUpdate, 0, s.id, 4), uint32(s.read))
		s.read = 0
		ch.flush()
	}
	return n, nil
}

func (*streamBody) Close() error { return nil }

// streamReply is the http.ResponseWriter of a stream. It keeps the whole answer until the handler has returned. Trailers are what
// the handler sets under http.TrailerPrefix.
type streamReply struct {
	header http.Header
	status int
	body   *[]byte
}

func (r *streamReply) Header() http.Header { return r.header }

func (r *streamReply) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("lane: invalid status " + strconv.Itoa(status))
	}
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

func (r *streamReply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.body == nil {
		r.body = buffers.Get().(*[]byte)
	}
	*r.body = append(*r.body, b...)
	return len(b), nil
}

// send hands the answer to whoever writes. mu is held. It waits where the client has no room for the answer.
func (s *stream) send() {
	ch, r := s.channel, &s.reply
	if s.reset || ch.err != nil {
		return
	}
	r.WriteHeader(http.StatusOK)
	var body []byte
	if r.body != nil {
		body = *r.body
	}
	ch.field(":status", strconv.Itoa(r.status))
	for name, values := range r.header {
		if !strings.HasPrefix(name, http.TrailerPrefix) {
			ch.fieldsOf(name, values)
		}
	}
	trailers := false
	for name := range r.header {
		trailers = trailers || strings.HasPrefix(name, http.TrailerPrefix)
	}
	if len(body) > 0 {
		ch.endFields(s.id, 0)
		if !s.sendBody(body, !trailers) || !trailers {
			return
		}
	}
	for name, values := range r.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			ch.fieldsOf(name, values)
		}
	}
	ch.endFields(s.id, http2.FlagHeadersEndStream) // without a body: all of it in one frame
}

// sendBody is false when the stream ended before it was sent.
func (s *stream) sendBody(body []byte, last bool) bool {
	ch := s.channel
	for len(body) > 0 {
		n := min(int64(len(body)), s.room, ch.room, int64(ch.largest))
		if n <= 0 || len(ch.out.unsent) > maxUnsent {
			ch.flush()
			if (min(s.room, ch.room) <= 0 || len(ch.out.unsent) > maxUnsent) && !s.reset && ch.err == nil {
				ch.changed.Wait()
			}
			if s.reset || ch.err != nil {
				return false
			}
			continue
		}
		var flags http2.Flags
		if last && int(n) == len(body) {
			flags = http2.FlagDataEndStream
		}
		ch.out.unsent = append(appendFrame(ch.out.unsent, http2.FrameData, flags, s.id, int(n)), body[:n]...)
		body = body[n:]
		s.room -= n
		ch.room -= n
	}
	return true
}

func (ch *channel) field(name, value string) {
	_ = ch.out.fields.WriteField(hpack.HeaderField{Name: name, Value: value}) // a buffer takes it
}

// fieldsOf appends the values of a header field; one that could not be sent over HTTP/1.1 is not sent here either.
func (ch *channel) fieldsOf(name string, values []string) {
	if !isName([]byte(name)) {
		return
	}
	lower, ok := lowerNames[name]
	if !ok {
		lower = strings.ToLower(name)
	}
	for _, v := range values {
		ch.field(lower, strings.Map(printable, v))
	}
}

// lowerNames are those of nearly all answers.
var lowerNames = map[string]string{"Content-Type": "content-type", "Grpc-Status": "grpc-status", "Grpc-Message": "grpc-message"}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// endFields appends the frame of the fields so far, and those that continue it.
func (ch *channel) endFields(id uint32, flags http2.Flags) {
	kind := http2.FrameHeaders
	for first := true; first || ch.out.block.Len() > 0; first = false {
		piece := ch.out.block.Next(min(ch.largest, ch.out.block.Len()))
		if ch.out.block.Len() == 0 {
			flags |= http2.FlagHeadersEndHeaders
		}
		ch.out.unsent = append(appendFrame(ch.out.unsent, kind, flags, id, len(piece)), piece...)
		kind, flags = http2.FrameContinuation, 0
	}
	ch.out.block.Reset()
}
