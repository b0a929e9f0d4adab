package custody

import (
	"context"
	"fmt"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// errIndexStays says why the index key has one generation; docs/adr/0011 says it at length.
var errIndexStays = auth.Tell(secret.ErrInvalid, "the index key cannot be rotated: tokens and secret-ids are not stored, so their index cannot be computed anew; revoke them and issue new ones")

// RotatePurpose gives a purpose key a new generation, in one commit with the record of it. What was keyed or signed under
// the earlier ones stays good: they are kept. The audit log learns of its new keys at once, or at the next unseal when the
// process does not live to tell it.
func (d *Desk) RotatePurpose(ctx context.Context, c auth.Caller, resource, purpose string) error {
	t, err := d.admit(ctx, c, record.Need{Action: "rotate.purpose", Resource: resource, Capability: policy.Update, Sudo: true}, what{})
	if err != nil {
		return err
	}
	leave, err := d.lockKeys(ctx, t)
	if err != nil {
		return t.done(err)
	}
	defer leave()
	t.link("purpose", purpose)
	rotatable := map[string]barrier.Purpose{}
	for _, p := range []barrier.Purpose{barrier.PurposeSealedToken, barrier.PurposeAuditHMAC, barrier.PurposeAuditSign} {
		rotatable[p.String()] = p
	}
	p, ok := rotatable[purpose]
	switch {
	case purpose == barrier.PurposeIndex.String():
		return t.done(errIndexStays)
	case !ok:
		return t.done(auth.Tell(secret.ErrInvalid, "no purpose key %q", purpose))
	}
	next := t.o.keys.Load().Purpose(p).Generation + 1
	t.link("generation", fmt.Sprint(next))
	err = d.changeKeyring(ctx, t, func(k *barrier.Keyring) (*barrier.Keyring, error) { return k.RotatePurpose(p, nil, d.now()) }, nil)
	if err == nil && p != barrier.PurposeSealedToken {
		err = d.unlockLog(t.o)
	}
	return t.done(err)
}

// unlockLog gives the audit log the keys of the keyring.
func (d *Desk) unlockLog(o *opened) error {
	ring := o.keys.Load()
	var seeds [][]byte
	defer func() {
		for _, s := range seeds {
			clear(s)
		}
	}()
	for _, gen := range ring.Generations(barrier.PurposeAuditSign) {
		k, ok := ring.PurposeAt(barrier.PurposeAuditSign, gen)
		if !ok {
			return unavailable(barrier.ErrWiped)
		}
		seeds = append(seeds, k.Key[:])
	}
	last := len(seeds) - 1
	err := d.log.Unlock(audit.Keys{
		SigningSeed: seeds[last], Earlier: seeds[:last],
		HMAC: func(b []byte) [32]byte { return o.keys.Load().HMAC(barrier.PurposeAuditHMAC, b) },
	})
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// keyedAs is what records show in place of a text, under every generation of the key, the newest first.
func (o *opened) keyedAs(text string) []string {
	ring := o.keys.Load()
	gens := ring.Generations(barrier.PurposeAuditHMAC)
	out := make([]string, len(gens))
	for i, gen := range gens {
		sum, _ := ring.HMACAt(barrier.PurposeAuditHMAC, gen, []byte(text))
		out[len(gens)-1-i] = audit.Keyed(sum)
	}
	return out
}
