package native

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// table maps every sentinel of the house to a status.
var table = map[error]int{
	secret.ErrNotFound:    http.StatusNotFound,
	secret.ErrDenied:      http.StatusForbidden,
	secret.ErrInvalid:     http.StatusBadRequest,
	secret.ErrConflict:    http.StatusConflict,
	secret.ErrExists:      http.StatusConflict,
	secret.ErrDisabled:    http.StatusNotFound,
	secret.ErrDeleted:     http.StatusNotFound,
	secret.ErrDestroyed:   http.StatusNotFound,
	secret.ErrExpired:     http.StatusNotFound,
	secret.ErrTooLarge:    http.StatusRequestEntityTooLarge,
	secret.ErrSealed:      http.StatusServiceUnavailable,
	secret.ErrNotInit:     http.StatusServiceUnavailable,
	secret.ErrLimited:     http.StatusTooManyRequests,
	secret.ErrUnavailable: http.StatusServiceUnavailable,
	secret.ErrDamaged:     http.StatusInternalServerError,
	secret.ErrBusy:        http.StatusServiceUnavailable,
	secret.ErrUnsupported: http.StatusNotFound,
	secret.ErrSignIn:      http.StatusUnauthorized,
	secret.ErrTrashed:     http.StatusNotFound,
}

func (f *Front) fail(w http.ResponseWriter, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	for _, s := range secret.Sentinels() {
		if errors.Is(err, s) {
			status, text = table[s], strings.TrimPrefix(err.Error(), s.Error()+": ")
			if errors.Is(s, secret.ErrDenied) {
				text = s.Error()
			}
			break
		}
	}
	if status == http.StatusInternalServerError {
		f.cfg.Log.Error("request failed", slog.String("error", err.Error()))
	}
	if over := (*registry.OverLimit)(nil); errors.As(err, &over) {
		over.Headers(w.Header())
	}
	b, _ := json.Marshal(map[string][]string{"errors": {text}}) // strings always marshal
	head(w, status)
	_, _ = w.Write(append(b, '\n')) // a client that went away has no use for the error
}
