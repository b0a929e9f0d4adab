package awssm

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth/sigv4"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// apiError is an error in the vendor's words.
type apiError struct {
	code, text string
	status     int
}

func (e *apiError) Error() string { return e.code + ": " + e.text }

func parameter(text string) error {
	return &apiError{"InvalidParameterException", text, http.StatusBadRequest}
}
func invalidRequest(text string) error {
	return &apiError{"InvalidRequestException", text, http.StatusBadRequest}
}
func notFound(text string) error {
	return &apiError{"ResourceNotFoundException", text, http.StatusBadRequest}
}
func validation(text string) error {
	return &apiError{"ValidationException", text, http.StatusBadRequest}
}

const (
	textNoSecret = "Secrets Manager can't find the specified secret."
	textTrashed  = "You can't perform this operation on the secret because it was marked for deletion."
)

var internalError = apiError{"InternalServiceError", "An error occurred on the server side.", http.StatusInternalServerError}

// table maps every sentinel of the house to the vendor's error. An empty text is the error's own.
var table = map[error]apiError{
	secret.ErrNotFound:    {"ResourceNotFoundException", textNoSecret, http.StatusBadRequest},
	secret.ErrDenied:      {"AccessDeniedException", "", http.StatusBadRequest}, // shape says who and what
	secret.ErrInvalid:     {"InvalidParameterException", "", http.StatusBadRequest},
	secret.ErrConflict:    {"PreconditionNotMetException", "The request failed because you did not complete all the prerequisite steps.", http.StatusBadRequest},
	secret.ErrExists:      {"ResourceExistsException", "A resource with the ID you requested already exists.", http.StatusBadRequest},
	secret.ErrDisabled:    {"InvalidRequestException", "You can't perform this operation on the secret version because it is disabled.", http.StatusBadRequest},
	secret.ErrDeleted:     {"ResourceNotFoundException", "Secrets Manager can't find the specified secret value.", http.StatusBadRequest},
	secret.ErrDestroyed:   {"ResourceNotFoundException", "Secrets Manager can't find the specified secret value.", http.StatusBadRequest},
	secret.ErrExpired:     {"ResourceNotFoundException", "Secrets Manager can't find the specified secret value.", http.StatusBadRequest},
	secret.ErrTooLarge:    {"InvalidParameterException", "", http.StatusBadRequest},
	secret.ErrSealed:      internalError,
	secret.ErrNotInit:     internalError,
	secret.ErrLimited:     {"ThrottlingException", "Rate exceeded", http.StatusBadRequest},
	secret.ErrUnavailable: internalError,
	secret.ErrDamaged:     {"DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key.", http.StatusBadRequest},
	secret.ErrBusy:        internalError,
	secret.ErrUnsupported: {"InvalidRequestException", "", http.StatusBadRequest},
	secret.ErrSignIn:      {"UnrecognizedClientException", "The security token included in the request is invalid.", http.StatusBadRequest},
	secret.ErrTrashed:     {"InvalidRequestException", textTrashed, http.StatusBadRequest},
}

// faults are the codes of what is wrong with a signature.
var faults = map[sigv4.Kind]string{
	sigv4.Missing:    "MissingAuthenticationTokenException",
	sigv4.Incomplete: "IncompleteSignatureException",
	sigv4.Mismatch:   "InvalidSignatureException",
	sigv4.Skewed:     "InvalidSignatureException",
}

// shape is what the client is told of an error.
func (rq *request) shape(err error) apiError {
	var own *apiError
	if errors.As(err, &own) {
		return *own
	}
	var fault *sigv4.Fault
	switch {
	case errors.As(err, &fault):
		return apiError{faults[fault.Kind], fault.Text, http.StatusBadRequest}
	case errors.Is(err, errUnknownKey):
		return apiError{"UnrecognizedClientException", errUnknownKey.Error(), http.StatusBadRequest}
	case errors.Is(err, errExpiredToken):
		return apiError{"ExpiredTokenException", errExpiredToken.Error(), http.StatusBadRequest}
	}
	for _, s := range secret.Sentinels() {
		if !errors.Is(err, s) {
			continue
		}
		e := table[s]
		switch {
		case errors.Is(s, secret.ErrDenied):
			e.text = "User: " + rq.principal() + " is not authorized to perform: secretsmanager:" + rq.action +
				" because no identity-based policy allows the secretsmanager:" + rq.action + " action"
		case e.text == "":
			e.text = strings.TrimPrefix(err.Error(), s.Error()+": ")
		}
		if e.status == http.StatusInternalServerError {
			rq.log(err)
		}
		return e
	}
	rq.log(err)
	return internalError
}

func (rq *request) log(err error) {
	rq.front.cfg.Log.Error("request failed", slog.String("request", rq.id), slog.String("error", err.Error()))
}

func need(action, resource string, c policy.Capability) record.Need {
	return record.Need{Action: action, Resource: resource, Capability: c}
}
