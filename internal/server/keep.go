// Package server puts the house together: it opens a keep, hangs the fronts on listeners, and takes everything down in
// order. What is linked in stands in literal tables here.
package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyfile"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
	"github.com/keephold/keephold/internal/store/mem"
)

// storeName is the file of the store in its directory.
const storeName = "keephold.db"

// KeepConfig says where a keep lies and how it is opened.
type KeepConfig struct {
	Dir        string // directory of the store and its node id; "" keeps everything in memory
	AuditDir   string // "": Dir/audit
	SyncAlways bool   // audit: reads wait for the disk too
	CacheBytes int64
	WeakIDs    bool // dev only
	OnError    func(error)
	Version    string
	AutoSeal   custody.AutoSeal // the zero AutoSeal: the key is split into shares

	SyncInterval       time.Duration // audit: how long a read's record may wait for the disk
	DefaultTTL, MaxTTL time.Duration // of tokens

	step func(string) // of tests: told after each step of a restore, a snapshot and an upgrade, where a process may die
}

// Keep is an open store with its audit log and its Desk, sealed until somebody unseals it.
type Keep struct {
	Desk   *custody.Desk
	Engine store.Engine
	Log    *audit.Log

	cfg     KeepConfig
	metrics *metrics
	meters  custody.Meters
	file    string // of the store; "" in memory
	node    string
	scratch string // a directory to remove when a keep in memory is closed

	installation string // id of the store
}

// OpenKeep opens a keep or makes a new, uninitialized one.
func OpenKeep(cfg KeepConfig) (*Keep, error) {
	k := &Keep{metrics: newMetrics(cfg.Version)}
	k.meters = k.metrics.hooks()
	var err error
	k.installation, err = k.openEngine(&cfg)
	k.cfg = cfg
	if err == nil {
		err = k.openDesk(k.installation)
	}
	if err != nil {
		return nil, errors.Join(err, k.closeStores())
	}
	k.metrics.watch(k)
	return k, nil
}

// openDesk opens the audit log and the Desk over an engine that is open.
func (k *Keep) openDesk(installation string) error {
	cfg := &k.cfg
	node, err := nodeID(cfg.Dir)
	if err != nil {
		return err
	}
	k.node = node
	err = custody.Arrive(context.Background(), k.Engine, func() error {
		_, err := audit.SetAside(cfg.AuditDir)
		k.at("set the log aside")
		return err
	})
	if err != nil {
		return fmt.Errorf("audit log of the installation that was replaced: %w", err)
	}
	k.Log, err = audit.Open(audit.Config{Dir: cfg.AuditDir, Origin: "keephold/" + installation + "/" + node, SyncAlways: cfg.SyncAlways, SyncInterval: cfg.SyncInterval, OnError: cfg.OnError})
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	k.Desk, err = custody.Open(custody.Config{
		Engine: k.Engine, Log: k.Log, Installation: installation, Node: node, CacheBytes: cfg.CacheBytes, WeakIDs: cfg.WeakIDs,
		AutoSeal: cfg.AutoSeal,
		Meters:   k.meters, DefaultTTL: cfg.DefaultTTL, MaxTTL: cfg.MaxTTL,
		Renewers: map[string]auth.Renewer{approle.Method: approle.Renew, userpass.Method: userpass.Renew, jwt.Method: jwt.Renew},
		Tidiers:  map[string]custody.Tidier{approle.Method: func(m auth.Mount, cursor string) custody.Act[string] { return approle.Tidy{Mount: m, Cursor: cursor} }},
	})
	return err
}

func (k *Keep) openEngine(cfg *KeepConfig) (installation string, err error) {
	fresh := newInstallation()
	if cfg.Dir == "" {
		if k.scratch, err = os.MkdirTemp("", "keephold-dev-"); err != nil {
			return "", err
		}
		if cfg.AuditDir == "" {
			cfg.AuditDir = filepath.Join(k.scratch, "audit")
		}
		k.Engine = mem.New()
		return fresh, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return "", fmt.Errorf("directory of the store: %w", err)
	}
	if cfg.AuditDir == "" {
		cfg.AuditDir = filepath.Join(cfg.Dir, "audit")
	}
	k.file = filepath.Join(cfg.Dir, storeName)
	engine, err := bolt.Open(k.file, bolt.Options{Installation: fresh})
	if err != nil {
		return "", err
	}
	k.Engine = engine
	for _, suffix := range []string{incomingSuffix, upgradingSuffix} {
		if err := removeIncoming(k.file + suffix); err != nil {
			return "", fmt.Errorf("what an interrupted restore or upgrade left: %w", err)
		}
	}
	header, err := engine.Header(context.Background())
	return header.Installation, err
}

// Close takes the keep down: the outbox is drained into the log before either is closed.
func (k *Keep) Close(ctx context.Context) error {
	if k.Desk == nil { // a restore closed it and could not open it again
		return k.closeStores()
	}
	return errors.Join(k.Desk.Close(ctx), k.closeStores())
}

func (k *Keep) closeStores() error {
	var errs []error
	if k.Log != nil {
		errs = append(errs, k.Log.Close())
	}
	if k.Engine != nil {
		errs = append(errs, k.Engine.Close())
	}
	if k.scratch != "" {
		errs = append(errs, os.RemoveAll(k.scratch))
	}
	return errors.Join(errs...)
}

// at tells a test where the process is.
func (k *Keep) at(step string) { k.cfg.at(step) }

func (cfg *KeepConfig) at(step string) {
	if cfg.step != nil {
		cfg.step(step)
	}
}

// storage is the kind of the store, as [storage] names it.
func (k *Keep) storage() string {
	if k.file == "" {
		return "memory"
	}
	return "bbolt"
}

// hostname is for display only; a machine without one has an empty one.
func hostname() string {
	name, _ := os.Hostname()
	return name
}

// UnsealByKeyFile opens the keep with the key file at path. A keep without keys is initialized with a new key file
// first; then the answer holds a root token, else it is zero.
func (k *Keep) UnsealByKeyFile(ctx context.Context, path string) (auth.Issued, error) {
	initialized, err := k.Desk.Initialized(ctx)
	if err != nil {
		return auth.Issued{}, err
	}
	if !initialized {
		if err := keyfile.Create(path); err != nil && !errors.Is(err, os.ErrExist) {
			return auth.Issued{}, err
		}
	}
	w, err := keyfile.New(path, os.Getenv)
	if err != nil {
		return auth.Issued{}, err
	}
	if initialized {
		return auth.Issued{}, k.Desk.Unseal(ctx, w)
	}
	return k.initialize(ctx, w)
}

// InitializeInMemory opens a keep whose key nobody needs again.
func (k *Keep) InitializeInMemory(ctx context.Context) (auth.Issued, error) {
	w, err := seal.NewKeyWrap(seal.NewKey(), seal.KindKeyFile)
	if err != nil {
		return auth.Issued{}, err
	}
	return k.initialize(ctx, w)
}

func (k *Keep) initialize(ctx context.Context, w seal.Wrapper) (auth.Issued, error) {
	return k.Desk.Initialize(ctx, auth.From{}, func(root []byte) (*seal.Config, error) {
		wrapped, err := w.Wrap(ctx, root)
		return &seal.Config{Kind: seal.KindKeyFile, Wrapped: wrapped}, err
	})
}

// nodeID names this process's place among those that could share the store. It lies beside the store, so that the
// audit log of a node keeps its origin.
func nodeID(dir string) (string, error) {
	if dir == "" {
		return "memory", nil
	}
	path := filepath.Join(dir, "node")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	id := newInstallation()[:8]
	return id, os.WriteFile(path, []byte(id), 0o600)
}

func newInstallation() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
