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
	"github.com/keephold/keephold/internal/ownkey"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyfile"
	"github.com/keephold/keephold/internal/seal/keyring"
	"github.com/keephold/keephold/internal/seal/recovery"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// LostKeyError says that a keep does not open, and what that means.
type LostKeyError struct {
	ownkey.Place
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
	key := filepath.Join(c.Dir, keyName)
	_, noKey := os.Lstat(key)
	_, noStore := os.Lstat(filepath.Join(c.Dir, storeName))
	if noKey == nil && errors.Is(noStore, fs.ErrNotExist) {
		return &LostStoreError{c.Dir, key} // a new store would hide the loss
	}
	return nil
}

func (c *LocalConfig) keep(a custody.AutoSeal) KeepConfig {
	// A keep that is open for one command reads hardly anything twice.
	return KeepConfig{Dir: c.Dir, Version: c.Version, CacheBytes: 64 << 10, AutoSeal: a}
}

// key is what protects this keep's root key, or is to.
func (c *LocalConfig) key(installation string) *ownkey.Config {
	return &ownkey.Config{
		Account: "local keep " + installation, KeyFile: filepath.Join(c.Dir, keyName), Getenv: c.Getenv, Kind: c.Seal, Passphrase: c.Passphrase, Notice: c.Notice,
	}
}

// keyFault says what it means that a key did not open the store.
func (l *Local) keyFault(ctx context.Context, err error) error {
	lost := &LostKeyError{Place: l.seal, Dir: l.keep.cfg.Dir, Err: err}
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
func (l *Local) Seal() ownkey.Place { return l.seal }

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
func RestoreLocal(ctx context.Context, cfg LocalConfig, text []byte) (sealed ownkey.Place, err error) {
	key, err := recovery.Parse(text)
	if err != nil {
		return ownkey.Place{}, err
	}
	defer clear(key)
	if _, err := os.Stat(filepath.Join(cfg.Dir, storeName)); err != nil {
		return ownkey.Place{}, fmt.Errorf("there is no local keep to open: %w", err)
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	k, err := OpenKeep(cfg.keep(custody.AutoSeal{}))
	if err != nil {
		return ownkey.Place{}, err
	}
	defer func() { err = errors.Join(err, k.Close(ctx)) }()
	if err := k.Desk.Unseal(ctx, recovery.Key(key)); err != nil {
		return ownkey.Place{}, fmt.Errorf("this recovery key is not of the keep in %s: %w", cfg.Dir, err)
	}
	if err := setAside(filepath.Join(cfg.Dir, keyName)); err != nil {
		return ownkey.Place{}, err
	}
	w, sealed, err := cfg.key(k.installation).Choose(ctx)
	if err != nil {
		return ownkey.Place{}, err
	}
	owner, err := k.Desk.Local()
	if err != nil {
		return ownkey.Place{}, err
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
