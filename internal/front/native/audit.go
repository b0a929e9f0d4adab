package native

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// auditQuery reads what both readings of the log are asked by.
func (rq *request) auditQuery() (q audit.Query, err error) {
	p := rq.http.URL.Query()
	q = audit.Query{Namespace: string(rq.ns), Space: p.Get("space"), Path: p.Get("path"), Actor: p.Get("actor"), Value: p.Get("value")}
	if name := p.Get("secret"); name != "" {
		ref, err := rq.refTo(name)
		if err != nil {
			return q, auth.Tell(secret.ErrInvalid, "secret: %v", err)
		}
		if q.Space, q.Path = ref.Space, ref.Path.String(); ref.Path.IsRoot() && ref.Space == name {
			// No such Space, or no longer: the last segment is the name.
			if at := strings.LastIndexByte(name, '/'); at > 0 {
				q.Space, q.Path = name[:at], name[at+1:]
			}
		}
	}
	for name, dst := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := p.Get(name); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return q, auth.Tell(secret.ErrInvalid, "%s must be a time as RFC 3339 has it", name)
			}
			*dst = at
		}
	}
	if text := p.Get("kind"); text != "" {
		k, err := audit.ParseKind(text)
		if err != nil {
			return q, auth.Tell(secret.ErrInvalid, "%v", err)
		}
		q.Kinds = []audit.Kind{k}
	}
	return q, nil
}

// auditRow is a record as it is answered: its text is the log's own.
type auditRow struct {
	Seq   uint64          `json:"seq"`
	Event json.RawMessage `json:"event"`
}

func rowOf(e *audit.Entry) auditRow { return auditRow{e.Seq, e.Event.AppendJSON(nil)} }

// readAudit is GET audit?secret=&space=&path=&actor=&since=&until=&kind=&value=&limit=: who touched what.
func readAudit(rq *request) (any, error) {
	p := rq.http.URL.Query()
	q, err := rq.auditQuery()
	if err != nil {
		return nil, err
	}
	limit := 0
	if text := p.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, auth.Tell(secret.ErrInvalid, "limit must be a positive number")
		}
		limit = n
	}
	found, more, err := rq.front.desk.AuditSearch(rq.http.Context(), rq.caller, q, limit)
	if err != nil {
		return nil, err
	}
	rows := make([]auditRow, len(found))
	for i := range found {
		rows[i] = rowOf(&found[i])
	}
	return map[string]any{"records": rows, "more": more}, nil
}

// tailTime is how long one answer to audit-tail goes on. Who follows asks again, and is asked again who he is.
const tailTime = 5 * time.Minute

// tail is the answer to audit-tail: a stream of lines, each a record, as they come.
type tail struct {
	end     context.CancelFunc
	entries iter.Seq2[audit.Entry, error]
}

// tailAudit is GET audit-tail?last=&from=, and the fields of GET audit.
func tailAudit(rq *request) (any, error) {
	q, err := rq.auditQuery()
	if err != nil {
		return nil, err
	}
	var from, last uint64
	for name, dst := range map[string]*uint64{"from": &from, "last": &last} {
		if text := rq.http.URL.Query().Get(name); text != "" {
			if *dst, err = strconv.ParseUint(text, 10, 64); err != nil {
				return nil, auth.Tell(secret.ErrInvalid, "%s must be a number", name)
			}
		}
	}
	ctx, end := context.WithTimeout(rq.http.Context(), tailTime)
	entries, err := rq.front.desk.AuditTail(ctx, rq.caller, q, from, last)
	if err != nil {
		end()
		return nil, err
	}
	rq.unhurried()
	return tail{end, entries}, nil
}

// send writes the lines until the client goes, or its time is over.
func (a tail) send(w http.ResponseWriter) {
	defer a.end()
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	c := http.NewResponseController(w)
	_ = c.Flush()
	for e, err := range a.entries {
		if err != nil {
			return
		}
		b, err := json.Marshal(rowOf(&e))
		if err != nil {
			return
		}
		if _, err := w.Write(append(b, '\n')); err != nil || c.Flush() != nil {
			return
		}
	}
}

// proveAudit is GET audit-proof/RECORD.
func proveAudit(rq *request) (any, error) {
	seq, err := strconv.ParseUint(rq.path, 10, 64)
	if err != nil {
		return nil, auth.Tell(secret.ErrInvalid, "a record is named by its number")
	}
	return rq.front.desk.AuditProof(rq.http.Context(), rq.caller, seq)
}

// readAuditKey is GET audit-key: the log's public key and its newest checkpoint.
func readAuditKey(rq *request) (any, error) {
	key, checkpoint, err := rq.front.desk.AuditKey(rq.http.Context(), rq.caller)
	if err != nil {
		return nil, err
	}
	return map[string]any{"key": key, "checkpoint": string(checkpoint)}, nil
}

// verify is GET verify: every record opened, and held against the audit log. It can take minutes, so the answer has no
// deadline for who may have it.
func verify(rq *request) (any, error) {
	r, err := rq.front.desk.Verify(rq.http.Context(), rq.caller, func(uint64) { rq.unhurried() })
	if err != nil {
		return nil, err
	}
	type damage struct {
		Key  string `json:"key"`
		What string `json:"what"`
	}
	list := make([]damage, len(r.Damage))
	for i, d := range r.Damage {
		list[i] = damage{d.Key, d.What}
	}
	return map[string]any{
		"names": r.Names, "heads": r.Heads, "versions": r.Versions, "records": r.Records, "compared": r.Compared,
		"unrecorded": r.Unrecorded, "damage": list, "more": r.More,
	}, nil
}

// lift takes the deadlines off a request whose answer may take longer than others may. The one for reading goes
// too: net/http ends a running request's context when it passes. The next request on the connection has its own again.
func lift(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // in process there are none
	_ = c.SetWriteDeadline(time.Time{})
}
