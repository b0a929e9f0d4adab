package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// api asks a keep over its HTTP API. The transport decides where that is: a server, or the fronts in this process over
// a local keep. The commands cannot tell, which is the point.
type api struct {
	addr      string
	namespace string
	token     secret.Value
	wrap      string // ask for answers to be wrapped for this long
	http      *http.Client
	seen      *namesSeen // for completion
	leases    *leases    // of a project's server; nil: nothing is kept
}

// maxAnswer bounds what is read of one answer; a snapshot is streamed instead.
const maxAnswer = 64 << 20

// apiError is an answer that is an error. Errors are the server's texts.
type apiError struct {
	Status int
	Errors []string
	Hint   string
	Body   json.RawMessage
}

func (e *apiError) Error() string {
	if len(e.Errors) == 0 {
		return strings.ToLower(http.StatusText(e.Status))
	}
	return strings.Join(e.Errors, "; ")
}

// envelope is the form of the answers of the Vault API.
type envelope struct {
	RequestID string          `json:"request_id"`
	LeaseID   string          `json:"lease_id"`
	Data      json.RawMessage `json:"data"`
	Auth      json.RawMessage `json:"auth"`
	WrapInfo  json.RawMessage `json:"wrap_info"`
	Warnings  []string        `json:"warnings"`
}

// call asks for path (below /v1/) and decodes the answer's data into out, unless out is nil.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	body, code, err := a.raw(ctx, method, path, in)
	if err != nil || out == nil {
		return err
	}
	return a.fill(path, body, code, out)
}

// fill decodes the answer to a path.
func (a *api) fill(path string, body []byte, code int, out any) error {
	if bytes.HasPrefix(body, []byte(`{"data":`)) { // of our own API, and nothing but data: it is read once
		if json.Unmarshal(body, &struct{ Data any }{out}) == nil {
			return nil
		}
	}
	env, err := a.unfold(body, code)
	if err != nil {
		return err
	}
	data := env.Data
	if len(env.Auth) > 4 {
		data = env.Auth
	}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return failf(exitInternal, "the answer of %s is not understood: %w", path, err)
	}
	return nil
}

// ask is call without decoding. A body that is no envelope (health, seal-status) comes back as Data.
func (a *api) ask(ctx context.Context, method, path string, in any) (*envelope, error) {
	body, status, err := a.raw(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	return a.unfold(body, status)
}

func (a *api) unfold(body []byte, status int) (*envelope, error) {
	env := new(envelope)
	if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, env); err != nil {
			return nil, failf(exitInternal, "%s answered with status %d and no JSON: is this a keephold or Vault server?", a.addr, status)
		}
		if env.Data == nil && env.Auth == nil && env.WrapInfo == nil {
			env.Data = body
		}
	}
	return env, nil
}

func (a *api) raw(ctx context.Context, method, path string, in any) ([]byte, int, error) {
	resp, err := a.send(ctx, method, path, in)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }() // everything of use was read
	return a.take(resp)
}

// newAPIError reads the errors of both dialects: {"errors": […]} and {"error": {"message": …}}.
func newAPIError(status int, body []byte) *apiError {
	e := &apiError{Status: status, Body: body}
	var texts struct {
		Errors []string `json:"errors"`
		Error  struct {
			Message string `json:"message"`
			Hint    string `json:"hint"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &texts) == nil {
		e.Errors, e.Hint = texts.Errors, texts.Error.Hint
		if texts.Error.Message != "" {
			e.Errors = []string{texts.Error.Message}
		}
	}
	return e
}

func decode(raw json.RawMessage, out any) error {
	if err := json.Unmarshal(raw, out); err != nil {
		return failf(exitInternal, "the answer is not understood: %w", err)
	}
	return nil
}

// send makes the request. The caller closes the body.
func (a *api) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case io.Reader:
		body = v
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return nil, failf(exitInternal, "cannot encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.addr+"/v1/"+path, body)
	if err != nil {
		return nil, usagef("address %q: %w", a.addr, err)
	}
	if a.token.Len() > 0 {
		req.Header.Set("X-Vault-Token", reveal(a.token))
	}
	if a.namespace != "" {
		req.Header.Set("X-Vault-Namespace", a.namespace)
	}
	if a.wrap != "" {
		req.Header.Set("X-Vault-Wrap-TTL", a.wrap)
	}
	req.Header.Set("User-Agent", "keephold")
	req.Header.Set("X-Vault-Request", "true")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, a.unreachable(err)
	}
	return resp, nil
}

func (a *api) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return failf(exitInterrupted, "interrupted")
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, which may hold a path that is nobody's business in a log
	}
	f := failf(exitUnreachable, "cannot reach %s: %w", a.addr, err)
	var op *net.OpError
	if errors.As(err, &op) {
		return f.withHint("is the server running? start one with: keephold dev")
	}
	return f.withHint("check the address and the CA file (KEEPHOLD_ADDR, KEEPHOLD_CACERT)")
}

// escapePath makes a secret's path fit for a URL.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, s := range parts {
		parts[i] = url.PathEscape(s)
	}
	return strings.Join(parts, "/")
}

// explain turns an error of the API into a fault: what could not be done, why, and what to do.
func explain(err error, doing string) error {
	var e *apiError
	if !errors.As(err, &e) {
		return err
	}
	f := &fault{text: fmt.Sprintf("%s: %v", doing, e), err: err}
	switch e.Status {
	case http.StatusForbidden:
		f.code = exitDenied
		f.hint = "who am I: keephold whoami; why: keephold policy explain"
	case http.StatusNotFound:
		f.code = exitNotFound
	case http.StatusConflict:
		f.code = exitConflict
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		f.code = exitBusy
	case http.StatusRequestEntityTooLarge:
		f.code = exitBadData
	case http.StatusBadRequest:
		f.code = exitBadData
		if strings.Contains(e.Error(), "check-and-set parameter did not match") {
			f.code = exitConflict
		}
	case http.StatusMethodNotAllowed:
		f.code = exitBadData
	default:
		f.code = exitInternal
	}
	if e.Hint != "" {
		f.hint = e.Hint
	}
	return f
}

// status is the HTTP status of an error of the API, or 0.
func status(err error) int {
	var e *apiError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

const requestTime = 60 * time.Second
