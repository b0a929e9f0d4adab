package custody

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// view is the read side of administration: it opens records, and it lends the keyed functions.
type view struct {
	d *Desk
	o *opened
}

var _ record.View = (*view)(nil)

func (v *view) Now() time.Time { return v.d.now() }

func (v *view) Get(ctx context.Context, keys ...string) ([]record.Record, error) {
	stored := make([]string, len(keys))
	for i, k := range keys {
		stored[i] = recordPrefix + k
	}
	entries, _, err := v.d.engine.Get(ctx, 0, stored...)
	if err != nil {
		return nil, storeError(err)
	}
	out := make([]record.Record, len(keys))
	for i, e := range entries {
		out[i].Key = keys[i]
		if e.Rev == 0 {
			continue
		}
		plain, err := v.o.keys.Load().Open(v.d.place(recordPlace, "", e.Key, 0), e.Value)
		if err != nil {
			return nil, v.d.damage(e.Key, err)
		}
		out[i].Value, out[i].Rev = plain, uint64(e.Rev)
	}
	return out, nil
}

func (v *view) List(ctx context.Context, q record.Query) ([]string, error) {
	sq := store.Query{Prefix: recordPrefix + q.Prefix, Limit: q.Limit, KeysOnly: true, OneLevel: q.OneLevel}
	if q.After != "" {
		sq.After = recordPrefix + q.After
	}
	entries, _, err := v.d.engine.List(ctx, sq)
	if err != nil {
		return nil, storeError(err)
	}
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = strings.TrimPrefix(e.Key, recordPrefix)
	}
	return keys, nil
}

func (v *view) Index(plain []byte) string {
	sum := v.o.keys.Load().HMAC(barrier.PurposeIndex, plain)
	var text [2 * len(sum)]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// Enclose seals under the key for stateless tokens, not under a term: a sweep cannot reach what is not stored, so a
// retired term would end tokens that still stand. The key's generation goes before what it sealed, in four bytes.
func (v *view) Enclose(place string, plain []byte) ([]byte, error) {
	return v.encloseAs(v.tokenLabel(place), plain)
}

func (v *view) encloseAs(label string, plain []byte) ([]byte, error) {
	keys := v.o.keys.Load()
	key := keys.Purpose(barrier.PurposeSealedToken)
	defer clear(key.Key[:])
	if key.Generation == 0 {
		return nil, secret.ErrSealed
	}
	sealed, err := barrier.WrapKey(keys.Algorithm(), key.Key[:], label, plain)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(sealed)), key.Generation), sealed...), nil
}

// Disclose opens what Enclose sealed.
func (v *view) Disclose(place string, sealed []byte) ([]byte, error) {
	return v.discloseAs(v.tokenLabel(place), sealed)
}

func (v *view) discloseAs(label string, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, barrier.ErrUnopenable
	}
	key, ok := v.o.keys.Load().PurposeAt(barrier.PurposeSealedToken, binary.BigEndian.Uint32(sealed))
	defer clear(key.Key[:])
	if !ok {
		return nil, barrier.ErrUnopenable
	}
	return barrier.UnwrapKey(key.Key[:], label, sealed[4:])
}

// tokenLabel binds a stateless token to its installation, and to the epoch: a restore ends every one of them.
func (v *view) tokenLabel(place string) string {
	return "token of " + v.d.cfg.Installation + "/" + strconv.FormatUint(v.d.cfg.Epoch, 10) + " at " + place
}

// Kinds of place that a ciphertext can be bound to.
const (
	recordPlace  = "record"
	namePlace    = "name"
	headPlace    = "head"
	valuePlace   = "value"
	dataKeyPlace = "datakey"
)

func (d *Desk) place(kind string, ns secret.NamespaceID, uid string, generation uint64) barrier.Context {
	return barrier.Context{Installation: d.cfg.Installation, Namespace: string(ns), UID: uid, Kind: kind, Generation: generation}
}

// sealChanges turns what an act wants changed into operations of the store.
func (d *Desk) sealChanges(o *opened, changes []record.Change) ([]store.Op, error) {
	ops := make([]store.Op, 0, len(changes)+20)
	for _, c := range changes {
		op := store.Op{Key: recordPrefix + c.Key, Delete: c.Delete, Check: c.Check}
		if c.Expect != nil {
			op.Expect = store.Expect(store.Revision(*c.Expect))
		}
		if !c.Delete && !c.Check {
			sealed, err := o.keys.Load().Seal(d.place(recordPlace, "", op.Key, 0), c.Value)
			if err != nil {
				return nil, err
			}
			op.Value = sealed
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// storeError gives an engine's error the house's sentinel.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrConflict):
		return err // retried by whoever set the expectation; never answered
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrStopped), errors.Is(err, store.ErrClosed):
		return errors.Join(secret.ErrUnavailable, err)
	case errors.Is(err, store.ErrCorrupt):
		return errors.Join(secret.ErrDamaged, err)
	case errors.Is(err, store.ErrUnknown), errors.Is(err, store.ErrBehind):
		return errors.Join(secret.ErrBusy, err)
	}
	return err
}

func isConflict(err error) bool { return errors.Is(err, store.ErrConflict) }
