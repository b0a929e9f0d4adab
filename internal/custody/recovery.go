package custody

import (
	"bytes"
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/secret"
)

// recoveryResource is what policy and the log call a recovery by.
const recoveryResource = "sys/recovery"

// RootKey answers a copy of the root key, for whoever keeps it against the loss of the seal. Its record is in the log before
// the key leaves. The caller clears it.
func (d *Desk) RootKey(ctx context.Context, c auth.Caller) ([]byte, error) {
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: "recovery.export", Resource: recoveryResource, Capability: policy.Read})
	if err != nil {
		return nil, err
	}
	defer leave()
	if s.config.Kind == seal.KindShamir {
		return nil, t.done(auth.Tell(secret.ErrInvalid, "the root key is split into shares: their holders are its recovery"))
	}
	key := bytes.Clone(t.o.root.Bytes())
	if err := t.done(nil); err != nil {
		clear(key)
		return nil, err
	}
	return key, nil
}

// Reseal puts the root key of a store that opens by itself under another seal. The root key stays, and with it what was
// exported of it; what protected it before opens nothing any more.
func (d *Desk) Reseal(ctx context.Context, c auth.Caller, to AutoSeal) error {
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: "recovery.reseal", Resource: recoveryResource, Capability: policy.Update})
	if err != nil {
		return err
	}
	defer leave()
	if s.config.Kind == seal.KindShamir || to.Kind == seal.KindShamir {
		return t.done(auth.Tell(secret.ErrInvalid, "a root key that is split into shares changes by a rekey"))
	}
	config := *s.config
	config.Kind = to.Kind
	t.link("seal", to.Kind)
	if config.Wrapped, err = to.Wrapper.Wrap(ctx, t.o.root.Bytes()); err == nil {
		err = d.replaceSeal(ctx, t, s, &fresh{config: &config}, nil)
	}
	return t.done(err)
}
