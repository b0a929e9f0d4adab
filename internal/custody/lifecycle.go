package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// SealConfig is the stored configuration of the seal; secret.ErrNotInit when there is none.
func (d *Desk) SealConfig(ctx context.Context) (*seal.Config, error) {
	entries, _, err := d.engine.Get(ctx, 0, sealKey)
	if err != nil {
		return nil, storeError(err)
	}
	if entries[0].Rev == 0 {
		return nil, secret.ErrNotInit
	}
	return seal.Unmarshal(entries[0].Value)
}

// Initialized says whether the installation has keys.
func (d *Desk) Initialized(ctx context.Context) (bool, error) {
	_, err := d.SealConfig(ctx)
	if errors.Is(err, secret.ErrNotInit) {
		return false, nil
	}
	return err == nil, err
}

// Initialize makes the keys of a new installation and opens it. protect wraps the new root key and answers the seal's
// configuration, which is stored with the keyring in one commit: there is either both or neither. The answer is a root
// token. It is the one act that nobody is asked about, because nobody exists before it; it happens once.
func (d *Desk) Initialize(ctx context.Context, from auth.From, protect func(root []byte) (*seal.Config, error)) (auth.Issued, error) {
	d.sealing.Lock()
	defer d.sealing.Unlock()
	if done, err := d.Initialized(ctx); err != nil {
		return auth.Issued{}, err
	} else if done {
		return auth.Issued{}, fmt.Errorf("%w: already initialized", secret.ErrInvalid)
	}
	keys, err := barrier.NewKeyring(nil, d.now())
	if err != nil {
		return auth.Issued{}, err
	}
	root := seal.NewKey()
	config, err := protect(root)
	if err != nil {
		return auth.Issued{}, err
	}
	sealed, err := config.Marshal()
	if err != nil {
		return auth.Issued{}, err
	}
	ring, err := barrier.SealKeyring(root, d.cfg.Installation, keys)
	if err != nil {
		return auth.Issued{}, err
	}
	ops := []store.Op{{Key: sealKey, Value: sealed, Expect: store.Expect(0)}, {Key: keyringKey, Value: ring, Expect: store.Expect(0)}}
	if _, err := d.engine.Apply(ctx, ops); err != nil {
		return auth.Issued{}, storeError(err)
	}
	if err := d.unlock(ctx, root); err != nil {
		return auth.Issued{}, err
	}
	o := d.open.Load()
	if _, err := Do(ctx, d, o.self, registry.MakeMount{Mount: registry.Mount{Name: "token", Type: "token", Tuning: registry.Tuning{Description: "token based credentials"}}}); err != nil {
		return auth.Issued{}, err
	}
	return d.RootToken(ctx, from)
}

// RootToken makes a token that may do everything. Whoever calls it has proved to hold the keys: by making them, or by
// enough shares.
func (d *Desk) RootToken(ctx context.Context, from auth.From) (auth.Issued, error) {
	o := d.open.Load()
	if o == nil {
		return auth.Issued{}, secret.ErrSealed
	}
	return Do(ctx, d, o.self, auth.Create{OrphanPath: true, Policies: []string{policy.NameRoot}, DisplayName: "root"})
}

// Unseal opens the installation with what its seal's configuration wraps.
func (d *Desk) Unseal(ctx context.Context, w seal.Wrapper) error {
	d.sealing.Lock()
	defer d.sealing.Unlock()
	config, err := d.SealConfig(ctx)
	if err != nil {
		return err
	}
	root, err := w.Unwrap(ctx, config.Wrapped)
	if err != nil {
		return err
	}
	return d.unlock(ctx, root)
}

// UnsealRoot opens the installation with its root key, which the Desk takes over.
func (d *Desk) UnsealRoot(ctx context.Context, root []byte) error {
	d.sealing.Lock()
	defer d.sealing.Unlock()
	return d.unlock(ctx, root)
}

// unlock opens the keyring and reads what is held in memory while unsealed. The caller holds d.sealing.
func (d *Desk) unlock(ctx context.Context, root []byte) error {
	if d.open.Load() != nil {
		clear(root)
		return nil
	}
	entries, _, err := d.engine.Get(ctx, 0, keyringKey)
	if err != nil {
		return storeError(err)
	}
	if entries[0].Rev == 0 {
		return secret.ErrNotInit
	}
	keys, err := barrier.OpenKeyring(root, d.cfg.Installation, entries[0].Value)
	if err != nil {
		clear(root)
		return d.damage(keyringKey, err)
	}
	o := &opened{root: root, sets: new(setCache)}
	o.keys.Store(keys)
	o.view = &view{d, o}
	o.sets.clear()
	table, err := registry.Load(ctx, o.view)
	if err != nil {
		return err
	}
	o.table.Store(table)
	var warrant *auth.Warrant
	o.authority, warrant = auth.NewAuthority(auth.Config{
		View:          o.view,
		Policies:      o.compile(d),
		NamespacePath: o.namespacePath,
		Limits:        auth.Limits{Default: d.cfg.DefaultTTL, Max: d.cfg.MaxTTL},
		Epoch:         func() uint64 { return d.cfg.Epoch },
		AllowWeakIDs:  d.cfg.WeakIDs,
		Renewers:      d.cfg.Renewers,
	})
	o.self, o.local = warrant.Internal("house"), warrant.Local(d.cfg.Node)
	seed := keys.SigningSeed()
	d.log.Unlock(audit.Keys{SigningSeed: seed[:], HMAC: func(b []byte) [32]byte { return keys.HMAC(barrier.PurposeAuditHMAC, b) }})
	if err := d.outbox.recover(ctx); err != nil {
		return unavailable(err)
	}
	d.open.Store(o)
	d.wakeJobs()
	return nil
}

func (o *opened) namespacePath(ns secret.NamespaceID) (string, bool) {
	n, ok := o.table.Load().Namespace(ns)
	if !ok {
		return "", false
	}
	return n.Path, true
}

// Seal forgets every key. What is running finishes; nothing new begins.
func (d *Desk) Seal(ctx context.Context, c auth.Caller) error {
	t, err := d.admit(ctx, c, record.Need{Action: "seal", Resource: "sys/seal", Capability: policy.Update, Sudo: true}, what{})
	if err != nil {
		return err
	}
	if err := t.done(nil); err != nil {
		return err
	}
	d.sealing.Lock()
	defer d.sealing.Unlock()
	d.forget()
	return nil
}

// forget drops keys, caches and everything derived from them.
func (d *Desk) forget() {
	o := d.open.Swap(nil)
	if o == nil {
		return
	}
	d.log.Lock()
	d.cache.clear()
	o.keys.Load().Wipe()
	clear(o.root)
}

// Local is the Caller of commands that open the store in their own process; nil store access is not theirs to refuse.
func (d *Desk) Local() (auth.Caller, error) {
	o := d.open.Load()
	if o == nil {
		return auth.Caller{}, secret.ErrSealed
	}
	return o.local, nil
}
