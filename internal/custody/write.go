package custody

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Put is a new version.
type Put struct {
	Value       secret.Value
	Kind        secret.Kind
	ContentType string
	CAS         *uint64 // the version that must be the newest; 0: the secret must not exist
	Name        string  // the client's spelling, where the Path folds it
	NotBefore   time.Time
	Expires     time.Time
	AWSID       string
	AzureID     string
	Custom      []secret.Pair            // custom metadata of a secret that is made by this; one that is there keeps its own
	Facts       []secret.Pair            // of the version
	Disabled    bool                     // not to be read until it is enabled
	Existing    bool                     // only a version of a secret that is there: ErrNotFound makes none
	Stages      []string                 // labels that the version gets, each from whoever has it; nil is current. The first version is current too
	Once        bool                     // AWSID names this write: with the same bytes again it is answered as at first, with others it is ErrExists
	Fresh       bool                     // the secret must not be there: ErrExists
	Check       func(*secret.Head) error // asked of a secret that is there; nil: nothing. It may run again
	// Revise says what else the write changes of the secret, or refuses it. It must depend on nothing but its argument.
	Revise func(*secret.Head) (Configuration, error)
}

// Write adds a version and makes it current. It needs update where there is something to read, else create.
func (d *Desk) Write(ctx context.Context, c auth.Caller, ref secret.Ref, p Put) (Reading, error) {
	t, sp, err := d.enterWrite(ctx, c, ref, verbUpdate, verbCreate)
	if err != nil {
		return Reading{}, err
	}
	r, err := t.write(ctx, sp, ref, p)
	return r, t.done(err)
}

// Patch adds a version made from the current one. merge must depend on nothing but its argument; it may run again when
// somebody else wrote meanwhile.
func (d *Desk) Patch(ctx context.Context, c auth.Caller, ref secret.Ref, cas *uint64, merge func(secret.Value) (secret.Value, error)) (Reading, error) {
	t, sp, err := d.enter(ctx, c, ref, verbPatch)
	if err != nil {
		return Reading{}, err
	}
	r, err := t.patch(ctx, sp, ref, cas, merge)
	return r, t.done(err)
}

func (t *turn) patch(ctx context.Context, sp *secret.Space, ref secret.Ref, cas *uint64, merge func(secret.Value) (secret.Value, error)) (Reading, error) {
	for range attempts {
		old, err := t.read(ctx, sp, ref.Latest())
		if errors.Is(err, secret.ErrNotFound) {
			if folder := t.refuseFolder(ctx, sp, ref); folder != nil {
				return Reading{}, folder
			}
		}
		if err != nil {
			return old, err
		}
		if cas != nil && *cas != old.Head.Max {
			return Reading{}, fmt.Errorf("%s: %w", ref, secret.ErrConflict)
		}
		value, err := merge(old.Value)
		if err != nil {
			return Reading{}, err
		}
		r, err := t.write(ctx, sp, ref, Put{Value: value, Kind: old.Version.Kind, ContentType: old.Version.ContentType, CAS: &old.Head.Max})
		if err == nil || cas != nil || !errors.Is(err, secret.ErrConflict) {
			return r, err
		}
	}
	return Reading{}, fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

// enterWrite admits to verb `there` when the secret has something to read, else to verb `new`, as the vendor's
// existence check has it. Nothing is looked up for a caller that is refused anyway.
func (d *Desk) enterWrite(ctx context.Context, c auth.Caller, ref secret.Ref, there, fresh verb) (*turn, *secret.Space, error) {
	o := d.open.Load()
	if o == nil {
		return nil, nil, secret.ErrSealed
	}
	v := there
	if sp, err := d.space(o, ref); err == nil && c.Refusal() == nil {
		e, err := d.find(ctx, o, sp, ref.Path)
		switch {
		case err != nil:
			return nil, nil, err
		case e == nil, there.cap == policy.Update && there.folder == "data" && !hasReadable(e.head, d.now()):
			v = fresh
		}
	}
	return d.enter(ctx, c, ref, v)
}

func hasReadable(h *secret.Head, now time.Time) bool {
	v := h.Find(h.Current)
	return v != nil && v.StateAt(now) <= secret.Disabled
}

func (t *turn) write(ctx context.Context, sp *secret.Space, ref secret.Ref, p Put) (Reading, error) {
	if p.Value.Len() > secret.MaxValue {
		return Reading{}, fmt.Errorf("%w: value of %d bytes, at most %d are kept", secret.ErrTooLarge, p.Value.Len(), secret.MaxValue)
	}
	key := nameKey(sp, ref.Path)
	unlock := t.d.writers.lock(key)
	defer unlock()
	for range attempts {
		e, err := t.d.find(ctx, t.o, sp, ref.Path)
		if err != nil {
			return Reading{}, err
		}
		if e == nil {
			if err := t.refuseFolder(ctx, sp, ref); err != nil {
				return Reading{}, err
			}
			if p.Existing {
				return Reading{}, t.absent(ctx, sp, ref)
			}
			if err := t.unused(ctx, sp, ref); err != nil {
				return Reading{}, err
			}
			if err := t.representable(sp, ref.Path); err != nil {
				return Reading{}, err
			}
		}
		if e != nil {
			if p.Check != nil {
				if err := p.Check(e.head); err != nil {
					return Reading{}, err
				}
			}
			v, err := t.repeated(ctx, sp, ref, e, &p)
			if errors.Is(err, errRepeated) {
				t.event.What.UID, t.event.What.Version = string(e.head.UID), v.Number
				return Reading{Version: *v, Head: e.head}, nil
			}
			if err == nil && p.Fresh {
				err = fmt.Errorf("%s: %w", ref, secret.ErrExists)
			}
			if err != nil {
				return Reading{}, err
			}
		}
		n, err := t.next(sp, ref, e, p)
		if err != nil {
			return Reading{}, err
		}
		t.event.What.UID, t.event.What.Version = string(n.head.UID), n.version.Number
		rev, err := t.commit(ctx, n.ops)
		t.d.settle(key, e, n, rev, err)
		if err == nil {
			return Reading{Version: n.version, Head: n.head}, nil
		}
		if !isConflict(err) {
			return Reading{}, err
		}
	}
	return Reading{}, fmt.Errorf("%s: %w", ref, secret.ErrBusy)
}

// step is a head on its way to the store, with the operations that take it there.
type step struct {
	head    *secret.Head
	version secret.Version
	sealed  []byte
	ops     []store.Op
	fresh   bool // the secret is new
	same    bool // there is nothing to store
}

// next makes the version that follows e (nil: the first of a new secret).
func (t *turn) next(sp *secret.Space, ref secret.Ref, e *entry, p Put) (*step, error) {
	now := t.d.now().UTC()
	var head *secret.Head
	if e == nil {
		head = &secret.Head{UID: newUID(now), Name: p.Name, Created: now, Custom: p.Custom}
	} else {
		head = e.head.Clone()
	}
	if err := checkCAS(sp, ref, head, p.CAS); err != nil {
		return nil, err
	}
	key, err := t.dataKey(sp, head)
	if err != nil {
		return nil, err
	}
	head.Max++
	head.Updated = now
	v := secret.Version{
		Number: head.Max, Kind: p.Kind, ContentType: p.ContentType, Created: now, NotBefore: p.NotBefore, Expires: p.Expires,
		Writer: t.caller.Identity().ID, AWSID: p.AWSID, AzureID: p.AzureID, Facts: p.Facts,
	}
	if p.Disabled {
		v.State = secret.Disabled
	}
	if after := deleteAfter(sp, head); after > 0 {
		v.Deleted = now.Add(after)
	}
	head.Versions = append(head.Versions, v)
	stage(head, &head.Versions[len(head.Versions)-1], p.Stages)
	if p.Revise != nil {
		cfg, err := p.Revise(head)
		if err == nil {
			err = cfg.apply(head)
		}
		if err != nil {
			return nil, err
		}
	}
	n := &step{head: head, version: head.Versions[len(head.Versions)-1]}
	if n.sealed, err = key.SealValue(t.d.place(valuePlace, sp.Namespace, string(head.UID), v.Number), p.Value); err != nil {
		return nil, err
	}
	n.ops = append(n.ops, store.Op{Key: valueKey(sp.Namespace, head.UID, v.Number), Value: n.sealed, Expect: store.Expect(0)})
	n.prune(sp)
	return n, t.finish(sp, ref.Path, e, n)
}

// stage labels a new version.
func stage(head *secret.Head, v *secret.Version, labels []string) {
	if labels == nil || head.Current == 0 {
		head.Move(secret.LabelCurrent, v)
	}
	for _, l := range labels {
		head.Move(l, v)
	}
}

// finish adds the operations that every change of a head has: the head itself, and the name of a new secret.
func (t *turn) finish(sp *secret.Space, path secret.Path, e *entry, n *step) error {
	keys := t.o.keys.Load()
	if term, ok := keys.SealedUnder(n.head.DataKey); ok && term != keys.Active() {
		// A rotation reaches a secret lazily, when it is written anyway.
		place := t.d.place(dataKeyPlace, sp.Namespace, string(n.head.UID), 0)
		if wrapped, changed, err := keys.Rewrap(place, n.head.DataKey); err == nil && changed {
			n.head.DataKey = wrapped
		}
	}
	sealed, err := keys.Seal(t.d.place(headPlace, sp.Namespace, string(n.head.UID), 0), secret.AppendHead(nil, n.head))
	if err != nil {
		return err
	}
	t.event.Cipher = hash(sealed)
	var old *secret.Head
	if e != nil {
		old = e.head
	}
	due, err := t.dueOps(sp, path, old, n.head)
	if err != nil {
		return err
	}
	n.ops = append(n.ops, due...)
	op := store.Op{Key: headKey(sp.Namespace, n.head.UID), Value: sealed, Expect: store.Expect(0)}
	if e != nil {
		op.Expect = store.Expect(e.headRev)
	}
	n.ops = append(n.ops, op)
	name := nameKey(sp, path)
	if e != nil {
		// The name must still lead here: a move or a removal meanwhile loses no write.
		n.ops = append(n.ops, store.Op{Key: name, Check: true, Expect: store.Expect(e.nameRev)})
		return nil
	}
	uid, err := keys.Seal(t.d.place(namePlace, sp.Namespace, name, 0), []byte(n.head.UID))
	if err != nil {
		return err
	}
	n.ops = append(n.ops,
		store.Op{Key: name, Value: uid, Expect: store.Expect(0)},
		store.Op{Key: spacePrefix(tombPrefix, sp) + path.String(), Check: true, Expect: store.Expect(0)})
	return nil
}

// settle brings the cache up to date with a commit: what was written is installed, any other outcome drops what was
// known. The writer still holds the secret's stripe, and a reader's fill from before the commit is refused.
func (d *Desk) settle(key string, e *entry, n *step, rev store.Revision, err error) {
	generation := d.cache.drop(key)
	if err != nil || n.head == nil {
		return
	}
	fresh := &entry{head: n.head, headRev: rev, nameRev: rev}
	if e != nil {
		fresh.nameRev, fresh.number, fresh.sealed = e.nameRev, e.number, e.sealed
	}
	if n.sealed != nil {
		fresh.number, fresh.sealed = n.version.Number, n.sealed
	}
	if v := n.head.Find(fresh.number); v == nil || v.State == secret.Destroyed {
		fresh.number, fresh.sealed = 0, nil
	}
	d.cache.fill(key, fresh, generation)
}

// prune drops the oldest versions over the limit; one that holds a stage label stays.
func (n *step) prune(sp *secret.Space) {
	keep := int(min(cmp.Or(n.head.Settings.MaxVersions, sp.Settings.MaxVersions, secret.DefaultMaxVersions), secret.MostVersions))
	if !sp.Versioned {
		keep = 1
	}
	over := len(n.head.Versions) - keep
	if over <= 0 {
		return
	}
	kept := n.head.Versions[:0:0]
	for i, v := range n.head.Versions {
		if i < over && !protected(sp, &v) && v.Number != n.head.Current && len(n.ops) < store.MaxOps/2 {
			if v.State != secret.Destroyed {
				n.ops = append(n.ops, store.Op{Key: valueKey(sp.Namespace, n.head.UID, v.Number), Delete: true})
			}
			continue
		}
		kept = append(kept, v)
	}
	n.head.Versions = kept
}

// protected says that a stage label keeps the version. Vault's clients cannot see the label "previous", so on a Space
// of theirs it keeps nothing.
func protected(sp *secret.Space, v *secret.Version) bool {
	for _, label := range v.Labels {
		if sp.Versioned && (label != secret.LabelPrevious || sp.Home != secret.Vault) {
			return true
		}
	}
	return false
}

func (t *turn) dataKey(sp *secret.Space, head *secret.Head) (*barrier.DataKey, error) {
	place := t.d.place(dataKeyPlace, sp.Namespace, string(head.UID), 0)
	keys := t.o.keys.Load()
	if len(head.DataKey) == 0 {
		key, wrapped, err := keys.NewDataKey(place)
		head.DataKey = wrapped
		return key, err
	}
	key, err := keys.OpenDataKey(place, head.DataKey)
	if err != nil {
		return nil, t.d.damage(headKey(sp.Namespace, head.UID), err)
	}
	return key, nil
}

func checkCAS(sp *secret.Space, ref secret.Ref, head *secret.Head, cas *uint64) error {
	if cas == nil {
		if sp.Versioned && (sp.Settings.CASRequired || head.Settings.CASRequired) {
			return fmt.Errorf("%w: check-and-set parameter required for this call", secret.ErrInvalid)
		}
		return nil
	}
	if *cas != head.Max {
		return fmt.Errorf("%s: %w", ref, secret.ErrConflict)
	}
	return nil
}

func deleteAfter(sp *secret.Space, head *secret.Head) time.Duration {
	a, b := sp.Settings.DeleteAfter, head.Settings.DeleteAfter
	if a > 0 && b > 0 {
		return min(a, b)
	}
	return max(a, b)
}
