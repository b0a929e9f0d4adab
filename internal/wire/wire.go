// Package wire reads what all HTTP fronts read alike: who knocks, with which token, and JSON without surprises.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Token is the token that a request presents: in X-Vault-Token, or as a bearer (RFC 6750).
func Token(h http.Header) string {
	if t := h["X-Vault-Token"]; len(t) > 0 {
		return t[0]
	}
	if bearer := h["Authorization"]; len(bearer) > 0 {
		if t, ok := strings.CutPrefix(bearer[0], "Bearer "); ok {
			return strings.TrimSpace(t)
		}
	}
	return ""
}

// Peer is the address that a request came from; the zero Addr for a unix socket or a call in process.
func Peer(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

// ErrTooLarge says that a body is longer than its bound.
var ErrTooLarge = errors.New("request body too large")

// trusted is how many bytes a request may announce to be given room for before they have come.
const trusted = 64 << 10

// Body reads at most limit bytes; ErrTooLarge when there are more.
func Body(r *http.Request, limit int64) ([]byte, error) {
	var b []byte
	var err error
	switch n := r.ContentLength; {
	case n > limit:
		return nil, ErrTooLarge
	case 0 < n && n <= trusted:
		b = make([]byte, n)
		_, err = io.ReadFull(r.Body, b)
	default:
		b, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	}
	if err != nil {
		return nil, errors.New("error reading the body")
	}
	if int64(len(b)) > limit {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Object reads the members of a JSON object strictly (RFC 8259 with what RFC 7493 forbids): no member twice, no NUL in
// a name, at most depth levels, nothing behind the end. Empty text is an empty object. The members lie in b.
func Object(b []byte, depth int) (map[string]json.RawMessage, error) {
	w := walker{b}
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return nil, nil
	case !utf8.Valid(b):
		return nil, errors.New("it is not valid UTF-8")
	case !json.Valid(b):
		return nil, malformed(b)
	case w.next() != '{':
		return nil, errors.New("the body must be a JSON object")
	}
	members := map[string]json.RawMessage{}
	if err := w.value(depth, members); err != nil {
		return nil, err
	}
	return members, nil
}

// malformed says what is wrong with what is not JSON.
func malformed(b []byte) error {
	var first json.RawMessage
	if json.NewDecoder(bytes.NewReader(b)).Decode(&first) == nil {
		return errors.New("something follows the JSON value")
	}
	return errors.New("it is no well-formed JSON")
}

// walker goes once through JSON that encoding/json found valid, so that it need not look for what cannot be there. What it
// refuses, encoding/json would quietly accept.
type walker struct{ rest []byte }

// next skips space, and answers the byte behind it.
func (w *walker) next() byte {
	for w.rest[0] == ' ' || w.rest[0] == '\n' || w.rest[0] == '\t' || w.rest[0] == '\r' {
		w.rest = w.rest[1:]
	}
	return w.rest[0]
}

// value walks one value. Of an object it keeps the members in members, where there is one.
func (w *walker) value(depth int, members map[string]json.RawMessage) error {
	switch open := w.next(); {
	case open == '"':
		w.text()
		return nil
	case open != '{' && open != '[': // a number, true, false, null
		end := bytes.IndexAny(w.rest, ",]} \t\r\n")
		w.rest = w.rest[max(end, 0):]
		return nil
	case depth == 0:
		return errors.New("it is nested too deeply")
	case open == '{':
		return w.object(depth, members)
	}
	for w.rest = w.rest[1:]; w.next() != ']'; w.comma() {
		if err := w.value(depth-1, nil); err != nil {
			return err
		}
	}
	w.rest = w.rest[1:]
	return nil
}

func (w *walker) object(depth int, members map[string]json.RawMessage) error {
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	for w.rest = w.rest[1:]; w.next() != '}'; w.comma() {
		name := unquote(w.text())
		w.next() // the colon
		w.rest = w.rest[1:]
		w.next()
		_, twice := members[name]
		switch {
		case twice:
			return errors.New("member " + strconv.Quote(name) + " stands twice")
		case strings.ContainsRune(name, 0):
			return errors.New("a member's name holds a NUL")
		}
		from := w.rest
		if err := w.value(depth-1, nil); err != nil {
			return err
		}
		size := len(from) - len(w.rest)
		members[name] = json.RawMessage(from[:size:size])
	}
	w.rest = w.rest[1:]
	return nil
}

// comma steps over the comma between two members, or is at their end.
func (w *walker) comma() {
	if w.next() == ',' {
		w.rest = w.rest[1:]
	}
}

// text steps over a string and answers it with its quotes.
func (w *walker) text() []byte {
	for i := 1; ; i++ {
		switch w.rest[i] {
		case '\\':
			i++
		case '"':
			text := w.rest[:i+1]
			w.rest = w.rest[i+1:]
			return text
		}
	}
}

// unquote reads a string as encoding/json does.
func unquote(quoted []byte) (s string) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	if err := json.Unmarshal(quoted, &s); err != nil {
		panic("wire: internal error: " + err.Error()) // it is a string of valid JSON
	}
	return s
}

// AppendText appends s as a JSON string, as encoding/json writes it.
func AppendText(b []byte, s string) []byte {
	at, from := len(b), 0
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(append(b, s[from:i]...), '\\')
			from = i
		case c < ' ' || c > '~' || c == '<' || c == '>' || c == '&':
			j, err := json.Marshal(s)
			if err != nil {
				panic("wire: internal error: " + err.Error()) // strings always marshal
			}
			return append(b[:at], j...)
		}
	}
	return append(append(b, s[from:]...), '"')
}

// Canonical is a JSON object in the form that the house keeps maps in: members sorted, numbers as they were written, no spaces. It
// fails for what is no object.
func Canonical(raw []byte) ([]byte, error) {
	if b, ok := flat(raw); ok {
		return b, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil {
		return nil, errNoObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNoObject
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// flat is Canonical for what most secrets are, plain strings under plain names. It leaves no copies of them behind, as
// encoding/json does. Of anything else it says that it is none.
func flat(raw []byte) (canonical []byte, ok bool) {
	type member struct{ name, text []byte } // in their quotes
	var room [16]member
	members := room[:0]
	p := plain{rest: raw}
	p.expect('{')
	for more := true; more; more = p.skip(',') {
		name := p.text()
		p.expect(':')
		members = append(members, member{name, p.text()})
	}
	p.expect('}')
	if p.other || p.next() != 0 || len(p.rest) > 0 {
		return nil, false
	}
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.name[1:len(a.name)-1], b.name[1:len(b.name)-1]) })
	canonical = append(make([]byte, 0, len(raw)), '{')
	for i, m := range members {
		if i > 0 {
			if bytes.Equal(m.name, members[i-1].name) {
				return nil, false
			}
			canonical = append(canonical, ',')
		}
		canonical = append(append(append(canonical, m.name...), ':'), m.text...)
	}
	return append(canonical, '}'), true
}

// plain reads JSON whose strings all stand for themselves.
type plain struct {
	rest  []byte
	other bool // it is something else
}

// next skips space, and answers the byte behind it; 0 at the end.
func (p *plain) next() byte {
	for i, c := range p.rest {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			p.rest = p.rest[i:]
			return c
		}
	}
	p.rest = nil
	return 0
}

func (p *plain) skip(c byte) bool {
	if p.other || p.next() != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *plain) expect(c byte) {
	if !p.skip(c) {
		p.other = true
	}
}

// text answers a string in its quotes.
func (p *plain) text() []byte {
	if p.other || p.next() != '"' {
		p.other = true
		return nil
	}
	for i, c := range p.rest[1:] {
		switch {
		case c == '"':
			text := p.rest[:i+2]
			p.rest = p.rest[i+2:]
			return text
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			p.other = true
			return nil
		}
	}
	p.other = true
	return nil
}

var errNoObject = errors.New("not a JSON object")
