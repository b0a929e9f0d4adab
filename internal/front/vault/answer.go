package vault

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/wire"
)

// answer is what a handler has to say. data and auth are JSON already; nil data is the vendor's empty answer (204).
type answer struct {
	status   int
	data     json.RawMessage
	auth     json.RawMessage
	wrapInfo json.RawMessage
	accessor string // of the token in auth: who wraps the answer is told it
	warnings []string
	lease    string
	ttl      time.Duration // of the lease
	renews   bool
	mount    string                // "kv", "token", "system": newer clients read it
	raw      bool                  // data is the whole body
	kind     string                // content type of a raw body; "" is JSON
	loan     *[]byte               // where data lies, when that is to be given back
	flat     bool                  // the members of data stand beside the envelope too, as the vendor's sys endpoints do
	stream   func(io.Writer) error // the body is sent as it comes; nothing else counts then
}

func (a answer) wrappable() bool {
	return !a.raw && a.stream == nil && a.wrapInfo == nil && (a.data != nil || a.auth != nil)
}

// done is the answer of what has nothing to say.
func done() (answer, error) { return answer{status: http.StatusNoContent}, nil }

// say answers v as the data of an envelope.
func say(v any) (answer, error) {
	b, err := json.Marshal(v)
	return answer{data: b}, err
}

// sayFlat is say for the vendor's system endpoints, whose members stand beside "data" as well as inside it.
func sayFlat(v any) (answer, error) {
	a, err := say(v)
	a.flat, a.mount = true, "system"
	return a, err
}

// sayRaw answers v without an envelope.
func sayRaw(status int, v any) (answer, error) {
	b, err := json.Marshal(v)
	return answer{status: status, data: b, raw: true}, err
}

// keys answers a list of names; nothing to list is the vendor's 404.
func keys(names []string) (answer, error) {
	if len(names) == 0 {
		return answer{}, errEmptyList
	}
	size := len(`{"keys":[]}`)
	for _, n := range names {
		size += len(n) + len(`"",`)
	}
	b := append(make([]byte, 0, size), `{"keys":[`...)
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendText(b, n)
	}
	return answer{data: append(b, "]}"...)}, nil
}

func (f *Front) answer(w http.ResponseWriter, rq *request, a answer) {
	h := w.Header()
	h["Content-Type"] = jsonType
	if a.kind != "" {
		h["Content-Type"] = []string{a.kind}
	}
	h["Cache-Control"] = noStore
	if rq.quota != nil {
		rq.quota.Headers(h)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.data == nil && a.auth == nil && a.wrapInfo == nil && len(a.warnings) == 0 {
		delete(h, "Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if a.raw {
		send(w, a.status, a.data)
		return
	}
	buffer := borrow()
	body := envelope((*buffer)[:0], rq.id, a)
	send(w, a.status, body)
	giveBack(buffer, body)
	if a.loan != nil {
		giveBack(a.loan, a.data)
	}
}

// send does not keep the body.
func send(w http.ResponseWriter, status int, body []byte) {
	if len(body) > maxCounted {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away has no use for the error
}

const (
	maxPooled  = 64 << 10
	maxCounted = 1 << 10 // net/http counts what fits into its buffer of 2 KiB, and cuts what is longer into chunks
)

// bodies holds *[]byte for the bodies of answers. A pool has no state that anybody could observe.
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

func borrow() *[]byte { return bodies.Get().(*[]byte) }

// giveBack overwrites what the buffer was used for: it held a secret.
func giveBack(buffer *[]byte, used []byte) {
	clear(used)
	if cap(used) <= maxPooled {
		*buffer = used[:0]
		bodies.Put(buffer)
	}
}

var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// envelope splices the parts, which are JSON already, into the vendor's form.
func envelope(b []byte, id string, a answer) []byte {
	b = append(b, `{"request_id":"`...)
	b = append(b, id...)
	b = append(b, `","lease_id":`...)
	b = appendJSON(b, a.lease)
	b = append(b, `,"renewable":`...)
	b = strconv.AppendBool(b, a.renews)
	b = append(b, `,"lease_duration":`...)
	b = strconv.AppendInt(b, int64(a.ttl/time.Second), 10)
	b = appendMember(b, "data", a.data)
	b = appendMember(b, "wrap_info", a.wrapInfo)
	if len(a.warnings) == 0 {
		b = append(b, `,"warnings":null`...)
	} else {
		b = append(b, `,"warnings":`...)
		b = appendJSON(b, a.warnings)
	}
	b = appendMember(b, "auth", a.auth)
	if a.mount != "" {
		b = append(b, `,"mount_type":"`...)
		b = append(append(b, a.mount...), '"')
	}
	if a.flat && len(a.data) > 2 && a.data[0] == '{' {
		b = append(b, ',')
		b = append(b, a.data[1:len(a.data)-1]...)
	}
	return append(b, '}', '\n')
}

func appendMember(b []byte, name string, value json.RawMessage) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	if value == nil {
		return append(b, "null"...)
	}
	return append(b, value...)
}

func appendJSON(b []byte, v any) []byte {
	if s, ok := v.(string); ok && s == "" {
		return append(b, `""`...)
	}
	j, err := json.Marshal(v)
	if err != nil {
		panic("vault front: internal error: " + err.Error())
	}
	return append(b, j...)
}

// stock is random bytes for 64 ids: drawing 16 costs nearly as much as drawing them all.
type stock struct {
	bytes [1024]byte
	used  int
}

func (s *stock) take() [16]byte {
	if s.used == len(s.bytes) {
		_, _ = rand.Read(s.bytes[:]) // never fails: crypto/rand ends the program instead
		s.used = 0
	}
	b := [16]byte(s.bytes[s.used:])
	s.used += len(b)
	return b
}

// stocks holds *stock. A pool has no state that anybody could observe.
var stocks = sync.Pool{New: func() any { return &stock{used: len(stock{}.bytes)} }}

// newRequestID is a random UUID (RFC 9562, version 4).
func newRequestID() string {
	stock := stocks.Get().(*stock)
	b := stock.take()
	stocks.Put(stock)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// wrapAnswer keeps the answer under a wrapping token and answers that token instead.
func (rq *request) wrapAnswer(a answer) (answer, error) {
	body := envelope(nil, rq.id, a)
	w, err := rq.front.desk.Wrap(rq.ctx, rq.caller, rq.path, body, rq.wrap)
	if err != nil {
		return answer{}, err
	}
	block := wrapInfo(w)
	block.WrappedAccessor = a.accessor
	info, err := json.Marshal(block)
	return answer{wrapInfo: info}, err
}

// issued is the vendor's "auth" block of a token that was just made.
func issued(i auth.Issued) (answer, error) {
	b, err := json.Marshal(authBlock(i))
	return answer{auth: b, accessor: i.Accessor, warnings: i.Warnings}, err
}
