package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// session is what login leaves for the commands that follow: one address and the token that it issued.
type session struct {
	Addr  string `json:"addr"`
	Token string `json:"token"`
}

const sessionFile = "session.json"

// session reads the last login; a missing or unreadable file is no login.
func (env Env) session() (s session) {
	dir, err := env.configDir()
	if err != nil {
		return s
	}
	b, err := os.ReadFile(filepath.Join(dir, sessionFile))
	if err != nil || json.Unmarshal(b, &s) != nil {
		return session{}
	}
	return s
}

// keepSession stores a login for the user alone: a new file that takes the old one's place.
func (env Env) keepSession(s session) error {
	dir, err := env.configDir()
	if err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return failf(exitCannotWrite, "cannot keep the session: %w", err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	temp, err := os.CreateTemp(dir, ".session-*") // mode 0600
	if err != nil {
		return failf(exitCannotWrite, "cannot keep the session: %w", err)
	}
	_, err = temp.Write(b)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), filepath.Join(dir, sessionFile))
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // it holds a token; what matters was reported
		return failf(exitCannotWrite, "cannot keep the session: %w", err)
	}
	return nil
}

// dropSession forgets the login.
func (env Env) dropSession() error {
	dir, err := env.configDir()
	if err != nil {
		return nil //nolint:nilerr // without a home there is no session
	}
	if err := os.Remove(filepath.Join(dir, sessionFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return failf(exitCannotWrite, "cannot forget the session: %w", err)
	}
	return nil
}
