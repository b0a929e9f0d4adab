package gcpsm

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/keephold/keephold/internal/secret"
)

// shape says how a sentinel leaves this front. In text, %s is what was asked for: "Secret [projects/p/secrets/s]".
type shape struct {
	code codes.Code
	text string // "": the error's own text
}

// table maps every sentinel of the house to the vendor's code and text (https://cloud.google.com/apis/design/errors, and
// answers of the service that were recorded in public).
var table = map[error]shape{
	secret.ErrNotFound:    {codes.NotFound, "%s not found."},
	secret.ErrDenied:      {codes.PermissionDenied, "The caller does not have permission"},
	secret.ErrInvalid:     {codes.InvalidArgument, ""},
	secret.ErrConflict:    {codes.Aborted, "%s was changed by somebody else."},
	secret.ErrExists:      {codes.AlreadyExists, "%s already exists."},
	secret.ErrDisabled:    {codes.FailedPrecondition, "%s is in DISABLED state."},
	secret.ErrDeleted:     {codes.FailedPrecondition, "%s is in DISABLED state."},
	secret.ErrDestroyed:   {codes.FailedPrecondition, "%s is in DESTROYED state."},
	secret.ErrExpired:     {codes.NotFound, "%s not found."},
	secret.ErrTooLarge:    {codes.InvalidArgument, ""},
	secret.ErrSealed:      {codes.Unavailable, "The service is sealed."},
	secret.ErrNotInit:     {codes.Unavailable, "The service is not yet initialized."},
	secret.ErrLimited:     {codes.ResourceExhausted, "Quota exceeded."},
	secret.ErrUnavailable: {codes.Unavailable, "The service is currently unavailable."},
	secret.ErrDamaged:     {codes.Internal, "Internal error encountered."},
	secret.ErrBusy:        {codes.Unavailable, "The service is busy; try again."},
	secret.ErrUnsupported: {codes.Unimplemented, ""},
	secret.ErrSignIn:      {codes.Unauthenticated, unauthenticated},
	secret.ErrTrashed:     {codes.NotFound, "%s not found."},
}

const (
	unauthenticated = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. " +
		"See https://developers.google.com/identity/sign-in/web/devconsole-project."
	missing = "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. " +
		"See https://developers.google.com/identity/sign-in/web/devconsole-project."
)

// status is a word of the vendor's: HTTP status and name of a code (google/rpc/code.proto).
type status struct {
	http int
	name string
}

var statuses = map[codes.Code]status{
	codes.InvalidArgument:    {http.StatusBadRequest, "INVALID_ARGUMENT"},
	codes.FailedPrecondition: {http.StatusBadRequest, "FAILED_PRECONDITION"},
	codes.OutOfRange:         {http.StatusBadRequest, "OUT_OF_RANGE"},
	codes.Unauthenticated:    {http.StatusUnauthorized, "UNAUTHENTICATED"},
	codes.PermissionDenied:   {http.StatusForbidden, "PERMISSION_DENIED"},
	codes.NotFound:           {http.StatusNotFound, "NOT_FOUND"},
	codes.AlreadyExists:      {http.StatusConflict, "ALREADY_EXISTS"},
	codes.Aborted:            {http.StatusConflict, "ABORTED"},
	codes.ResourceExhausted:  {http.StatusTooManyRequests, "RESOURCE_EXHAUSTED"},
	codes.Canceled:           {499, "CANCELLED"},
	codes.Internal:           {http.StatusInternalServerError, "INTERNAL"},
	codes.Unimplemented:      {http.StatusNotImplemented, "UNIMPLEMENTED"},
	codes.Unavailable:        {http.StatusServiceUnavailable, "UNAVAILABLE"},
	codes.DeadlineExceeded:   {http.StatusGatewayTimeout, "DEADLINE_EXCEEDED"},
}

// fault is an error in the vendor's words.
type fault struct {
	code codes.Code
	text string
}

func (f *fault) Error() string { return f.text }

func faultf(code codes.Code, format string, args ...any) error {
	return &fault{code, fmt.Sprintf(format, args...)}
}

// bad is a mistake of the client.
func bad(format string, args ...any) error { return faultf(codes.InvalidArgument, format, args...) }

// aboutError is an error with what was asked for.
type aboutError struct {
	err  error
	what string
}

func (e *aboutError) Error() string { return e.err.Error() }
func (e *aboutError) Unwrap() error { return e.err }

// about says what an error is about, in the vendor's words; nil stays nil.
func about(err error, what string) error {
	if err == nil {
		return nil
	}
	return &aboutError{err, what}
}

// told is what the client reads of an error.
func (f *Front) told(c *call, err error) *fault {
	var own *fault
	if errors.As(err, &own) {
		return own
	}
	if c != nil && c.caller.Refusal() != nil && errors.Is(c.caller.Refusal(), secret.ErrDenied) {
		if c.bare {
			return &fault{codes.Unauthenticated, missing}
		}
		return &fault{codes.Unauthenticated, unauthenticated}
	}
	what := "The resource"
	var a *aboutError
	if errors.As(err, &a) {
		what = a.what
	}
	for _, sentinel := range secret.Sentinels() {
		if !errors.Is(err, sentinel) {
			continue
		}
		s := table[sentinel]
		text := s.text
		switch {
		case text == "":
			text = strings.TrimPrefix(err.Error(), sentinel.Error()+": ")
		case strings.Contains(text, "%s"):
			text = fmt.Sprintf(text, what)
		case s.code == codes.PermissionDenied && c != nil && a != nil:
			text = fmt.Sprintf("Permission '%s' denied for resource '%s' (or it may not exist).", c.method.permission, bracketed(what))
		}
		if s.code == codes.Internal || s.code == codes.Unavailable {
			f.cfg.Log.Error("request failed", slog.String("error", err.Error()))
		}
		return &fault{s.code, text}
	}
	f.cfg.Log.Error("request failed", slog.String("error", err.Error()))
	return &fault{codes.Internal, "Internal error encountered."}
}

// bracketed is the name in "Secret [NAME]".
func bracketed(what string) string {
	_, name, ok := strings.Cut(what, "[")
	if !ok {
		return what
	}
	return strings.TrimSuffix(name, "]")
}
