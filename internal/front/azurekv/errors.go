package azurekv

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// fault is the vendor's error: a status, a code, and often a code inside.
type fault struct {
	status int
	code   string
	inner  string
}

// table maps every sentinel of the house to the vendor's error.
var table = map[error]fault{
	secret.ErrNotFound:    {http.StatusNotFound, "SecretNotFound", ""},
	secret.ErrDenied:      {http.StatusForbidden, "Forbidden", "ForbiddenByPolicy"},
	secret.ErrInvalid:     {http.StatusBadRequest, "BadParameter", ""},
	secret.ErrConflict:    {http.StatusConflict, "Conflict", ""},
	secret.ErrExists:      {http.StatusConflict, "Conflict", ""},
	secret.ErrDisabled:    {http.StatusForbidden, "Forbidden", "SecretDisabled"},
	secret.ErrDeleted:     {http.StatusNotFound, "SecretNotFound", ""},
	secret.ErrDestroyed:   {http.StatusNotFound, "SecretNotFound", ""},
	secret.ErrExpired:     {http.StatusForbidden, "Forbidden", "SecretExpired"},
	secret.ErrTooLarge:    {http.StatusBadRequest, "BadParameter", ""},
	secret.ErrSealed:      {http.StatusServiceUnavailable, "ServiceUnavailable", "Sealed"},
	secret.ErrNotInit:     {http.StatusServiceUnavailable, "ServiceUnavailable", "NotInitialized"},
	secret.ErrLimited:     {http.StatusTooManyRequests, "Throttled", ""},
	secret.ErrUnavailable: {http.StatusServiceUnavailable, "ServiceUnavailable", ""},
	secret.ErrDamaged:     {http.StatusInternalServerError, "InternalServerError", ""},
	secret.ErrBusy:        {http.StatusServiceUnavailable, "ServiceUnavailable", "Busy"},
	secret.ErrUnsupported: {http.StatusBadRequest, "NotSupported", ""},
	secret.ErrSignIn:      {http.StatusUnauthorized, "Unauthorized", ""},
	secret.ErrTrashed:     {http.StatusConflict, "Conflict", "ObjectIsDeletedButRecoverable"},
}

var (
	errNoToken  = auth.Tell(secret.ErrSignIn, "AKV10000: Request is missing a Bearer or PoP token.")
	errBadToken = auth.Tell(secret.ErrSignIn, "AKV10032: The access token is not valid here: it is unknown, has expired, or is made out to another resource.")
	errNoPath   = auth.Tell(secret.ErrUnsupported, "This path is no part of the secrets API.")
	errMethod   = auth.Tell(secret.ErrUnsupported, "The method is not allowed on this path.")
)

type errorBody struct {
	Error errorText `json:"error"`
}

type errorText struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Inner   *innerCode `json:"innererror,omitempty"`
}

type innerCode struct {
	Code string `json:"code"`
}

func (f *Front) fail(w http.ResponseWriter, rq *request, err error) {
	out, text := fault{http.StatusInternalServerError, "InternalServerError", ""}, "internal error"
	for _, s := range secret.Sentinels() {
		if errors.Is(err, s) {
			out = table[s]
			text = rq.words(out, s, err)
			break
		}
	}
	switch {
	case out.status == http.StatusInternalServerError:
		f.cfg.Log.Error("request failed", slog.String("error", err.Error()))
	case out.status == http.StatusUnauthorized:
		_, resource := f.place(rq.http.Host)
		w.Header().Set("WWW-Authenticate", `Bearer authorization="`+f.login(rq.http)+`", resource="`+resource+`"`)
	case errors.Is(err, errNoPath):
		out.status = http.StatusNotFound
	case errors.Is(err, errMethod):
		out.status = http.StatusMethodNotAllowed
	}
	body := errorBody{errorText{Code: out.code, Message: text}}
	if out.inner != "" {
		body.Error.Inner = &innerCode{out.inner}
	}
	b, _ := json.Marshal(body) // strings always marshal
	head(w, out.status)
	_, _ = w.Write(b) // a client that went away has no use for the error
}

// words is the text beside the code. What was not said for clients to read is said by the sentinel alone.
func (rq *request) words(out fault, s, err error) string {
	switch {
	case out.code == "SecretNotFound":
		return "A secret with (name/id) " + strings.TrimSuffix(rq.name+"/"+rq.version, "/") + " was not found in this key vault. " +
			"If you recently deleted this secret you may be able to recover it using the correct recovery command."
	case out.inner == "SecretDisabled":
		return "Operation get is not allowed on a disabled secret."
	case out.inner == "ObjectIsDeletedButRecoverable":
		return "Secret " + rq.name + " is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."
	case out.inner == "ForbiddenByPolicy":
		return "Caller is not authorized to perform action on resource. Ask who keeps this vault for a policy that allows it."
	case out.code == "Conflict":
		return "A secret with this name is already in this key vault."
	case out.status == http.StatusBadRequest, out.status == http.StatusUnauthorized:
		return strings.TrimPrefix(err.Error(), s.Error()+": ")
	}
	return s.Error()
}
