package lane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	maxStreams    = 250      // as net/http's; of one channel at a time, and of handlers that run for it
	startWindow   = 65535    // of every stream, and of the channel (section 6.9.2)
	channelWindow = 1 << 20  // what all streams of a channel may have sent that nobody has read
	grantFrom     = 16 << 10 // a stream is granted more when so much of its window was read
	maxUnsent     = 256 << 10
	lastWords     = time.Second // for the client to read why a channel ends
)

// channel is a connection of HTTP/2 on which calls are answered. One goroutine reads, and owns what stands before mu; each call
// has its own, which hands what it has to say to whoever writes just now.
type channel struct {
	conn   *conn
	in     *bufio.Reader
	framer *http2.Framer
	names  map[string]string
	fresh  []*stream     // opened, and their handlers not started
	base   *http.Request // what all calls have in common
	cancel func()        // of its context

	mu      sync.Mutex
	last    uint32     // the latest stream that the client opened
	leave   bool       // no stream is opened any more
	changed *sync.Cond // on mu: windows, bodies, what is unsent, the end
	streams map[uint32]*stream
	err     error // why the channel is over
	room    int64 // that the client has for data on the channel
	start   int64 // and at first on each stream
	largest int   // frame that the client reads
	recv    int64 // what the client may still send on the channel
	read    int64 // of that: was read, and not granted again
	out     outbox
}

// outbox is what waits to be written. Its owner holds the channel's mu.
type outbox struct {
	unsent  []byte
	spare   []byte
	writing bool
	fields  *hpack.Encoder // into block
	block   bytes.Buffer
}

// greetFrames says SETTINGS, which clients wait for before they ask.
func (c *conn) greetFrames() error {
	b := appendFrame(nil, http2.FrameSettings, 0, 0, 12)
	b = appendSetting(b, http2.SettingMaxConcurrentStreams, maxStreams)
	b = appendSetting(b, http2.SettingMaxHeaderListSize, maxHeadList)
	_, err := c.net.Write(b)
	return err
}

func newChannel(c *conn) *channel {
	ch := &channel{
		conn: c, names: map[string]string{}, streams: map[uint32]*stream{},
		room: startWindow, start: startWindow, largest: maxFrameSize, recv: channelWindow,
	}
	ch.changed = sync.NewCond(&ch.mu)
	ch.out.fields = hpack.NewEncoder(&ch.out.block)
	ch.in = bufio.NewReader(&reopened{Conn: c.net, unread: c.in[len(http2.ClientPreface):]})
	ch.framer = newFramer(ch.in)
	ctx, cancel := context.WithCancel(c.req.Context())
	ch.cancel = cancel
	ch.base = c.req.WithContext(ctx)
	ch.base.Method, ch.base.Proto, ch.base.ProtoMajor, ch.base.ProtoMinor, ch.base.ContentLength = http.MethodPost, "HTTP/2.0", 2, 0, -1
	return ch
}

// serve answers calls until the connection ends.
func (ch *channel) serve() {
	ch.mu.Lock()
	ch.out.unsent = appendFrame(ch.out.unsent, http2.FrameWindowUpdate, 0, 0, 4)
	ch.out.unsent = appendUint32(ch.out.unsent, channelWindow-startWindow)
	ch.mu.Unlock()
	err := ch.readFrames()
	ch.cancel()
	_ = ch.conn.net.SetDeadline(time.Now().Add(lastWords))
	ch.mu.Lock()
	if ch.err == nil {
		ch.goAway(err)
		for ch.out.writing && ch.err == nil {
			ch.changed.Wait() // whoever writes takes it along
		}
		ch.err = err
	}
	ch.changed.Broadcast()
	for _, s := range ch.fresh {
		delete(ch.streams, s.id) // nobody answers it
	}
	for len(ch.streams) > 0 {
		ch.changed.Wait()
	}
	ch.mu.Unlock()
	ch.conn.farewell()
}

// farewell lets the client read what was said last: a close with something unread would take it back.
func (c *conn) farewell() {
	if w, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	var b [512]byte
	for until := time.Now().Add(lastWords); time.Now().Before(until); {
		if _, err := c.net.Read(b[:]); err != nil {
			return
		}
	}
}

var errLeft = errors.New("the channel ends with the calls that it has")

// readFrames takes frames until there are no more. Before it waits for one, it starts what was opened and sends what is unsent: what
// came together is answered together.
func (ch *channel) readFrames() error {
	for {
		if ch.in.Buffered() == 0 {
			if err := ch.settle(); err != nil {
				return err
			}
		}
		f, err := ch.framer.ReadFrame()
		var broken http2.StreamError
		switch {
		case errors.As(err, &broken):
			err = ch.breakStream(broken)
		case err == nil:
			err = ch.take(f)
		}
		if err != nil {
			return err
		}
	}
}

// settle starts the fresh streams, sends what is unsent, and waits while the client reads less than it makes us say.
func (ch *channel) settle() error {
	for i, s := range ch.fresh {
		ch.fresh[i] = nil
		go s.answer()
	}
	ch.fresh = ch.fresh[:0]
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.flush()
	for ch.err == nil && len(ch.out.unsent) > maxUnsent {
		ch.changed.Wait()
	}
	if ch.err == nil && len(ch.streams) == 0 && (ch.leave || ch.conn.server.closing.Load()) {
		return errLeft
	}
	return ch.err
}

// take takes one frame.
func (ch *channel) take(f http2.Frame) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return ch.open(f)
	case *http2.DataFrame:
		return ch.data(f)
	case *http2.SettingsFrame:
		return ch.settings(f)
	case *http2.WindowUpdateFrame:
		return ch.widen(f.StreamID, int64(f.Increment))
	case *http2.PingFrame:
		if !f.IsAck() {
			ch.out.unsent = append(appendFrame(ch.out.unsent, http2.FramePing, http2.FlagPingAck, 0, len(f.Data)), f.Data[:]...)
		}
	case *http2.RSTStreamFrame:
		if f.StreamID > ch.last {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		if s := ch.streams[f.StreamID]; s != nil {
			s.reset, s.ended = true, true // it counts until its handler has returned
			ch.changed.Broadcast()
		}
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}

// open opens a stream, or ends one by trailers.
func (ch *channel) open(f *http2.MetaHeadersFrame) error {
	id := f.StreamID
	if s := ch.streams[id]; s != nil && !s.ended && f.StreamEnded() {
		s.finish()
		return nil
	}
	if id%2 == 0 || id <= ch.last {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if !ch.leave && (ch.conn.server.closing.Load() || !isPlainCall(f, ch.conn.server.cfg.Call)) {
		ch.leave = true
		ch.goAway(errLeft)
	}
	if ch.leave {
		return nil // the client knows that it is not answered here
	}
	ch.last = id
	if len(ch.streams) >= maxStreams {
		ch.resetStream(id, http2.ErrCodeRefusedStream)
		return nil
	}
	if len(ch.streams) == 0 {
		ch.conn.stage.set(ch.conn.server.now.Load(), farOff, 0) // each stream has its own time
	}
	s := ch.newStream(f)
	ch.streams[id] = s
	ch.fresh = append(ch.fresh, s)
	return nil
}

// data is a piece of a body. What nobody reads any more is granted again at once.
func (ch *channel) data(f *http2.DataFrame) error {
	size := int64(f.Length)
	if ch.recv -= size; ch.recv < 0 {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	s := ch.streams[f.StreamID]
	switch {
	case f.StreamID > ch.last && !ch.leave:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case s == nil || s.reset:
		ch.grant(size)
		return nil
	case s.ended:
		ch.grant(size)
		return ch.abandon(s, http2.ErrCodeStreamClosed)
	}
	if s.recv -= size; s.recv < 0 {
		ch.grant(size)
		return ch.abandon(s, http2.ErrCodeFlowControl)
	}
	s.body = append(s.body, f.Data()...)
	padding := size - int64(len(f.Data()))
	s.read += padding
	ch.grant(padding)
	if f.StreamEnded() {
		s.finish()
	}
	ch.changed.Broadcast()
	return nil
}

// grant lets the client send as much again on the channel, when enough has come together.
func (ch *channel) grant(n int64) {
	if ch.read += n; ch.read < channelWindow/4 {
		return
	}
	ch.recv += ch.read
	ch.out.unsent = appendFrame(ch.out.unsent, http2.FrameWindowUpdate, 0, 0, 4)
	ch.out.unsent = appendUint32(ch.out.unsent, uint32(ch.read))
	ch.read = 0
}

func (ch *channel) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingInitialWindowSize:
			more := int64(s.Val) - ch.start
			ch.start = int64(s.Val)
			for _, o := range ch.streams {
				if o.room += more; o.room > maxWindow {
					return http2.ConnectionError(http2.ErrCodeFlowControl)
				}
			}
		case http2.SettingMaxFrameSize:
			ch.largest = min(int(s.Val), maxUnsent)
		case http2.SettingHeaderTableSize:
			ch.out.fields.SetMaxDynamicTableSize(min(s.Val, 4096))
		}
		return nil
	})
	ch.out.unsent = appendFrame(ch.out.unsent, http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
	ch.changed.Broadcast()
	return err
}

const maxWindow = 1<<31 - 1

func (ch *channel) widen(id uint32, more int64) error {
	room := &ch.room
	if id != 0 {
		s := ch.streams[id]
		if s == nil {
			if id > ch.last && !ch.leave {
				return http2.ConnectionError(http2.ErrCodeProtocol)
			}
			return nil
		}
		room = &s.room
	}
	if *room += more; *room > maxWindow {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	ch.changed.Broadcast()
	return nil
}

// breakStream ends a stream whose frame was wrong.
func (ch *channel) breakStream(e http2.StreamError) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if s := ch.streams[e.StreamID]; s != nil {
		return ch.abandon(s, e.Code)
	}
	ch.last = max(ch.last, e.StreamID)
	ch.resetStream(e.StreamID, e.Code)
	return nil
}

func (ch *channel) abandon(s *stream, code http2.ErrCode) error {
	if !s.reset {
		s.reset, s.ended = true, true
		ch.resetStream(s.id, code)
		ch.changed.Broadcast()
	}
	return nil
}

// late says that a stream has had its time, at that second of the clock.
func (ch *channel) late(now int64) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, s := range ch.streams {
		if now > s.until {
			return true
		}
	}
	return false
}

// flush writes what is unsent. When somebody writes already, he takes it along. mu is held, but not while writing.
func (ch *channel) flush() {
	o := &ch.out
	if o.writing {
		return
	}
	o.writing = true
	for len(o.unsent) > 0 && ch.err == nil {
		b := o.unsent
		o.unsent = o.spare[:0]
		ch.mu.Unlock()
		_, err := ch.conn.net.Write(b)
		clear(b) // there were secrets in it
		ch.mu.Lock()
		if o.spare = b; cap(b) > keepBuffer {
			o.spare = nil
		}
		if err != nil {
			ch.err = err
			_ = ch.conn.net.SetReadDeadline(past)
		}
		ch.changed.Broadcast()
	}
	o.writing = false
	ch.changed.Broadcast()
}

// goAway says why the channel ends, and which streams are answered.
func (ch *channel) goAway(err error) {
	code := http2.ErrCodeNo
	var broken http2.ConnectionError
	if errors.As(err, &broken) {
		code = http2.ErrCode(broken)
	}
	if errors.Is(err, http2.ErrFrameTooLarge) {
		code = http2.ErrCodeFrameSize
	}
	b := appendFrame(ch.out.unsent, http2.FrameGoAway, 0, 0, 8)
	ch.out.unsent = appendUint32(appendUint32(b, ch.last), uint32(code))
	ch.flush()
}

func (ch *channel) resetStream(id uint32, code http2.ErrCode) {
	b := appendFrame(ch.out.unsent, http2.FrameRSTStream, 0, id, 4)
	ch.out.unsent = appendUint32(b, uint32(code))
}

// appendFrame appends the head of a frame (section 4.1).
func appendFrame(b []byte, kind http2.FrameType, flags http2.Flags, id uint32, size int) []byte {
	b = append(b, byte(size>>16), byte(size>>8), byte(size), byte(kind), byte(flags))
	return appendUint32(b, id)
}

func appendUint32(b []byte, n uint32) []byte {
	return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func appendSetting(b []byte, id http2.SettingID, value uint32) []byte {
	return appendUint32(append(b, byte(id>>8), byte(id)), value)
}
