package gcpsm

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), of which a service without streams
// needs little: one message each way behind a prefix of five bytes, and the status in the trailers. It is answered here, on
// the server's own port and by its own connections, so that a stranger is refused before a byte of the body is read.

const (
	grpcService = "/google.cloud.secretmanager.v1.SecretManagerService/"
	grpcHealth  = "/grpc.health.v1.Health/Check"
	grpcPrefix  = 5 // compressed?(1) length(4)
)

// IsCall says which paths gRPC asks here. All of them are over in a moment.
func IsCall(path string) bool { return strings.HasPrefix(path, grpcService) || path == grpcHealth }

func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

func (f *Front) serveGRPC(w http.ResponseWriter, r *http.Request) {
	if t := r.Header.Get("Content-Type"); t != "application/grpc" && t != "application/grpc+proto" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	if r.URL.Path == grpcHealth && r.Method == http.MethodPost {
		f.health(w)
		return
	}
	ctx, cancel, err := grpcTimeout(r)
	if err != nil {
		trail(w, err.code, err.text)
		return
	}
	defer cancel()
	name, ok := strings.CutPrefix(r.URL.Path, grpcService)
	m := f.methods[name]
	if !ok || m == nil || r.Method != http.MethodPost {
		trail(w, codes.Unimplemented, "unknown service or method "+clip(r.URL.Path))
		return
	}
	answer, err := f.call(f.identify(ctx, r, m), func(c *call) (proto.Message, error) { return readFrame(r, m) })
	if err != nil {
		trail(w, err.code, err.text)
		return
	}
	b := make([]byte, grpcPrefix, 512)
	b, failed := proto.MarshalOptions{}.MarshalAppend(b, answer)
	if failed != nil {
		trail(w, codes.Internal, "Internal error encountered.")
		return
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-grpcPrefix))
	_, _ = w.Write(b) // a client that went away has no use for the error
	trail(w, codes.OK, "")
}

// call answers an identified request; read decodes what it says, once the caller is known.
func (f *Front) call(c *call, read func(*call) (proto.Message, error)) (proto.Message, *fault) {
	if err := c.refused(); err != nil {
		return nil, f.told(c, err)
	}
	in, err := read(c)
	if err != nil {
		return nil, f.told(c, err)
	}
	out, err := c.method.do(c, in)
	if err != nil {
		if c.ctx.Err() != nil {
			return nil, &fault{codes.DeadlineExceeded, "context deadline exceeded"}
		}
		return nil, f.told(c, err)
	}
	return out, nil
}

// readFrame reads the one message of a call.
func readFrame(r *http.Request, m *method) (proto.Message, error) {
	if e := r.Header.Get("Grpc-Encoding"); e != "" && e != "identity" {
		return nil, faultf(codes.Unimplemented, "messages compressed with %q are not read here", clip(e))
	}
	var prefix [grpcPrefix]byte
	if _, err := io.ReadFull(r.Body, prefix[:]); err != nil {
		return nil, faultf(codes.Internal, "the message is cut short")
	}
	size := binary.BigEndian.Uint32(prefix[1:])
	switch {
	case prefix[0] != 0:
		return nil, faultf(codes.Internal, "a compressed message without grpc-encoding")
	case size > maxMessage:
		return nil, faultf(codes.ResourceExhausted, "received message larger than max (%d vs. %d)", size, maxMessage)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.Body, b); err != nil {
		return nil, faultf(codes.Internal, "the message is cut short")
	}
	if n, err := io.ReadFull(r.Body, prefix[:1]); n != 0 || err != io.EOF {
		return nil, faultf(codes.Internal, "a unary call has one message")
	}
	return decodeMessage(b, m)
}

func decodeMessage(b []byte, m *method) (proto.Message, error) {
	in := m.request()
	if err := proto.Unmarshal(b, in); err != nil {
		return nil, faultf(codes.Internal, "the message is not well formed")
	}
	return in, nil
}

// grpcTimeout reads the client's deadline: at most eight digits and a unit.
func grpcTimeout(r *http.Request) (context.Context, context.CancelFunc, *fault) {
	v := r.Header.Get("Grpc-Timeout")
	if v == "" {
		return r.Context(), func() {}, nil
	}
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	unit, ok := units[v[len(v)-1]]
	n, err := strconv.ParseUint(v[:len(v)-1], 10, 63)
	if !ok || err != nil || len(v) > 9 {
		return nil, nil, &fault{codes.Internal, "malformed grpc-timeout"}
	}
	d := time.Duration(min(n, uint64(1<<62)/uint64(unit))) * unit
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return ctx, cancel, nil
}

// trail ends an answer with its status.
func trail(w http.ResponseWriter, code codes.Code, text string) {
	if code != codes.OK {
		w.WriteHeader(http.StatusOK)
	}
	h := w.Header()
	h.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(int(code)))
	if text != "" {
		h.Set(http.TrailerPrefix+"Grpc-Message", percent(text))
	}
}

// percent encodes a status message: what is not printable ASCII, and '%'.
func percent(s string) string {
	const hexa = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			b.WriteString(string([]byte{'%', hexa[c>>4], hexa[c&15]}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// health is grpc.health.v1: {status: SERVING} or NOT_SERVING, in the two bytes that it has.
func (f *Front) health(w http.ResponseWriter) {
	serving := byte(1)
	if f.desk.Sealed() {
		serving = 2
	}
	_, _ = w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, serving})
	trail(w, codes.OK, "")
}
