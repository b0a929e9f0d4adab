package custody

import (
	"context"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/locked"
	"github.com/keephold/keephold/internal/secret"
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

// Unseal opens the installation with what its seal's configuration wraps.
func (d *Desk) Unseal(ctx context.Context, w seal.Wrapper) error {
	d.sealing.Lock()
	defer d.sealing.Unlock()
	if d.open.Load() != nil {
		return nil
	}
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

// AutoUnseal opens the installation with the configured AutoSeal.
func (d *Desk) AutoUnseal(ctx context.Context) error {
	config, err := d.SealConfig(ctx)
	switch {
	case err != nil:
		return err
	case d.cfg.AutoSeal.Wrapper == nil:
		return fmt.Errorf("%w: no seal is configured that opens by itself", secret.ErrInvalid)
	case config.Kind != d.cfg.AutoSeal.Kind:
		return fmt.Errorf("%w: the store is sealed by %s, the configuration says %s", secret.ErrInvalid, config.Kind, d.cfg.AutoSeal.Kind)
	}
	return d.Unseal(ctx, d.cfg.AutoSeal.Wrapper)
}

// unlock takes the root key over, opens the keyring with it and serves. The caller holds d.sealing and has seen that
// the Desk is sealed.
func (d *Desk) unlock(ctx context.Context, key []byte) error {
	root := locked.Take(key)
	entries, _, err := d.engine.Get(ctx, 0, keyringKey)
	if err != nil {
		root.Destroy()
		return storeError(err)
	}
	if entries[0].Rev == 0 {
		root.Destroy()
		return secret.ErrNotInit
	}
	keys, err := barrier.OpenKeyring(root.Bytes(), d.cfg.Installation, entries[0].Value)
	if err != nil {
		root.Destroy()
		return d.damage(keyringKey, err)
	}
	var o *opened
	if err = d.prove(ctx, keys); err == nil {
		o, err = d.assemble(ctx, root, keys)
	}
	if err == nil {
		err = d.serve(ctx, o)
	}
	if err != nil {
		keys.Wipe()
		root.Destroy()
	}
	return err
}

// assemble makes what a Desk holds while unsealed.
func (d *Desk) assemble(ctx context.Context, root *locked.Buffer, keys *barrier.Keyring) (*opened, error) {
	o := &opened{root: root, sets: newSetCache(d.cfg.CacheBytes / 4)}
	o.keys.Store(keys)
	o.view = &view{d, o}
	table, err := registry.Load(ctx, o.view)
	if err != nil {
		return nil, err
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
		CacheBytes:    d.cfg.CacheBytes,
		Renewers:      d.cfg.Renewers,
	})
	o.warrant = warrant
	o.self, o.local = warrant.Internal("house"), warrant.Local(d.cfg.Node)
	return o, nil
}

// serve gives the audit log its keys, lets it catch up, and opens the door.
func (d *Desk) serve(ctx context.Context, o *opened) error {
	if err := d.unlockLog(o); err != nil {
		return err
	}
	if err := d.outbox.recover(ctx); err != nil {
		return errors.Join(unavailable(err), d.log.Lock())
	}
	d.rite.abandon()
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
	if c.From().Namespace != "" {
		return t.refuse(ctx, errOnlyRoot, "namespace")
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
	_ = d.log.Lock() // what could not be signed now is signed after the next unseal
	d.cache.clear()
	d.engine.clear()
	d.rite.abandon()
	o.keys.Load().Wipe()
	o.root.Destroy()
}

// Local is the Caller of commands that open the store in their own process; nil store access is not theirs to refuse.
func (d *Desk) Local() (auth.Caller, error) {
	o := d.open.Load()
	if o == nil {
		return auth.Caller{}, secret.ErrSealed
	}
	return o.local, nil
}
