package custody

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/locked"
	"github.com/keephold/keephold/internal/seal/shamir"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Founding says how the keys of a new installation are kept. Where an AutoSeal is configured, only Recovery counts;
// else only Shares.
type Founding struct {
	Shares   Split
	Recovery Split // the zero Split: no recovery key
}

// Founded is what a founding answers, once.
type Founded struct {
	Shares   Parts
	Recovery Parts
	Root     auth.Issued
}

// Found makes the keys of a new installation. With shares the Desk stays sealed until enough of them are presented;
// with an AutoSeal it opens at once. Nobody is asked whether they may, because nobody exists before it; it happens once.
func (d *Desk) Found(ctx context.Context, c auth.Caller, f Founding) (Founded, error) {
	var out Founded
	protect := func(root []byte) (*seal.Config, error) {
		if d.cfg.AutoSeal.Wrapper == nil {
			config, parts, err := shamir.NewSeal(ctx, root, f.Shares.Shares, f.Shares.Threshold)
			if err != nil {
				return nil, err
			}
			out.Shares, err = d.rite.hand(f.Shares, parts, d.now())
			return config, err
		}
		wrapped, err := d.cfg.AutoSeal.Wrapper.Wrap(ctx, root)
		if err != nil {
			return nil, err
		}
		config := &seal.Config{Kind: d.cfg.AutoSeal.Kind, Wrapped: wrapped}
		if f.Recovery.Shares == 0 {
			return config, nil
		}
		recovery, parts, err := shamir.NewRecovery(f.Recovery.Shares, f.Recovery.Threshold)
		if err != nil {
			return nil, err
		}
		config.Recovery = recovery
		out.Recovery, err = d.rite.hand(f.Recovery, parts, d.now())
		return config, err
	}
	which := f.Shares
	if d.cfg.AutoSeal.Wrapper != nil {
		which = f.Recovery
	}
	if err := which.check(d.cfg.AutoSeal.Wrapper != nil); err != nil {
		return Founded{}, err
	}
	d.sealing.Lock()
	defer d.sealing.Unlock()
	issued, err := d.found(ctx, c, protect)
	if err != nil {
		return Founded{}, err
	}
	if d.cfg.AutoSeal.Wrapper == nil {
		d.forget()
	}
	out.Root = issued
	return out, nil
}

// Initialize makes the keys of a new installation and opens it. protect wraps the new root key and answers the seal's
// configuration. The answer is a root token.
func (d *Desk) Initialize(ctx context.Context, from auth.From, protect func(root []byte) (*seal.Config, error)) (auth.Issued, error) {
	d.sealing.Lock()
	defer d.sealing.Unlock()
	return d.found(ctx, auth.Refused(auth.Credential{From: from}, secret.ErrSealed), protect)
}

// found stores the seal, the keyring, the token mount, a root token and the record of all this in one commit: a crash
// leaves a store that is initialized, or one that is not. The caller holds d.sealing.
func (d *Desk) found(ctx context.Context, c auth.Caller, protect func(root []byte) (*seal.Config, error)) (auth.Issued, error) {
	t := d.unasked(c, record.Need{Action: "init", Resource: "sys/init", Capability: policy.Update})
	if done, err := d.Initialized(ctx); err != nil {
		return auth.Issued{}, err
	} else if done {
		return auth.Issued{}, t.refuse(ctx, errInitialized, "already initialized")
	}
	keys, err := barrier.NewKeyring(nil, d.now())
	if err != nil {
		return auth.Issued{}, err
	}
	key := seal.NewKey()
	config, err := protect(key)
	root := locked.Take(key)
	if err != nil {
		root.Destroy()
		return auth.Issued{}, err
	}
	issued, err := d.settleIn(ctx, t, config, root, keys)
	if err != nil {
		keys.Wipe()
		root.Destroy()
	}
	return issued, err
}

var errInitialized = auth.Tell(secret.ErrInvalid, "Vault is already initialized")

func (d *Desk) settleIn(ctx context.Context, t *turn, config *seal.Config, root *locked.Buffer, keys *barrier.Keyring) (auth.Issued, error) {
	ops, err := d.sealOps(config, root, keys)
	if err != nil {
		return auth.Issued{}, err
	}
	ops[0].Expect, ops[1].Expect = store.Expect(0), store.Expect(0)
	o, err := d.assemble(ctx, root, keys)
	if err != nil {
		return auth.Issued{}, err
	}
	mount := registry.MakeMount{Mount: registry.Mount{Name: "token", Type: "token", Tuning: registry.Tuning{Description: "token based credentials"}}}
	_, changes, err := mount.Plan(ctx, o.self, o.view)
	if err != nil {
		return auth.Issued{}, err
	}
	issued, more, err := rootToken().Plan(ctx, o.self, o.view)
	if err != nil {
		return auth.Issued{}, err
	}
	changes = append(changes, more...)
	sealed, err := d.sealChanges(o, changes)
	if err != nil {
		return auth.Issued{}, err
	}
	ops = append(ops, sealed...)
	t.event.Cipher = hashOps(ops)
	if err := d.outbox.recover(ctx); err != nil {
		return auth.Issued{}, unavailable(err)
	}
	if _, err := t.commit(ctx, ops); err != nil {
		if isConflict(err) {
			err = errInitialized
		}
		return auth.Issued{}, err
	}
	if o.reload(ctx) != nil {
		return auth.Issued{}, fmt.Errorf("%w: the new store does not read back", secret.ErrDamaged)
	}
	return issued, d.serve(ctx, o)
}

func rootToken() auth.Create {
	return auth.Create{OrphanPath: true, Initial: true, Policies: []string{policy.NameRoot}, DisplayName: "root"}
}

// RootToken makes a token that may do everything, for whoever holds the keys by opening the store in their own process.
func (d *Desk) RootToken(ctx context.Context, _ auth.From) (auth.Issued, error) {
	o := d.open.Load()
	if o == nil {
		return auth.Issued{}, secret.ErrSealed
	}
	return Do(ctx, d, o.self, rootToken())
}

// sealOps are the operations that store the seal's configuration and the keyring under the root key.
func (d *Desk) sealOps(config *seal.Config, root *locked.Buffer, keys *barrier.Keyring) ([]store.Op, error) {
	sealed, err := config.Marshal()
	if err != nil {
		return nil, err
	}
	ring, err := barrier.SealKeyring(root.Bytes(), d.cfg.Installation, keys)
	if err != nil {
		return nil, err
	}
	return []store.Op{{Key: sealKey, Value: sealed}, {Key: keyringKey, Value: ring}}, nil
}
