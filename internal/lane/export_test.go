package lane

import "time"

// Strike has the clock beat as if it were that time.
func (s *Server) Strike(now time.Time) { s.strike(now) }

// Plain is what parsing alone says of bytes that begin a connection.
func Plain(b []byte) (method, target, host string, header map[string][]string, body []byte, used int, ok bool) {
	m, v := cut(b)
	var f fields
	if v != plain || !f.read(m.fields) || len(b) < m.size+f.length {
		return "", "", "", nil, nil, 0, false
	}
	used = m.size + f.length
	return m.method, string(m.target), f.host, f.header, b[m.size:used], used, true
}

// PlainAfter is Plain's header for b when a was read before on the same connection.
func PlainAfter(a, b []byte) (host string, header map[string][]string, length int, ok bool) {
	var f fields
	for _, in := range [][]byte{a, b} {
		m, v := cut(in)
		if v != plain || !f.read(m.fields) {
			return "", nil, 0, false
		}
	}
	return f.host, f.header, f.length, true
}

// MayBecomePlain says that parsing waits for more.
func MayBecomePlain(b []byte) bool {
	_, v := cut(b)
	return v != odd
}

// Opens says what is known of a connection of HTTP/2 that begins with b, when it comes in pieces.
func Opens(b []byte, piece int) string {
	var o opening
	v := partial
	for n := 0; n < len(b) && v == partial; {
		n = min(n+max(piece, 1), len(b))
		v = o.look(b[:n], func(string) bool { return true })
	}
	return [...]string{"partial", "odd", "plain"}[v]
}
