package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// signer has the token of the next request.
type signer struct {
	file string
	role *approle

	mu    sync.Mutex
	token string    // guarded by mu
	renew time.Time // guarded by mu: when the token is to be renewed; zero is never
	ends  time.Time // guarded by mu: when the token ends; zero is never
}

type approle struct{ mount, id, secret string }

func (s *signer) check() error {
	ways := 0
	for _, has := range []bool{s.token != "", s.file != "", s.role != nil} {
		if has {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("client: no credential: give WithToken, WithTokenFile or WithAppRole, or set KEEPHOLD_TOKEN")
	case s.role != nil: // of several ways a sign-in wins
		s.token, s.file = "", ""
	case s.file != "":
		s.token = ""
	}
	return nil
}

// auth is what a sign-in and a renewal answer.
type auth struct {
	Token     string `json:"client_token"`
	Lease     int64  `json:"lease_duration"` // seconds; 0 is for ever
	Renewable bool   `json:"renewable"`
}

// current is a token that is good as far as is known here.
func (c *Client) current(ctx context.Context) (string, error) {
	s := c.sign
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.now()
	switch {
	case s.token == "" || !s.ends.IsZero() && !now.Before(s.ends):
		err := c.signIn(ctx)
		return s.token, err
	case s.renew.IsZero() || now.Before(s.renew):
		return s.token, nil
	}
	var a auth
	if err := c.once(ctx, http.MethodPost, "auth/token/renew-self", s.token, nil, &a); err == nil {
		s.hold(a, now)
		return s.token, nil
	}
	if err := c.signIn(ctx); err != nil && now.After(s.ends) {
		return "", err
	}
	return s.token, nil // not renewed, and good for a while: the next request tries again
}

// refused says that token was not accepted; it answers whether there is another to try.
func (c *Client) refused(ctx context.Context, token string) bool {
	s := c.sign
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == "" && s.role == nil {
		return false
	}
	if s.token != token {
		return true // somebody was faster
	}
	return c.signIn(ctx) == nil && s.token != token
}

// signIn gets a token. The caller holds s.mu.
func (c *Client) signIn(ctx context.Context) error {
	s := c.sign
	switch {
	case s.role != nil:
		var a auth
		body := map[string]string{"role_id": s.role.id, "secret_id": s.role.secret}
		if err := c.once(ctx, http.MethodPost, "auth/"+escape(s.role.mount)+"/login", "", body, &a); err != nil {
			return fmt.Errorf("client: sign-in by AppRole: %w", err)
		}
		if a.Token == "" {
			return errors.New("client: sign-in by AppRole: the answer holds no token")
		}
		s.token = a.Token
		s.hold(a, c.now())
	case s.file != "":
		b, err := os.ReadFile(s.file)
		if err != nil {
			return fmt.Errorf("client: token file: %w", err)
		}
		if s.token = strings.TrimSpace(string(b)); s.token == "" {
			return fmt.Errorf("client: token file %s is empty", s.file)
		}
	}
	return nil
}

// hold remembers when a token is to be renewed: when two thirds of its time are over. The caller holds s.mu.
func (s *signer) hold(a auth, now time.Time) {
	s.renew, s.ends = time.Time{}, time.Time{}
	if a.Lease <= 0 {
		return
	}
	lease := time.Duration(a.Lease) * time.Second
	s.ends = now.Add(lease)
	s.renew = now.Add(lease * 2 / 3)
}
