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

// lastRead adds to each item the day on which it was last read, where that is known.
func (t *turn) lastRead(ctx context.Context, sp *secret.Space, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	keys := make([]string, len(items))
	for i, item := range items {
		keys[i] = seenKey(sp, item.Head.UID)
	}
	records, err := t.o.view.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, r := range records {
		if len(r.Value) == 8 {
			items[i].Seen = time.Unix(int64(binary.BigEndian.Uint64(r.Value))*86400, 0).UTC()
		}
	}
	return nil
}
