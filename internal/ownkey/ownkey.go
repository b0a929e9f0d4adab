// Package ownkey finds what protects a key of one user on one machine: the OS keyring where there is one, else a key file, else
// a passphrase. The local keep's root key and the cache of server values are sealed by it.
package ownkey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyfile"
	"github.com/keephold/keephold/internal/seal/keyring"
	"github.com/keephold/keephold/internal/seal/passphrase"
	"github.com/keephold/keephold/internal/secret"
)

// PassphraseFile names the variable with a file to read a passphrase from without a person.
const PassphraseFile = "KEEPHOLD_PASSPHRASE_FILE"

// Config says which key and where it may lie. All but Kind, Passphrase and Notice are needed.
type Config struct {
	Account    string // in the keyring
	KeyFile    string // path of the key file
	Getenv     func(string) string
	Kind       string                           // of a new key: seal.KindKeyring, KindKeyFile or KindPassphrase; "" chooses
	Passphrase func(fresh bool) ([]byte, error) // asks for one, twice when it is fresh; nil: nobody to ask
	Notice     func(format string, args ...any) // says what was not chosen for a new key, and why; nil: nobody to tell
}

// Place says what protects a key, and where that lies.
type Place struct {
	Kind  string // seal.KindKeyring, KindKeyFile or KindPassphrase
	Where string // for people
}

// Open is what opens a key that is sealed so. It touches nothing but the file of a passphrase.
func (c *Config) Open(kind string) (seal.Wrapper, Place, error) { return c.wrapper(kind, false) }

func (c *Config) wrapper(kind string, fresh bool) (seal.Wrapper, Place, error) {
	p := Place{kind, "the OS keyring"}
	switch kind {
	case seal.KindKeyring:
		return keyring.New(c.Account, c.Getenv), p, nil
	case seal.KindKeyFile:
		p.Where = c.KeyFile
		w, err := keyfile.New(c.KeyFile, c.Getenv)
		return w, p, err
	case seal.KindPassphrase:
		phrase, where, err := c.phrase(fresh)
		p.Where = where
		if err != nil {
			return nil, p, err
		}
		w, err := passphrase.New(phrase, passphrase.Default(), passphrase.NewGate(1))
		return w, p, err
	}
	return nil, p, fmt.Errorf("%w: a key of one's own cannot be sealed by %s", secret.ErrUnsupported, kind)
}

func (c *Config) phrase(fresh bool) ([]byte, string, error) {
	if file := c.Getenv(PassphraseFile); file != "" {
		b, err := ReadPassphrase(file)
		return b, file, err
	}
	if c.Passphrase == nil {
		return nil, "a passphrase", fmt.Errorf("it is sealed by a passphrase, and there is no terminal to ask at: set %s", PassphraseFile)
	}
	b, err := c.Passphrase(fresh)
	return b, "a passphrase", err
}

// Choose makes a new key: of the kind that was asked for, else a passphrase where its file is named, else the OS keyring where
// there is one, else a key file, else a passphrase that a person types. A key file or a key in the keyring that is there is
// taken: a crash can have come between the two steps of a first start.
func (c *Config) Choose(ctx context.Context) (seal.Wrapper, Place, error) {
	kinds := []string{c.Kind}
	if c.Kind == "" {
		kinds = []string{seal.KindKeyFile, seal.KindPassphrase}
		if c.Getenv(PassphraseFile) != "" {
			kinds = []string{seal.KindPassphrase}
		} else if keyring.Reachable(c.Getenv) {
			kinds = append([]string{seal.KindKeyring}, kinds...)
		}
	}
	var failed []error
	for _, kind := range kinds {
		w, p, err := c.wrapper(kind, true)
		if err == nil {
			err = prepare(ctx, w)
		}
		if err == nil {
			for _, f := range failed {
				if c.Notice != nil {
					c.Notice("the key lies in %s: %v", p.Where, f)
				}
			}
			return w, p, nil
		}
		failed = append(failed, err)
	}
	return nil, Place{}, errors.Join(failed...)
}

// prepare makes the key that a Wrapper reads, and proves that the Wrapper works before anything is sealed by it.
func prepare(ctx context.Context, w seal.Wrapper) error {
	switch w := w.(type) {
	case *keyring.Wrapper:
		if err := w.Create(ctx); err != nil {
			return err
		}
	case *keyfile.Wrapper:
		if err := keyfile.Create(w.Path()); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	probe := seal.NewKey()
	blob, err := w.Wrap(ctx, probe)
	if err == nil {
		_, err = w.Unwrap(ctx, blob)
	}
	return err
}

// ReadPassphrase reads the file of a passphrase seal, or a systemd credential; one newline at its end is the editor's.
func ReadPassphrase(name string) ([]byte, error) {
	path, err := keyfile.Resolve(name, os.Getenv)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && path == name && mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %#o and others may read or change it; run chmod 600 on it", path, mode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(b, "\r\n"), nil
}
