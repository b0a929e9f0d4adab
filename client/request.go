package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// What the errors of this package can be told apart by, with errors.Is.
var (
	ErrNotFound    = secret.ErrNotFound    // there is no such Space or secret, or none that the token may know of
	ErrDenied      = secret.ErrDenied      // the server refuses
	ErrInvalid     = secret.ErrInvalid     // a request or a value that is not well formed
	ErrUnavailable = secret.ErrUnavailable // the server cannot be reached, is sealed or is busy
)

// An Error is a refusal of the server.
type Error struct {
	Status   int      // of HTTP
	Messages []string // the server's own words; never a value
}

func (e *Error) Error() string {
	if len(e.Messages) == 0 {
		return strings.ToLower(http.StatusText(e.Status))
	}
	return strings.Join(e.Messages, "; ")
}

// Is says which of this package's errors a refusal is.
func (e *Error) Is(target error) bool {
	switch e.Status {
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusForbidden, http.StatusUnauthorized:
		return target == ErrDenied
	case http.StatusBadRequest:
		return target == ErrInvalid
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		return target == ErrUnavailable
	}
	return false
}

// maxAnswer bounds what is read of one answer.
const maxAnswer = 64 << 20

// ask makes a request with the current token, and once more with another when that one was refused.
func (c *Client) ask(ctx context.Context, method, path string, out any) error {
	token, err := c.current(ctx)
	if err != nil {
		return err
	}
	err = c.once(ctx, method, path, token, nil, out)
	if errors.Is(err, ErrDenied) && c.refused(ctx, token) {
		if token, err = c.current(ctx); err == nil {
			err = c.once(ctx, method, path, token, nil, out)
		}
	}
	return err
}

// once makes one request. out takes the member data of the answer, or auth.
func (c *Client) once(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("client: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.addr+"/v1/"+path, body)
	if err != nil {
		return fmt.Errorf("client: %w", ErrInvalid) // the text would hold the URL
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if c.namespace != "" {
		req.Header.Set("X-Vault-Namespace", c.namespace)
	}
	req.Header.Set("X-Vault-Request", "true")
	req.Header.Set("User-Agent", "keephold-go")
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // everything of use was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if len(answer) > maxAnswer {
		return fmt.Errorf("client: the answer is longer than %d bytes: %w", maxAnswer, secret.ErrTooLarge)
	}
	return decode(resp.StatusCode, answer, out)
}

// unreachable leaves out the URL, which names a secret, and keeps the end of a context apart from a server that is away.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("client: %w", ctx.Err())
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("client: cannot reach %s: %w: %w", c.addr, ErrUnavailable, err)
}

func decode(status int, answer []byte, out any) error {
	var envelope struct {
		Data   json.RawMessage `json:"data"`
		Auth   json.RawMessage `json:"auth"`
		Errors []string        `json:"errors"`
	}
	err := json.Unmarshal(answer, &envelope)
	if status >= 300 {
		return &Error{Status: status, Messages: envelope.Errors}
	}
	if out == nil {
		return nil
	}
	data := envelope.Data
	if len(envelope.Auth) > len("null") {
		data = envelope.Auth
	}
	if err != nil || json.Unmarshal(data, out) != nil { // the error of the decoder could hold what it read
		return errors.New("client: the answer is not understood: is this a Keephold server?")
	}
	return nil
}

// escape makes a path fit for a URL.
func escape(p string) string {
	parts := strings.Split(p, "/")
	for i, s := range parts {
		parts[i] = url.PathEscape(s)
	}
	return strings.Join(parts, "/")
}
