package custody

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// sweepGroups are the keys whose values terms seal. Versions are sealed by data keys, which stand in the heads. A
// group that is added to keys.go and not here keeps older terms from being retired: see foreign.
var sweepGroups = [...]string{headPrefix, namePrefix, tombPrefix, recordPrefix}

// sweepPage is how many records one commit seals anew.
const sweepPage = 64

// runRotation continues a rotation, or begins one that is due. It ends when ctx does; the next call goes on.
func (d *Desk) runRotation(ctx context.Context, o *opened) error {
	if err := d.dropPurposes(ctx, o); err != nil {
		return err
	}
	for ctx.Err() == nil {
		job, r, err := d.rotateJob(ctx, o)
		switch {
		case err != nil:
			return err
		case job == nil:
			return d.rotateIfDue(ctx, o)
		case job.Activated.IsZero():
			err = d.byHouse(ctx, o, "rotate.resume", d.activate)
		case d.now().Before(job.NotBefore):
			return nil
		case job.Ready:
			return d.byHouse(ctx, o, "rotate.retire", func(ctx context.Context, t *turn) error { return d.retire(ctx, t, job) })
		default:
			err = d.sweep(ctx, o, job, r)
		}
		if err != nil && !isConflict(err) {
			return err
		}
	}
	return nil
}

// byHouse runs a change of keys that nobody asked for now.
func (d *Desk) byHouse(ctx context.Context, o *opened, action string, act func(context.Context, *turn) error) error {
	t := d.unasked(o.self, record.Need{Action: action, Resource: "sys/rotate", Capability: policy.Update})
	if t.o != o {
		return secret.ErrSealed
	}
	leave, err := d.lockKeys(ctx, t)
	if err != nil {
		return err
	}
	defer leave()
	return act(ctx, t)
}

func (d *Desk) rotateIfDue(ctx context.Context, o *opened) error {
	cfg, err := d.rotateConfig(ctx, o.view)
	if err != nil || !cfg.Enabled {
		return err
	}
	s, err := d.keyStatus(ctx, o)
	if err != nil {
		return err
	}
	old := cfg.Interval > 0 && d.now().Sub(s.Installed) >= cfg.Interval
	if !old && s.Seals < uint64(cfg.MaxOperations) {
		return nil
	}
	return d.byHouse(ctx, o, "rotate", d.rotate)
}

// dropPurposes forgets keys of sealed tokens when no token under them can live any more.
func (d *Desk) dropPurposes(ctx context.Context, o *opened) error {
	keys := o.keys.Load()
	generations := keys.Generations(barrier.PurposeSealedToken)
	if len(generations) < 2 {
		return nil
	}
	longest := d.cfg.MaxTTL
	if longest == 0 {
		longest = 768 * time.Hour
	}
	next, ok := keys.PurposeAt(barrier.PurposeSealedToken, generations[1])
	clear(next.Key[:])
	if !ok || d.now().Sub(next.Created) < longest+time.Hour {
		return nil
	}
	return d.byHouse(ctx, o, "rotate.purpose.drop", func(ctx context.Context, t *turn) error {
		return d.changeKeyring(ctx, t, func(k *barrier.Keyring) (*barrier.Keyring, error) {
			return k.DropPurpose(barrier.PurposeSealedToken, generations[0])
		}, nil)
	})
}

// sweep seals one page anew and moves the cursor, in one commit.
func (d *Desk) sweep(ctx context.Context, o *opened, job *rotateJob, r record.Record) error {
	if job.Began.IsZero() {
		job.Began = d.now().UTC()
	}
	if job.Group >= len(sweepGroups) {
		return d.endPass(ctx, o, job, r)
	}
	prefix := sweepGroups[job.Group]
	entries, _, err := d.engine.List(ctx, store.Query{Prefix: prefix, After: job.Cursor, Limit: sweepPage})
	if err != nil {
		return storeError(err)
	}
	if len(entries) == 0 {
		job.Group, job.Cursor = job.Group+1, ""
		return d.keepJob(ctx, o, r, job)
	}
	t := d.unasked(o.self, record.Need{Action: "rewrap", Resource: "sys/rotate", Capability: policy.Update})
	t.o = o
	var ops []store.Op
	for _, e := range entries {
		if e.Key == recordPrefix+rotateJobKey {
			continue // it is sealed anew by every step
		}
		value, changed, err := d.rewrap(o.keys.Load(), e)
		if err != nil {
			job.Stuck++
			_ = d.damage(e.Key, err) // counted; the term that it may need is kept
			continue
		}
		if changed {
			ops = append(ops, store.Op{Key: e.Key, Value: value, Expect: store.Expect(e.Rev)})
			if prefix == headPrefix {
				t.link(e.Key, hash(value)) // so that a head can be compared with the log
			}
		}
	}
	job.Cursor = entries[len(entries)-1].Key
	if len(ops) == 0 {
		return d.keepJob(ctx, o, r, job)
	}
	return d.movePage(ctx, t, r, job, ops)
}

// movePage commits a page. When somebody wrote one of its records meanwhile, the rest is committed one by one: a
// user's write always wins, and what lost is looked at again in the next pass.
func (d *Desk) movePage(ctx context.Context, t *turn, r record.Record, job *rotateJob, ops []store.Op) error {
	n := uint64(len(ops))
	job.Moved, job.Total = job.Moved+n, job.Total+n
	step, err := d.sealChanges(t.o, []record.Change{r.Put(record.Encode(job))})
	if err != nil {
		return err
	}
	t.event.Cipher = hashOps(ops)
	_, err = t.commit(ctx, append(ops[:n:n], step...))
	if isConflict(err) {
		for _, op := range ops {
			one := d.unasked(t.caller, record.Need{Action: "rewrap", Resource: "sys/rotate", Capability: policy.Update})
			one.event.Cipher = hash(op.Value)
			one.link(op.Key, one.event.Cipher)
			if _, err := one.commit(ctx, []store.Op{op}); err != nil && !isConflict(err) {
				return err
			}
		}
		err = d.keepJob(ctx, t.o, r, job)
	}
	for _, op := range ops {
		if key, ok := strings.CutPrefix(op.Key, recordPrefix); ok {
			t.o.authority.Forget(key)
		}
	}
	return err
}

func (d *Desk) keepJob(ctx context.Context, o *opened, r record.Record, job *rotateJob) error {
	err := d.apply(ctx, o, []record.Change{r.Put(record.Encode(job))})
	return err
}

// endPass decides what follows a pass: another one, or the end of the older terms.
func (d *Desk) endPass(ctx context.Context, o *opened, job *rotateJob, r record.Record) error {
	settled := job.Activated.Add(retireGrace)
	next := &rotateJob{Term: job.Term, Activated: job.Activated, Total: job.Total}
	switch {
	case job.Stuck > 0 && job.Moved == 0:
		return d.giveUp(ctx, o, r, fmt.Sprintf("%d records do not open", job.Stuck))
	case job.Moved > 0:
		// Go round again at once.
	case job.Began.Before(settled):
		next.NotBefore = settled
	default:
		foreign, err := d.foreign(ctx, o)
		if err != nil {
			return err
		}
		if foreign != "" {
			return d.giveUp(ctx, o, r, foreign+" is sealed under an older term")
		}
		next.Ready, next.NotBefore = true, d.now().UTC().Add(retireRest)
		d.cache.clear() // heads as they were before hold data keys wrapped under older terms
	}
	return d.keepJob(ctx, o, r, next)
}

// giveUp ends a rotation whose older terms must stay, and records why.
func (d *Desk) giveUp(ctx context.Context, o *opened, r record.Record, why string) error {
	t := d.unasked(o.self, record.Need{Action: "rotate.keep-terms", Resource: "sys/rotate", Capability: policy.Update})
	t.o = o
	t.link("reason", why)
	return t.change(ctx, []record.Change{r.Remove()})
}

// foreign names a key outside the swept groups that a term other than the active one sealed; "" when there is none.
func (d *Desk) foreign(ctx context.Context, o *opened) (string, error) {
	groups, _, err := d.engine.List(ctx, store.Query{OneLevel: true, KeysOnly: true})
	if err != nil {
		return "", storeError(err)
	}
	keys := o.keys.Load()
	for _, g := range groups {
		if g.Key == valuePrefix || g.Key == outPrefix || swept(g.Key) {
			continue
		}
		after := ""
		for {
			entries, _, err := d.engine.List(ctx, store.Query{Prefix: g.Key, After: after, Limit: 1000})
			if err != nil {
				return "", storeError(err)
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				if e.Key == sealKey || e.Key == keyringKey {
					continue
				}
				if term, ok := keys.SealedUnder(e.Value); ok && term != keys.Active() {
					return e.Key, nil
				}
			}
			after = entries[len(entries)-1].Key
		}
	}
	return "", nil
}

func swept(prefix string) bool {
	for _, g := range sweepGroups {
		if g == prefix {
			return true
		}
	}
	return false
}

// retire drops the keys of all older terms and ends the job, in one commit.
func (d *Desk) retire(ctx context.Context, t *turn, job *rotateJob) error {
	return d.changeKeyring(ctx, t, func(k *barrier.Keyring) (*barrier.Keyring, error) {
		if k.Active() != job.Term {
			return nil, fmt.Errorf("term %d is active, the job is about %d", k.Active(), job.Term)
		}
		for _, term := range k.Terms() {
			if term.State != barrier.Superseded {
				continue
			}
			next, err := k.Retire(term.ID)
			if err != nil {
				return nil, err
			}
			t.link("retired", fmt.Sprint(term.ID))
			k = next
		}
		return k, nil
	}, []record.Change{{Key: rotateJobKey, Delete: true}})
}

// rewrap seals one entry under the active term; changed is false where it is already.
func (d *Desk) rewrap(keys *barrier.Keyring, e store.Entry) (value []byte, changed bool, err error) {
	group, rest, _ := strings.Cut(e.Key, "/")
	switch group + "/" {
	case recordPrefix:
		return d.reseal(keys, d.place(recordPlace, "", e.Key, 0), e.Value)
	case namePrefix, tombPrefix:
		ns, _, _ := strings.Cut(rest, "/")
		return d.reseal(keys, d.place(namePlace, secret.NamespaceID(ns), e.Key, 0), e.Value)
	}
	ns, uid, _ := strings.Cut(rest, "/")
	return d.rewrapHead(keys, secret.NamespaceID(ns), secret.UID(uid), e.Value)
}

// reseal looks at the term first: most records of a later pass are sealed under the active one, and need no opening.
func (d *Desk) reseal(keys *barrier.Keyring, place barrier.Context, sealed []byte) ([]byte, bool, error) {
	if term, ok := keys.SealedUnder(sealed); ok && term == keys.Active() {
		return sealed, false, nil
	}
	return keys.Reseal(place, sealed)
}

// rewrapHead also wraps the data key inside anew, which can be of an older term than the head around it.
func (d *Desk) rewrapHead(keys *barrier.Keyring, ns secret.NamespaceID, uid secret.UID, sealed []byte) ([]byte, bool, error) {
	place := d.place(headPlace, ns, string(uid), 0)
	plain, err := keys.Open(place, sealed)
	if err != nil {
		return nil, false, err
	}
	head, err := secret.DecodeHead(plain)
	if err != nil {
		return nil, false, err
	}
	changed := false
	if len(head.DataKey) > 0 {
		if head.DataKey, changed, err = keys.Rewrap(d.place(dataKeyPlace, ns, string(uid), 0), head.DataKey); err != nil {
			return nil, false, err
		}
	}
	if term, ok := keys.SealedUnder(sealed); !changed && ok && term == keys.Active() {
		return sealed, false, nil
	}
	out, err := keys.Seal(place, secret.AppendHead(nil, head))
	return out, err == nil, err
}
