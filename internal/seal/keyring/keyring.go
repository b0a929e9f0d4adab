// Package keyring wraps the root key under a key in the keyring of the operating system: the Secret Service on Linux and
// the BSDs (GNOME Keyring, KWallet, KeePassXC, over D-Bus), the Keychain on macOS, the Credential Manager on Windows.
//
// The keyring opens when its owner logs in, so the store on disk is of no use without that login. A process of the same
// user in the same session can ask the keyring as we can.
package keyring

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/keephold/keephold/internal/seal"
)

var (
	// ErrAbsent: no keyring can be reached from here, or it does not open.
	ErrAbsent = errors.New("no OS keyring answers")
	// ErrNoKey: the keyring is open and holds no key of that name.
	ErrNoKey = errors.New("the OS keyring holds no such key")
)

// service is what the keyring's own programs show the key under.
const service = "keephold"

// Patience bounds how long a keyring may take to answer. One that is locked asks the person in a window of its own.
const Patience = 30 * time.Second

// Wrapper asks the keyring each time, and holds no key in between.
type Wrapper struct {
	account string
	getenv  func(string) string
}

var _ seal.Wrapper = (*Wrapper)(nil)

// New names the key; it does not touch the keyring.
func New(account string, getenv func(string) string) *Wrapper { return &Wrapper{account, getenv} }

// Reachable says whether there may be a keyring. It starts nothing: without a session there is none.
func Reachable(getenv func(string) string) bool {
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	if getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return err == nil
}

// Create stores a new key under the Wrapper's name, unless there is one, and reads it back.
func (w *Wrapper) Create(ctx context.Context) error {
	_, err := w.read(ctx)
	if err == nil || !errors.Is(err, ErrNoKey) {
		return err
	}
	key := seal.NewKey()
	defer clear(key)
	_, err = w.within(ctx, func() (string, error) {
		return "", keyring.Set(service, w.account, base64.RawURLEncoding.EncodeToString(key))
	})
	if err != nil {
		return err
	}
	_, err = w.read(ctx)
	return err
}

// Forget takes the key out of the keyring.
func (w *Wrapper) Forget(ctx context.Context) error {
	_, err := w.within(ctx, func() (string, error) { return "", keyring.Delete(service, w.account) })
	return err
}

// Wrap wraps under the key in the keyring.
func (w *Wrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	if err := seal.CheckArguments(ctx, key); err != nil {
		return nil, err
	}
	k, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	return k.Wrap(ctx, key)
}

// Unwrap unwraps with the key in the keyring.
func (w *Wrapper) Unwrap(ctx context.Context, blob []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	return k.Unwrap(ctx, blob)
}

func (w *Wrapper) open(ctx context.Context) (*seal.KeyWrap, error) {
	text, err := w.read(ctx)
	if err != nil {
		return nil, err
	}
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(key) != seal.KeySize {
		return nil, fmt.Errorf("what the OS keyring holds as %s of %s is no key: %w", w.account, service, seal.ErrWrongKey)
	}
	defer clear(key)
	return seal.NewKeyWrap(key, seal.KindKeyring)
}

func (w *Wrapper) read(ctx context.Context) (string, error) {
	return w.within(ctx, func() (string, error) { return keyring.Get(service, w.account) })
}

// within waits for a keyring, which may wait for a person, until ctx ends or our patience does. The question itself cannot
// be taken back; its goroutine ends with the answer or with the process.
func (w *Wrapper) within(ctx context.Context, ask func() (string, error)) (string, error) {
	if !Reachable(w.getenv) {
		return "", fmt.Errorf("%w: there is no session with one", ErrAbsent)
	}
	type answer struct {
		text string
		err  error
	}
	ctx, stop := context.WithTimeout(ctx, Patience)
	defer stop()
	got := make(chan answer, 1)
	go func() {
		defer func() {
			if recover() != nil { // the library trusts what a keyring answers
				got <- answer{"", ErrAbsent}
			}
		}()
		text, err := ask()
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("%w: it did not open in time", ErrAbsent)
	case a := <-got:
		switch {
		case a.err == nil:
			return a.text, nil
		case errors.Is(a.err, keyring.ErrNotFound):
			return "", ErrNoKey
		case errors.Is(a.err, ErrAbsent):
			return "", a.err
		}
		return "", fmt.Errorf("%w: %w", ErrAbsent, a.err)
	}
}
