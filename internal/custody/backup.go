package custody

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

const maxBackup = 8 << 20 // bytes of values in one backup

var (
	verbBackup  = verb{"backup", "backup", policy.Read}
	verbRestore = verb{"restore-backup", "restore", policy.Update}
)

// backup is what is sealed.
type backup struct {
	Path  string
	Head  []byte            // without its data key
	Bytes map[uint64][]byte // by number; destroyed versions have none
}

// Backup answers the secret with its history, sealed for this installation alone. It is for carrying one secret; a store
// is kept by snapshots.
func (d *Desk) Backup(ctx context.Context, c auth.Caller, ref secret.Ref) ([]byte, error) {
	t, sp, err := d.enter(ctx, c, ref, verbBackup)
	if err != nil {
		return nil, err
	}
	b, err := t.backup(ctx, sp, ref)
	return b, t.done(err)
}

// RestoreBackup makes the secret that a backup holds, in any Space, under its former path. It is a new secret, whose
// versions have the numbers, the times and the ids of the former. secret.ErrExists when there is one.
func (d *Desk) RestoreBackup(ctx context.Context, c auth.Caller, space secret.Ref, sealed []byte) (*secret.Head, secret.Path, error) {
	o := d.open.Load()
	if o == nil {
		return nil, secret.Path{}, secret.ErrSealed
	}
	b, head, err := o.view.openBackup(c.From().Namespace, sealed)
	ref := space.Latest()
	if err == nil {
		ref.Path, err = secret.ParsePath(b.Path)
	}
	t, sp, refused := d.enter(ctx, c, ref, verbRestore)
	if refused != nil {
		return nil, ref.Path, refused // who may not restore learns nothing of the backup
	}
	if err == nil {
		head, err = t.restoreBackup(ctx, sp, ref, b, head)
	}
	return head, ref.Path, t.done(err)
}

func (t *turn) backup(ctx context.Context, sp *secret.Space, ref secret.Ref) ([]byte, error) {
	e, err := t.standing(ctx, sp, ref)
	if err != nil {
		return nil, err
	}
	head := e.head.Clone()
	b := backup{Path: ref.Path.String(), Bytes: map[uint64][]byte{}}
	defer b.wipe()
	key, err := t.dataKey(sp, head)
	if err != nil {
		return nil, err
	}
	size := 0
	for i := range head.Versions {
		v := &head.Versions[i]
		if v.StateAt(t.d.now()) == secret.Destroyed {
			v.State = secret.Destroyed
			continue
		}
		sealed, err := t.d.sealed(ctx, sp.Namespace, e, v.Number)
		if err != nil {
			return nil, err
		}
		plain, err := key.Open(t.d.place(valuePlace, sp.Namespace, string(head.UID), v.Number), sealed)
		if err != nil {
			return nil, t.d.damage(valueKey(sp.Namespace, head.UID, v.Number), err)
		}
		b.Bytes[v.Number] = plain
		if size += len(plain); size > maxBackup || len(b.Bytes) > store.MaxOps/2 {
			return nil, fmt.Errorf("%w: a backup holds at most %d bytes of values and %d versions", secret.ErrTooLarge, maxBackup, store.MaxOps/2)
		}
	}
	t.event.What.UID, t.event.What.Version = string(head.UID), head.Max
	head.DataKey = nil
	b.Head = secret.AppendHead(nil, head)
	return t.o.view.sealBackup(sp.Namespace, &b)
}

func (b *backup) wipe() {
	for _, plain := range b.Bytes {
		clear(plain)
	}
}

// restoreBackup seals everything anew: the secret has another uid, to which its bytes are bound.
func (t *turn) restoreBackup(ctx context.Context, sp *secret.Space, ref secret.Ref, b *backup, head *secret.Head) (*secret.Head, error) {
	defer b.wipe()
	return t.alterOrMake(ctx, sp, ref, func(n *step) error {
		if !n.fresh {
			return fmt.Errorf("%s: %w", ref, secret.ErrExists)
		}
		uid := n.head.UID
		n.head = head.Clone()
		n.head.UID, n.head.Tombstone = uid, nil
		key, err := t.dataKey(sp, n.head)
		if err != nil {
			return err
		}
		for number, plain := range b.Bytes {
			sealed, err := key.Seal(t.d.place(valuePlace, sp.Namespace, string(uid), number), plain)
			if err != nil {
				return err
			}
			n.ops = append(n.ops, store.Op{Key: valueKey(sp.Namespace, uid, number), Value: sealed, Expect: store.Expect(0)})
		}
		n.prune(sp)
		return nil
	})
}

func (v *view) sealBackup(ns secret.NamespaceID, b *backup) ([]byte, error) {
	plain := record.Encode(b)
	defer clear(plain)
	return v.encloseAs(v.backupLabel(ns), plain)
}

func (v *view) openBackup(ns secret.NamespaceID, sealed []byte) (*backup, *secret.Head, error) {
	plain, err := v.discloseAs(v.backupLabel(ns), sealed)
	if err != nil {
		return nil, nil, errForeignBackup
	}
	defer clear(plain)
	b := new(backup)
	if json.Unmarshal(plain, b) != nil {
		return nil, nil, errForeignBackup
	}
	head, err := secret.DecodeHead(b.Head)
	if err != nil {
		return nil, nil, errForeignBackup
	}
	return b, head, nil
}

var errForeignBackup = auth.Tell(secret.ErrInvalid, "this is no backup of this installation")

// backupLabel binds a backup to its installation and namespace, but to no epoch: it outlives a restored store.
func (v *view) backupLabel(ns secret.NamespaceID) string {
	return "secret backup\x00" + v.d.cfg.Installation + "\x00" + string(ns)
}
