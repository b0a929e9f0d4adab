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
	if len(b) == 0 || b[0] != '/' || len(b) > 1 && b[1] == '/' {
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
// sends the same fields with every request parses them once, and one whose client changes a value makes that one anew.
type fields struct {
	block  []byte // as it was read; empty: nothing
	header http.Header
	host   string
	length int // of the body

	before http.Header       // of the block before
	names  map[string]string // as they were read, to their canonical form
}

const maxNames = 64 // remembered of a connection

// read parses a block, and is false when anything in it is odd.
func (f *fields) read(block []byte) bool {
	if len(block) > 0 && bytes.Equal(block, f.block) {
		return true
	}
	f.block = f.block[:0]
	f.header, f.before = f.before, f.header
	if f.header == nil {
		f.header, f.names = http.Header{}, map[string]string{}
	}
	clear(f.header)
	f.length = 0
	hosted := false
	for rest := block; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		raw, text, ok := bytes.Cut(line, []byte{':'})
		text = bytes.TrimPrefix(text, space)
		if !ok || !isName(raw) || !isText(text) {
			return false
		}
		name := f.name(raw)
		if name != "Host" {
			ok = f.add(name, text)
		} else if ok = !hosted && isHost(text); ok {
			hosted = true
			if f.host != string(text) {
				f.host = string(text)
			}
		}
		if !ok {
			return false
		}
		rest = after
	}
	if hosted {
		f.block = append(f.block, block...)
	}
	return hosted
}

func (f *fields) name(raw []byte) string {
	if name, ok := f.names[string(raw)]; ok {
		return name
	}
	name := http.CanonicalHeaderKey(string(raw))
	if len(f.names) < maxNames {
		f.names[string(raw)] = name
	}
	return name
}

func (f *fields) add(name string, text []byte) (ok bool) {
	old, again := f.header[name]
	switch name {
	case "Content-Length":
		f.length, ok = bodyLength(text)
		ok = ok && !again
	case "Connection":
		ok = bytes.EqualFold(text, []byte("keep-alive")) && !again
	case "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Http2-Settings", "Proxy-Connection", "Keep-Alive", "Pragma":
		// framing, the connection's future, and what net/http rewrites
	default:
		ok = true
	}
	if was := f.before[name]; !again && len(was) == 1 && was[0] == string(text) {
		f.header[name] = was[:1:1]
	} else {
		f.header[name] = append(old, string(text))
	}
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

func isHost(b []byte) bool {
	for _, c := range b {
		if !isAlnum(c) && strings.IndexByte("-._:[]", c) < 0 {
			return false
		}
	}
	return true
}

// bodyLength reads digits alone: no sign, no list, no zero before others.
func bodyLength(b []byte) (n int, ok bool) {
	if len(b) > 5 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		n = 10*n + int(d)
	}
	return n, n <= maxBody
}
