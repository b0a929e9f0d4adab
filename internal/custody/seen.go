package custody

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// seenPrefix holds for each secret the day on which it was last read, where a dialect asks for that. It is a record of its
// own, because a read must not change a head; days are coalesced, so a secret costs one commit a day however often it is read.
const seenPrefix = "seen/"

func seenKey(sp *secret.Space, uid secret.UID) string {
	return seenPrefix + string(sp.Namespace) + "/" + string(uid)
}

// maxSeen bounds the secrets of which this process remembers that today is noted.
const maxSeen = 1 << 16

// ReadNoted is Read that also notes the day.
func (d *Desk) ReadNoted(ctx context.Context, c auth.Caller, ref secret.Ref) (Reading, error) {
	r, err := d.Read(ctx, c, ref)
	if err != nil {
		return r, err
	}
	return r, d.note(ctx, ref, r.Head.UID)
}

func (d *Desk) note(ctx context.Context, ref secret.Ref, uid secret.UID) error {
	o := d.open.Load()
	if o == nil {
		return secret.ErrSealed
	}
	sp, err := d.space(o, ref)
	if err != nil {
		return err
	}
	key, today := seenKey(sp, uid), d.now().Unix()/86400
	if !o.seen.first(key, today) {
		return nil
	}
	err = d.apply(ctx, o, []record.Change{{Key: key, Value: binary.BigEndian.AppendUint64(nil, uint64(today))}})
	if err != nil {
		o.seen.forget(key)
	}
	return err
}

// LastRead answers for each head the day on which it was last read; the zero time where that is not known. It is asked with
// what a listing or a description already let the caller see.
func (d *Desk) LastRead(ctx context.Context, ns secret.NamespaceID, heads ...*secret.Head) ([]time.Time, error) {
	o := d.open.Load()
	if o == nil {
		return nil, secret.ErrSealed
	}
	keys := make([]string, len(heads))
	for i, h := range heads {
		keys[i] = seenPrefix + string(ns) + "/" + string(h.UID)
	}
	days := make([]time.Time, len(heads))
	if len(keys) == 0 {
		return days, nil
	}
	records, err := o.view.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, r := range records {
		if len(r.Value) == 8 {
			days[i] = time.Unix(int64(binary.BigEndian.Uint64(r.Value))*86400, 0).UTC()
		}
	}
	return days, nil
}
