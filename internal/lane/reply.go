package lane

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// reply is the http.ResponseWriter of a connection. It keeps the whole answer until the handler has returned, so that its
// length is known and one write sends it. There is no Flush: what streams is not for the fast lane.
type reply struct {
	conn   *conn
	header http.Header
	status int     // 0 until it is said
	body   *[]byte // nil until there is one
}

// buffers holds *[]byte for answers. A pool has no state that anybody could observe.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

const (
	keepBuffer = 64 << 10
	copyUpTo   = 16 << 10 // a longer body goes out in a write of its own
)

// giveBack overwrites what the buffer was used for: it held a secret.
func giveBack(b *[]byte) {
	clear(*b)
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

func (r *reply) Header() http.Header { return r.header }

func (r *reply) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic("lane: invalid status " + strconv.Itoa(status))
	}
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

func (r *reply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if !mayHaveBody(r.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if r.body == nil {
		r.body = buffers.Get().(*[]byte)
	}
	*r.body = append(*r.body, b...)
	return len(b), nil
}

func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

var errLast = errors.New("the last answer of this connection")

// send sends the answer and makes the reply ready for the next one. errLast says that there is none.
func (r *reply) send() error {
	r.WriteHeader(http.StatusOK)
	var body []byte
	if r.body != nil {
		body = *r.body
		defer giveBack(r.body)
	}
	last := r.conn.server.closing.Load() || strings.EqualFold(r.header.Get("Connection"), "close")
	out := buffers.Get().(*[]byte)
	defer giveBack(out)
	b := r.appendHead((*out)[:0], body, last)
	whole := len(body) <= copyUpTo
	if whole {
		b = append(b, body...)
	}
	*out = b
	clear(r.header)
	r.status, r.body = 0, nil
	_, err := r.conn.net.Write(b)
	if err == nil && !whole {
		_, err = r.conn.net.Write(body)
	}
	if err == nil && last {
		err = errLast
	}
	return err
}

func (r *reply) appendHead(b, body []byte, last bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(r.status)...)
	b = append(b, "\r\n"...)
	for name, values := range r.header {
		switch name {
		case "Content-Length", "Connection", "Date", "Transfer-Encoding":
			continue // are said below, or by nobody
		}
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	if _, said := r.header["Content-Type"]; !said && len(body) > 0 {
		b = appendField(b, "Content-Type", http.DetectContentType(body))
	}
	b = append(b, *r.conn.server.date.Load()...)
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	if mayHaveBody(r.status) {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// appendField leaves out a name that is none, and lets no value begin another line.
func appendField(b []byte, name, value string) []byte {
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '-' && c != '_' {
			return b
		}
	}
	b = append(b, name...)
	b = append(b, ": "...)
	at := len(b)
	b = append(b, value...)
	for i, c := range b[at:] {
		if c == '\r' || c == '\n' {
			b[at+i] = ' '
		}
	}
	return append(b, "\r\n"...)
}
