//go:build unix

package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is what a line of gRPC remembers: HTTP/2 read and written as leanly as can be, for the same reason as HTTP/1.1 is. Its windows
// are as large as can be, so it never has to grant anything.
type frames struct {
	framer *http2.Framer
	fields *hpack.Decoder
	status string // of the answer that is being read
	first  []byte // the fields of the first call; those of every other one refer to them
	then   []byte
	id     uint32
}

// gatherCalls is gather for calls of one method.
func gatherCalls(b *testing.B, ch *child, c int, method, token string) *crowd {
	b.Helper()
	w := gather(b, ch, c)
	for _, l := range w.lines {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		encode := func() []byte {
			block.Reset()
			for _, f := range [][2]string{
				{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", ch.addr}, {"content-type", "application/grpc"}, {"user-agent", "grpc-load"}, {"te", "trailers"}, {"authorization", "Bearer " + token},
			} {
				_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
			}
			return bytes.Clone(block.Bytes())
		}
		f := &frames{id: 1, first: encode(), then: encode()}
		f.fields = hpack.NewDecoder(4096, func(h hpack.HeaderField) {
			if h.Name == "grpc-status" {
				f.status = h.Value
			}
		})
		var hello bytes.Buffer
		hello.WriteString(http2.ClientPreface)
		f.framer = http2.NewFramer(&hello, l.conn)
		f.framer.SetReuseFrames()
		err := f.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		if err == nil {
			err = f.framer.WriteWindowUpdate(0, 1<<31-1-65535)
		}
		if err == nil {
			err = f.framer.WriteSettingsAck()
		}
		if err == nil {
			_, err = l.conn.Write(hello.Bytes())
		}
		if err != nil {
			b.Fatal(err)
		}
		l.frames = f
	}
	return w
}

// exchange sends the message in l.out as a call and reads its answer.
func (f *frames) exchange(l *line) error {
	head := f.then
	if f.id == 1 {
		head = f.first
	}
	l.in = appendFrame(l.in[:0], http2.FrameHeaders, http2.FlagHeadersEndHeaders, f.id, head)
	l.in = appendFrame(l.in, http2.FrameData, http2.FlagDataEndStream, f.id, l.out)
	if _, err := l.conn.Write(l.in); err != nil {
		return err
	}
	f.id += 2
	f.status = ""
	for {
		got, err := f.framer.ReadFrame()
		if err != nil {
			return err
		}
		switch got := got.(type) {
		case *http2.HeadersFrame:
			if _, err := f.fields.Write(got.HeaderBlockFragment()); err != nil {
				return err
			}
			if got.StreamEnded() {
				if f.status != "0" {
					return fmt.Errorf("grpc-status %q", f.status)
				}
				return nil
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return fmt.Errorf("got %v", got)
		}
	}
}

func appendFrame(b []byte, kind http2.FrameType, flags http2.Flags, id uint32, payload []byte) []byte {
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), byte(kind), byte(flags))
	return append(binary.BigEndian.AppendUint32(b, id), payload...)
}

// accessCall is a message of AccessSecretVersion, with gRPC's prefix.
func accessCall(buf []byte, n uint64) []byte {
	name := "projects/" + DevProject + "/secrets/" + cloudName(n) + "/versions/latest"
	buf = binary.BigEndian.AppendUint32(append(buf, 0), uint32(len(name)+2))
	return append(append(buf, 1<<3|2, byte(len(name))), name...) // field 1, of bytes
}
