package custody

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Remove takes away a secret with all its versions and everything known of it. From the commit on its path reads as
// never used; the bytes of many versions are erased by a job that goes on where it was interrupted.
func (d *Desk) Remove(ctx context.Context, c auth.Caller, ref secret.Ref) error {
	t, sp, err := d.enter(ctx, c, ref, verbRemove)
	if err != nil {
		return err
	}
	return t.done(t.remove(ctx, sp, ref, nil))
}

// erasePrefix holds one record per removed secret whose versions are not all gone: its value keys' prefix.
const erasePrefix = "job/erase/"

// eraseAtOnce is how many versions one commit removes together with the head.
const eraseAtOnce = 64

// remove takes a secret away. check is asked before, with nil when there is none.
func (t *turn) remove(ctx context.Context, sp *secret.Space, ref secret.Ref, check func(*entry) error) error {
	key := nameKey(sp, ref.Path)
	unlock := t.d.writers.lock(key)
	defer unlock()
	for range attempts {
		e, err := t.d.find(ctx, t.o, sp, ref.Path)
		if err == nil && check != nil {
			err = check(e)
		}
		if err != nil || e == nil {
			return err // the vendor answers removal of what is not there like removal
		}
		t.event.What.UID = string(e.head.UID)
		ops, job, err := t.removal(sp, e)
		if err != nil {
			return err
		}
		ops = append(ops, store.Op{Key: key, Delete: true, Expect: store.Expect(e.nameRev)})
		_, err = t.commit(ctx, ops)
		t.d.cache.drop(key)
		if isConflict(err) {
			continue
		}
		if err == nil && job {
			t.d.wakeJobs()
		}
		if err == nil {
			t.detached(ctx, sp, e.head.UID)
		}
		return err
	}
	return fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

// removal is what takes a head and its versions away, and whether a job must erase the rest.
func (t *turn) removal(sp *secret.Space, e *entry) (ops []store.Op, job bool, err error) {
	ns, uid := sp.Namespace, e.head.UID
	ops = []store.Op{{Key: headKey(ns, uid), Delete: true, Expect: store.Expect(e.headRev)}, {Key: recordPrefix + seenKey(sp, uid), Delete: true}}
	ops = append(ops, detachOps(sp, uid)...) // a secret made at the path again is another one: who was let in to this is not let in to that
	if len(e.head.Versions) > eraseAtOnce {
		more, err := t.d.sealChanges(t.o, []record.Change{{Key: erasePrefix + string(uid), Value: record.Encode(eraseJob{ns, uid})}})
		return append(ops, more...), true, err
	}
	for _, v := range e.head.Versions {
		if v.State != secret.Destroyed {
			ops = append(ops, store.Op{Key: valueKey(ns, uid, v.Number), Delete: true})
		}
	}
	return ops, false, nil
}

type eraseJob struct {
	Namespace secret.NamespaceID
	UID       secret.UID
}

// runErase deletes the version keys of removed secrets in bounded commits. The job's record goes last, so a crash
// leaves it to be run again; deleting what is gone is no error.
func (d *Desk) runErase(ctx context.Context, o *opened) error {
	keys, err := o.view.List(ctx, record.Query{Prefix: erasePrefix, Limit: 100})
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, key := range keys {
		r, err := record.Get1(ctx, o.view, key)
		if err != nil || !r.Found() {
			return err
		}
		var j eraseJob
		if err := json.Unmarshal(r.Value, &j); err != nil {
			return d.damage(key, err)
		}
		if err := d.erase(ctx, valuePrefix+string(j.Namespace)+"/"+string(j.UID)+"/"); err != nil {
			return err
		}
		if _, err := d.engine.Apply(ctx, []store.Op{{Key: recordPrefix + key, Delete: true}}); err != nil {
			return storeError(err)
		}
	}
	return nil
}

// erase deletes every key below a prefix.
func (d *Desk) erase(ctx context.Context, prefix string) error {
	for {
		entries, _, err := d.engine.List(ctx, store.Query{Prefix: prefix, Limit: store.MaxOps, KeysOnly: true})
		if err != nil {
			return storeError(err)
		}
		if len(entries) == 0 {
			return nil
		}
		ops := make([]store.Op, len(entries))
		for i, e := range entries {
			ops[i] = store.Op{Key: e.Key, Delete: true}
		}
		if _, err := d.engine.Apply(ctx, ops); err != nil {
			return storeError(err)
		}
	}
}

// runPurge empties Spaces that were dropped. Names are walked, heads and versions deleted, then the name; the job's
// record goes last.
func (d *Desk) runPurge(ctx context.Context, o *opened, prefix string) error {
	keys, err := o.view.List(ctx, record.Query{Prefix: prefix, Limit: 100})
	if err != nil {
		return err
	}
	for _, key := range keys {
		var sp secret.Space
		if _, err := record.Load(ctx, o.view, key, &sp); err != nil {
			return err
		}
		for _, kind := range []string{namePrefix, tombPrefix} {
			if err := d.purgeNames(ctx, o, &sp, spacePrefix(kind, &sp)); err != nil {
				return err
			}
		}
		if _, err := d.engine.Apply(ctx, []store.Op{{Key: recordPrefix + key, Delete: true}}); err != nil {
			return storeError(err)
		}
	}
	return nil
}

func (d *Desk) purgeNames(ctx context.Context, o *opened, sp *secret.Space, prefix string) error {
	for {
		names, _, err := d.engine.List(ctx, store.Query{Prefix: prefix, Limit: store.MaxOps / 5}) // a secret is its name, its head, and what is attached to it
		if err != nil {
			return storeError(err)
		}
		if len(names) == 0 {
			return nil
		}
		var ops []store.Op
		for _, e := range names {
			uid, err := d.openName(o, sp, e)
			if err == nil { // a damaged name is removed as well; its head is left for verify to report
				if err := d.erase(ctx, valuePrefix+string(sp.Namespace)+"/"+string(uid)+"/"); err != nil {
					return err
				}
				ops = append(append(ops, store.Op{Key: headKey(sp.Namespace, uid), Delete: true}), detachOps(sp, uid)...)
			}
			ops = append(ops, store.Op{Key: e.Key, Delete: true})
			d.cache.drop(strings.Replace(e.Key, tombPrefix, namePrefix, 1))
		}
		if _, err := d.engine.Apply(ctx, ops); err != nil {
			return storeError(err)
		}
	}
}
