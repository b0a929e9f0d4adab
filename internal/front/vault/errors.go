package vault

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// shape says how a sentinel leaves this front.
type shape struct {
	status int
	text   string // "": the error's own text
}

// table maps every sentinel of the house to the vendor's status and text
// (https://openbao.org/api-docs/#http-status-codes).
var table = map[error]shape{
	secret.ErrNotFound:    {http.StatusNotFound, none},
	secret.ErrDenied:      {http.StatusForbidden, "permission denied"},
	secret.ErrInvalid:     {http.StatusBadRequest, ""},
	secret.ErrConflict:    {http.StatusBadRequest, "check-and-set parameter did not match the current version"},
	secret.ErrExists:      {http.StatusBadRequest, ""},
	secret.ErrDisabled:    {http.StatusNotFound, none},
	secret.ErrDeleted:     {http.StatusNotFound, none},
	secret.ErrDestroyed:   {http.StatusNotFound, none},
	secret.ErrExpired:     {http.StatusNotFound, none},
	secret.ErrTooLarge:    {http.StatusRequestEntityTooLarge, ""},
	secret.ErrSealed:      {http.StatusServiceUnavailable, "Vault is sealed"},
	secret.ErrNotInit:     {http.StatusServiceUnavailable, "server is not yet initialized"},
	secret.ErrLimited:     {http.StatusTooManyRequests, ""},
	secret.ErrUnavailable: {http.StatusServiceUnavailable, ""},
	secret.ErrDamaged:     {http.StatusInternalServerError, ""},
	secret.ErrBusy:        {http.StatusServiceUnavailable, ""},
	secret.ErrUnsupported: {http.StatusNotFound, ""},
	secret.ErrSignIn:      {http.StatusBadRequest, ""},
	secret.ErrTrashed:     {http.StatusNotFound, none},
}

// none is the vendor's 404 of what is simply not there: an empty list of errors.
const none = "\x00"

var (
	errUnsupportedPath = auth.Tell(secret.ErrUnsupported, "unsupported path")
	errOperation       = &statusError{http.StatusMethodNotAllowed, "unsupported operation"}
	errEmptyList       = auth.Tell(secret.ErrNotFound, "nothing to list")
)

// statusError is an error of this dialect alone.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func errNoRoute(path string) error {
	return auth.Tell(secret.ErrUnsupported, "no handler for route %q. route entry not found.", path)
}

// bad is a mistake of the client, in the vendor's words.
func bad(format string, args ...any) error { return auth.Tell(secret.ErrInvalid, format, args...) }

// unknownPath is the error of a path that leads nowhere.
func (rq *request) unknownPath() error { return rq.denied(errNoRoute(rq.path)) }

// denied answers err to those whose policies would let them do this here, and their refusal to others: who may not
// reach a path is not told whether it leads anywhere.
func (rq *request) denied(err error) error {
	caps := map[op]policy.Capability{read: policy.Read, write: policy.Update, remove: policy.Delete, list: policy.List, patch: policy.Patch, scan: policy.Scan}
	n := record.Need{Action: "route", Resource: rq.path, Capability: caps[rq.op]}
	if rq.op&(list|scan) != 0 {
		n.Resource += "/"
	}
	if refusal := rq.front.desk.Ask(rq.ctx, rq.caller, n); refusal != nil {
		return refusal
	}
	return err
}

// refused answers err to a known caller, and the caller's refusal to others.
func (rq *request) refused(err error) error {
	if why := rq.caller.Refusal(); why != nil {
		return why
	}
	return err
}

func sealedError(f *Front, rq *request) error {
	if ok, err := f.desk.Initialized(rq.ctx); err == nil && !ok {
		return secret.ErrNotInit
	}
	return secret.ErrSealed
}

func (f *Front) fail(w http.ResponseWriter, rq *request, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	var own *statusError
	known := false
	if errors.As(err, &own) {
		status, text, known = own.status, own.text, true
	}
	if !known {
		for _, sentinel := range secret.Sentinels() {
			if errors.Is(err, sentinel) {
				status, text, known = table[sentinel].status, table[sentinel].text, true
				if text == "" {
					text = strings.TrimPrefix(err.Error(), sentinel.Error()+": ")
				}
				break
			}
		}
	}
	if !known || status == http.StatusInternalServerError {
		f.cfg.Log.Error("request failed", slog.String("request", rq.id), slog.String("error", err.Error()))
	}
	body := struct {
		Errors []string `json:"errors"`
	}{[]string{}}
	if text != none {
		body.Errors = []string{text}
	}
	b, _ := json.Marshal(body) // strings always marshal
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	if over := (*registry.OverLimit)(nil); errors.As(err, &over) {
		over.Headers(h)
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
