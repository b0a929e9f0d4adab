package native

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// readAudit is GET audit?space=&path=&actor=&since=&until=&kind=&value=&limit=: who touched what.
func readAudit(rq *request) (any, error) {
	p := rq.http.URL.Query()
	q := audit.Query{Namespace: string(rq.ns), Space: p.Get("space"), Path: p.Get("path"), Actor: p.Get("actor"), Value: p.Get("value")}
	if values := p["value"]; len(values) > 1 { // as audit-hash answers them after a rotation of its key
		q.OrValue = values[1:]
	}
	for name, dst := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := p.Get(name); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, auth.Tell(secret.ErrInvalid, "%s must be a time as RFC 3339 has it", name)
			}
			*dst = at
		}
	}
	if text := p.Get("kind"); text != "" {
		k, err := audit.ParseKind(text)
		if err != nil {
			return nil, auth.Tell(secret.ErrInvalid, "%v", err)
		}
		q.Kinds = []audit.Kind{k}
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
	type row struct {
		Seq   uint64          `json:"seq"`
		Event json.RawMessage `json:"event"`
	}
	rows := make([]row, len(found))
	for i := range found {
		rows[i] = row{found[i].Seq, found[i].Event.AppendJSON(nil)}
	}
	return map[string]any{"records": rows, "more": more}, nil
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
// deadline.
func verify(rq *request) (any, error) {
	r, err := rq.front.desk.Verify(rq.http.Context(), rq.caller, nil)
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

// unhurried takes the deadlines off a request whose answer may take longer than others may. The one for reading goes
// too: net/http ends a running request's context when it passes. The next request on the connection has its own again.
func unhurried(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // in process there are none
	_ = c.SetWriteDeadline(time.Time{})
}
