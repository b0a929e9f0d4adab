package lane

import (
	"bytes"
	"net/http"
	"strings"
)

// A plain request is
//
//	METHOD SP TARGET SP "HTTP/1.1" CRLF  1*( NAME ":" [SP] VALUE CRLF )  CRLF  BODY
//
// in visible ASCII, where METHOD is one of a few; TARGET is a path without anything escaped, then perhaps "?" and a query;
// there is one Host; BODY is as long as the one Content-Length says, or empty without one; and no field stands there that
// changes how a message is framed or whether its connection stays. Everything else is odd, be it wrong or only rare.
const (
	maxHead = 16 << 10
	maxBody = 64 << 10
)

type verdict int

const (
	partial verdict = iota // plain so far, and not all there
	odd                    // for net/http
	plain
)

// message is the head of a plain request, cut out of what was read.
type message struct {
	method string
	target []byte
	fields []byte // all lines of fields, each with its end
	size   int    // of the head, with the empty line
}

// cut cuts the head of a request off b. The fields in it are not looked at yet.
func cut(b []byte) (m message, v verdict) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead || !mayBecomeHead(b) {
			return m, odd
		}
		return m, partial
	}
	if end > maxHead {
		return m, odd
	}
	m.size = end + 4
	first := bytes.IndexByte(b, '\r') // at most end
	if b[first+1] != '\n' {
		return m, odd
	}
	m.fields = b[first+2 : end+2]
	method, rest, _ := bytes.Cut(b[:first], space)
	target, version, _ := bytes.Cut(rest, space)
	m.method, m.target = known(method), target
	if m.method == "" || string(version) != "HTTP/1.1" || !isTarget(target) {
		return m, odd
	}
	return m, plain
}

var space = []byte{' '}

// mayBecomeHead is false as soon as a byte has come that no plain head holds, so that net/http can say what is wrong.
func mayBecomeHead(b []byte) bool {
	for i, c := range b {
		switch {
		case c == '\r':
			if i+1 < len(b) && b[i+1] != '\n' {
				return false
			}
		case c == '\n':
			if i == 0 || b[i-1] != '\r' {
				return false
			}
		case c < ' ' || c > '~':
			return false
		}
	}
	return true
}

// known answers the method as a string that is not made anew for each request; "" for those that are not answered here:
// HEAD and OPTIONS have rules of their own.
func known(method []byte) string {
	switch string(method) {
	case "GET":
		return http.MethodGet
	case "LIST":
		return "LIST"
	case "POST":
		return http.MethodPost
	case "PUT":
		return http.MethodPut
	case "PATCH":
		return http.MethodPatch
	case "DELETE":
		return http.MethodDelete
	case "SCAN":
		return "SCAN"
	}
	return ""
}

// isTarget accepts a path that net/url takes as it stands, and a query that nobody needs to unescape to forward.
func isTarget(b []byte) bool {
	if len(b) < 2 || b[0] != '/' || b[1] == '/' {
		return false
	}
	path, query, asked := bytes.Cut(b, []byte{'?'})
	for _, c := range path {
		if !isAlnum(c) && strings.IndexByte("-_.~/$&+,:;=@", c) < 0 {
			return false
		}
	}
	if asked && len(query) == 0 {
		return false
	}
	for _, c := range query {
		if c <= ' ' || c > '~' || c == '#' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool { return c-'0' < 10 || c|0x20-'a' < 26 }

// fields is what the header of a request says. The same bytes say the same again, so that a connection whose client
// sends the same fields with every request parses them once.
type fields struct {
	block  []byte // as it was read
	header http.Header
	host   string
	length int // of the body
}

// read parses a block, and is false when anything in it is odd.
func (f *fields) read(block []byte) bool {
	if bytes.Equal(block, f.block) && f.header != nil {
		return true
	}
	f.header, f.host, f.length = http.Header{}, "", 0
	for rest := block; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		if !f.add(line) {
			f.header = nil
			return false
		}
		rest = after
	}
	if f.host == "" {
		f.header = nil
		return false
	}
	f.block = append(f.block[:0], block...)
	return true
}

func (f *fields) add(line []byte) bool {
	raw, text, ok := bytes.Cut(line, []byte{':'})
	text = bytes.TrimPrefix(text, space)
	if !ok || !isName(raw) || !isText(text) {
		return false
	}
	name, value := http.CanonicalHeaderKey(string(raw)), string(text)
	switch name {
	case "Host":
		ok = f.host == "" && isHost(value)
		f.host = value
		return ok
	case "Content-Length":
		if f.header[name] != nil {
			return false
		}
		f.length, ok = bodyLength(value)
	case "Connection":
		ok = strings.EqualFold(value, "keep-alive") && f.header[name] == nil
	case "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Http2-Settings", "Proxy-Connection", "Keep-Alive", "Pragma":
		return false // framing, the connection's future, and what net/http rewrites
	}
	f.header[name] = append(f.header[name], value)
	return ok
}

func isName(b []byte) bool {
	for _, c := range b {
		if !isAlnum(c) && c != '-' {
			return false
		}
	}
	return len(b) > 0
}

// isText accepts a value without spaces at its ends, which nobody then has to agree on trimming.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 0 && b[0] != ' ' && b[len(b)-1] != ' '
}

func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return true
}

// bodyLength reads digits alone: no sign, no list, no zero before others.
func bodyLength(s string) (n int, ok bool) {
	if len(s) > 5 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = 10*n + int(d)
	}
	return n, n <= maxBody
}
