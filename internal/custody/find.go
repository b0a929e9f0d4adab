package custody

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// space finds the Space a Ref names.
func (d *Desk) space(o *opened, ref secret.Ref) (*secret.Space, error) {
	sp, ok := o.table.Load().Space(ref.Namespace, ref.Space)
	if !ok {
		return nil, fmt.Errorf("no Space %q: %w", ref.Space, secret.ErrNotFound)
	}
	return sp, nil
}

// find answers what is known of the secret at path: from the cache, else from the store. nil means that no secret has
// this path.
func (d *Desk) find(ctx context.Context, o *opened, sp *secret.Space, path secret.Path) (*entry, error) {
	key := nameKey(sp, path)
	e, generation := d.cache.get(key)
	if e != nil {
		return e, nil
	}
	names, _, err := d.engine.Get(ctx, 0, key)
	if err != nil {
		return nil, storeError(err)
	}
	if names[0].Rev == 0 {
		return nil, nil
	}
	uid, err := d.openName(o, sp, names[0])
	if err != nil {
		return nil, err
	}
	if e, err = d.load(ctx, o, sp.Namespace, uid); err != nil || e == nil {
		return nil, err
	}
	e.nameRev = names[0].Rev
	d.cache.fill(key, e, generation)
	return e, nil
}

// load reads a head and the ciphertext of its latest version by uid.
func (d *Desk) load(ctx context.Context, o *opened, ns secret.NamespaceID, uid secret.UID) (*entry, error) {
	key := headKey(ns, uid)
	for {
		heads, at, err := d.engine.Get(ctx, 0, key)
		if err != nil {
			return nil, storeError(err)
		}
		if heads[0].Rev == 0 {
			return nil, nil
		}
		head, err := d.openHead(o, ns, uid, heads[0])
		if err != nil {
			return nil, err
		}
		e := &entry{head: head, headRev: heads[0].Rev}
		number := head.Current
		if v := head.Find(number); v == nil || v.State == secret.Destroyed {
			return e, nil
		}
		values, _, err := d.engine.Get(ctx, at, valueKey(ns, uid, number))
		if err != nil {
			return nil, storeError(err)
		}
		if values[0].Rev == 0 {
			// Pruned or destroyed since the head was read: read again, unless the head says it must be there.
			again, _, err := d.engine.Get(ctx, at, key)
			if err != nil {
				return nil, storeError(err)
			}
			if again[0].Rev == heads[0].Rev {
				return e, nil // the head opens, this version's bytes are missing; reading it names the damage
			}
			continue
		}
		e.number, e.sealed = number, values[0].Value
		return e, nil
	}
}

func (d *Desk) openName(o *opened, sp *secret.Space, e store.Entry) (secret.UID, error) {
	plain, err := o.keys.Load().Open(d.place(namePlace, sp.Namespace, e.Key, 0), e.Value)
	if err != nil {
		return "", d.damage(e.Key, err)
	}
	return secret.UID(plain), nil
}

func (d *Desk) openHead(o *opened, ns secret.NamespaceID, uid secret.UID, e store.Entry) (*secret.Head, error) {
	plain, err := o.keys.Load().Open(d.place(headPlace, ns, string(uid), 0), e.Value)
	if err != nil {
		return nil, d.damage(e.Key, err)
	}
	head, err := secret.DecodeHead(plain)
	if err != nil {
		return nil, d.damage(e.Key, err)
	}
	return head, nil
}

// sealed returns the ciphertext of one version, from the entry when it holds that one.
func (d *Desk) sealed(ctx context.Context, ns secret.NamespaceID, e *entry, number uint64) ([]byte, error) {
	if e.number == number && number != 0 {
		return e.sealed, nil
	}
	key := valueKey(ns, e.head.UID, number)
	values, _, err := d.engine.Get(ctx, 0, key)
	if err != nil {
		return nil, storeError(err)
	}
	if values[0].Rev == 0 {
		return nil, d.damage(key, secret.ErrNotFound)
	}
	return values[0].Value, nil
}

// unseal opens one version's bytes.
func (d *Desk) unseal(o *opened, ns secret.NamespaceID, head *secret.Head, number uint64, sealed []byte) (secret.Value, error) {
	uid := string(head.UID)
	key, err := o.keys.Load().OpenDataKey(d.place(dataKeyPlace, ns, uid, 0), head.DataKey)
	if err != nil {
		return secret.Value{}, d.damage(headKey(ns, head.UID), err)
	}
	plain, err := key.Open(d.place(valuePlace, ns, uid, number), sealed)
	if err != nil {
		return secret.Value{}, d.damage(valueKey(ns, head.UID, number), err)
	}
	return secret.NewValue(plain), nil
}

// reveal is unseal of the version whose ciphertext the entry holds.
func (d *Desk) reveal(o *opened, ns secret.NamespaceID, e *entry) (secret.Value, error) {
	ring := o.keys.Load()
	if k := e.kept.Load(); k != nil && k.ring == ring {
		plain, err := k.value.Open(d.place(valuePlace, ns, string(e.head.UID), e.number))
		if err != nil {
			return secret.Value{}, d.damage(valueKey(ns, e.head.UID, e.number), err)
		}
		return secret.NewValue(plain), nil
	}
	v, err := d.unseal(o, ns, e.head, e.number, e.sealed)
	if err == nil && e.uses.Load() >= keepAfter {
		if key, err := ring.OpenDataKey(d.place(dataKeyPlace, ns, string(e.head.UID), 0), e.head.DataKey); err == nil {
			if value, err := key.Keep(e.sealed); err == nil {
				d.cache.keep(e, &kept{*value, ring})
			}
		}
	}
	return v, err
}

// pick chooses the version a Ref names; without a selector that is the latest to the caller's dialect.
func (t *turn) pick(sp *secret.Space, head *secret.Head, ref secret.Ref) (*secret.Version, error) {
	var v *secret.Version
	switch {
	case ref.ID != "":
		v = head.ByID(ref.ID)
	case ref.Number != 0:
		v = head.Find(ref.Number)
	case ref.Label != "":
		v = head.Labelled(ref.Label)
	default:
		v = head.Latest(sp.Home, t.caller.From().Dialect)
	}
	if v == nil {
		return nil, fmt.Errorf("%s: no such version: %w", ref, secret.ErrNotFound)
	}
	return v, nil
}

// readable is nil when the version's bytes may be answered at now.
func readable(ref secret.Ref, head *secret.Head, v *secret.Version, now time.Time) error {
	if at := head.Settings.ExpiresAt; !at.IsZero() && !now.Before(at) {
		return fmt.Errorf("%s: %w", ref, secret.ErrExpired)
	}
	switch v.StateAt(now) {
	case secret.Disabled:
		return fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrDisabled)
	case secret.Deleted:
		return fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrDeleted)
	case secret.Destroyed:
		return fmt.Errorf("%s@%d: %w", ref, v.Number, secret.ErrDestroyed)
	}
	return nil
}

var lowerBase32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newUID is 48 bits of time and 80 random bits, so that secrets made together lie together on disk.
func newUID(now time.Time) secret.UID {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:])
	return secret.UID(lowerBase32.EncodeToString(b[:]))
}

// newEventID is newUID with nanoseconds, so that a node's records sort as they were made.
func newEventID(now time.Time) string {
	var b [18]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixNano()))
	_, _ = rand.Read(b[8:])
	return strings.ToLower(lowerBase32.EncodeToString(b[:]))
}
