package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyfile"
	"github.com/keephold/keephold/internal/seal/keyring"
	"github.com/keephold/keephold/internal/seal/passphrase"
	"github.com/keephold/keephold/internal/seal/recovery"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Sealed says what protects the root key of a user's own keep, and where that lies.
type Sealed struct {
	Kind  string // seal.KindKeyring, KindKeyFile or KindPassphrase
	Where string // for people
}

// LostKeyError says that a keep does not open, and what that means.
type LostKeyError struct {
	Sealed
	Dir     string
	Away    bool // the key is not lost: it cannot be reached from here, or a wrong passphrase was given
	Secrets int  // how many names the store has, whose values nobody can read
	Err     error
}

func (e *LostKeyError) Error() string { return fmt.Sprintf("the key of the local keep: %v", e.Err) }

// Unwrap is what happened.
func (e *LostKeyError) Unwrap() error { return e.Err }

// LostStoreError says that a key has no store: it was removed, or the key was restored alone.
type LostStoreError struct{ Dir, Key string }

func (e *LostStoreError) Error() string {
	return fmt.Sprintf("the local keep %s is gone, and its key %s is still there", filepath.Join(e.Dir, storeName), e.Key)
}

// keyName is the key file of a local keep, beside its store.
const keyName = "key"

func (c *LocalConfig) check() error {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Notice == nil {
		c.Notice = func(string, ...any) {}
	}
	key := filepath.Join(c.Dir, keyName)
	_, noKey := os.Lstat(key)
	_, noStore := os.Lstat(filepath.Join(c.Dir, storeName))
	if noKey == nil && errors.Is(noStore, fs.ErrNotExist) {
		return &LostStoreError{c.Dir, key} // a new store would hide the loss
	}
	return nil
}

func (c *LocalConfig) keep(a custody.AutoSeal) KeepConfig {
	return KeepConfig{Dir: c.Dir, Version: c.Version, CacheBytes: 8 << 20, AutoSeal: a}
}

// passphraseFile is where a passphrase is read from without a person.
const passphraseFile = "KEEPHOLD_PASSPHRASE_FILE"

// wrapper is what opens a keep that is sealed so.
func (c *LocalConfig) wrapper(kind, installation string, fresh bool) (seal.Wrapper, string, error) {
	switch kind {
	case seal.KindKeyring:
		return keyring.New("local keep "+installation, c.Getenv), "the OS keyring", nil
	case seal.KindKeyFile:
		path := filepath.Join(c.Dir, keyName)
		w, err := keyfile.New(path, c.Getenv)
		return w, path, err
	case seal.KindPassphrase:
		phrase, where, err := c.phrase(fresh)
		if err != nil {
			return nil, where, err
		}
		w, err := passphrase.New(phrase, passphrase.Default(), passphrase.NewGate(1))
		return w, where, err
	}
	return nil, "", fmt.Errorf("%w: a keep of one's own cannot be sealed by %s", secret.ErrUnsupported, kind)
}

func (c *LocalConfig) phrase(fresh bool) ([]byte, string, error) {
	if file := c.Getenv(passphraseFile); file != "" {
		b, err := readPassphrase(file)
		return b, file, err
	}
	if c.Passphrase == nil {
		return nil, "a passphrase", fmt.Errorf("the keep is sealed by a passphrase, and there is no terminal to ask at: set %s", passphraseFile)
	}
	b, err := c.Passphrase(fresh)
	return b, "a passphrase", err
}

// choose finds a seal for a new keep: what was asked for, else a passphrase where its file is named, else the OS keyring
// where there is one, else a key file, else a passphrase that a person types.
func (c *LocalConfig) choose(ctx context.Context, installation string) (seal.Wrapper, Sealed, error) {
	kinds := []string{c.Seal}
	if c.Seal == "" {
		kinds = []string{seal.KindKeyFile, seal.KindPassphrase}
		if c.Getenv(passphraseFile) != "" {
			kinds = []string{seal.KindPassphrase}
		} else if keyring.Reachable(c.Getenv) {
			kinds = append([]string{seal.KindKeyring}, kinds...)
		}
	}
	var failed []error
	for _, kind := range kinds {
		w, where, err := c.wrapper(kind, installation, true)
		if err == nil {
			err = prepare(ctx, w)
		}
		if err == nil {
			for _, f := range failed {
				c.Notice("the key of your keep lies in %s: %v", where, f)
			}
			return w, Sealed{kind, where}, nil
		}
		failed = append(failed, err)
	}
	return nil, Sealed{}, errors.Join(failed...)
}

// prepare makes the key that a Wrapper reads, and proves that the Wrapper works before anything is sealed by it. A key file
// that is there is taken: a crash can have come between the two steps of a first start.
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

// keyFault says what it means that a key did not open the store.
func (l *Local) keyFault(ctx context.Context, err error) error {
	lost := &LostKeyError{Sealed: l.seal, Dir: l.keep.cfg.Dir, Err: err}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrAbsent), l.seal.Kind == seal.KindPassphrase, errors.Is(err, keyfile.ErrUnsafe), errors.Is(err, fs.ErrPermission):
		lost.Away = true
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, keyring.ErrNoKey), errors.Is(err, keyfile.ErrMalformed), errors.Is(err, seal.ErrWrongKey):
		lost.Secrets = l.names(ctx)
	default:
		return fmt.Errorf("the key of the local keep: %w", err)
	}
	return lost
}

// names counts the names in the store, which lie there in the clear.
func (l *Local) names(ctx context.Context) int {
	entries, _, err := l.keep.Engine.List(ctx, store.Query{Prefix: "n/", KeysOnly: true})
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if strings.Count(e.Key, "/") >= 3 {
			n++
		}
	}
	return n
}

// Seal says what protects this keep's root key.
func (l *Local) Seal() Sealed { return l.seal }

// RecoveryKey answers the root key as people keep it. That it was asked for is in the audit log.
func (l *Local) RecoveryKey(ctx context.Context) (secret.Value, error) {
	owner, err := l.keep.Desk.Local()
	if err != nil {
		return secret.Value{}, err
	}
	key, err := l.keep.Desk.RootKey(ctx, owner)
	if err != nil {
		return secret.Value{}, err
	}
	defer clear(key)
	return secret.NewValue([]byte(recovery.Format(key))), nil
}

// RestoreLocal opens a keep whose key is lost with its recovery key, and gives it a new seal of its own.
func RestoreLocal(ctx context.Context, cfg LocalConfig, text []byte) (sealed Sealed, err error) {
	key, err := recovery.Parse(text)
	if err != nil {
		return Sealed{}, err
	}
	defer clear(key)
	if _, err := os.Stat(filepath.Join(cfg.Dir, storeName)); err != nil {
		return Sealed{}, fmt.Errorf("there is no local keep to open: %w", err)
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Notice == nil {
		cfg.Notice = func(string, ...any) {}
	}
	k, err := OpenKeep(cfg.keep(custody.AutoSeal{}))
	if err != nil {
		return Sealed{}, err
	}
	defer func() { err = errors.Join(err, k.Close(ctx)) }()
	if err := k.Desk.Unseal(ctx, recovery.Key(key)); err != nil {
		return Sealed{}, fmt.Errorf("this recovery key is not of the keep in %s: %w", cfg.Dir, err)
	}
	if err := setAside(filepath.Join(cfg.Dir, keyName)); err != nil {
		return Sealed{}, err
	}
	w, sealed, err := cfg.choose(ctx, k.installation)
	if err != nil {
		return Sealed{}, err
	}
	owner, err := k.Desk.Local()
	if err != nil {
		return Sealed{}, err
	}
	return sealed, k.Desk.Reseal(ctx, owner, custody.AutoSeal{Kind: sealed.Kind, Wrapper: w})
}

// setAside makes room for a new key file; what was there is damaged or another keep's, and not ours to remove.
func setAside(path string) error {
	err := os.Rename(path, path+".before-restore")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
