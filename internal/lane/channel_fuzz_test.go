package lane_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/keephold/keephold/internal/lane"
)

// FuzzChannel holds that no bytes make the lane panic, hang, or answer what is no call.
func FuzzChannel(f *testing.F) {
	var seed bytes.Buffer
	w := http2.NewFramer(&seed, nil)
	_ = w.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15})
	r := &raw{}
	r.fields = hpack.NewEncoder(&r.block)
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head(), EndHeaders: true})
	_ = w.WriteData(1, true, []byte("\x00\x00\x00\x00\x01x"))
	f.Add(bytes.Clone(seed.Bytes()))
	_ = w.WritePing(false, [8]byte{})
	_ = w.WriteWindowUpdate(1, 5)
	_ = w.WriteRSTStream(1, http2.ErrCodeCancel)
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: r.head("a", "b"), EndHeaders: true, EndStream: true})
	f.Add(bytes.Clone(seed.Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		front, err := lane.New(lane.Config{
			Quick: func(string, string) bool { return false }, Call: func(path string) bool { return path == method },
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != method || r.ProtoMajor != 2 || r.Host == "" {
					t.Errorf("%+v is no call", r)
				}
				_, _ = io.Copy(w, io.LimitReader(r.Body, 1<<10))
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		l := &one{conn: there, closed: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- front.Serve(l) }()
		go func() {
			if c, err := front.Others().Accept(); err == nil {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}
		}()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		_ = here.SetWriteDeadline(time.Now().Add(patience))
		_, _ = here.Write(append([]byte(http2.ClientPreface), b...))
		_ = here.Close()
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_ = front.Others().Close()
		if err := front.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// FuzzOpening holds that the way the first bytes arrive decides nothing.
func FuzzOpening(f *testing.F) {
	settings := binary.BigEndian.AppendUint32(nil, 0)
	f.Add(append([]byte(http2.ClientPreface), append(settings, 0, 0, 0, 0, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if whole, pieces := lane.Opens(b, len(b)), lane.Opens(b, 1); whole != pieces {
			t.Errorf("%q: got %s in pieces, and %s whole", b, pieces, whole)
		}
	})
}

// one is a listener of one connection.
type one struct {
	conn   net.Conn
	given  atomic.Bool
	closed chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	if l.given.CompareAndSwap(false, true) {
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *one) Close() error   { close(l.closed); return nil }
func (l *one) Addr() net.Addr { return &net.UnixAddr{Name: "one", Net: "unix"} }
