package custody

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// duePrefix holds one record for each secret and time at which the house has to do something with it by itself: destroy
// a version whose delay is over, take away a secret that has expired, or whose time in the trash is over. The time stands first in the key, 12 hexadecimal
// digits of seconds, so that what is due is a range; a record too many does nothing.
const duePrefix = "job/due/"

// dueAtOnce bounds a round, so that the other jobs have their turn.
const dueAtOnce = 100

type dueJob struct {
	Namespace secret.NamespaceID
	Space     secret.SpaceID
	Path      string
	UID       secret.UID
}

func dueKey(at time.Time, j dueJob) string {
	return fmt.Sprintf("%s%012x/%s/%s", duePrefix, max(at.Unix(), 0), j.Namespace, j.UID)
}

// dues are the times at which something has to be done with a secret of sp.
func dues(sp *secret.Space, h *secret.Head) []time.Time {
	var at []time.Time
	if e := h.Settings.ExpiresAt; !e.IsZero() && leavesAtExpiry(sp) {
		at = append(at, e)
	}
	if h.Tombstone != nil {
		at = append(at, h.Tombstone.PurgeAt)
	}
	for i := range h.Versions {
		if v := &h.Versions[i]; v.State != secret.Destroyed && !v.Destroyed.IsZero() {
			at = append(at, v.Destroyed)
		}
	}
	return at
}

// leavesAtExpiry says that a secret of this Space is taken away when it expires, as Google's are. In the other homes it
// stays, and cannot be read.
func leavesAtExpiry(sp *secret.Space) bool { return sp.Home == secret.GCP }

// dueOps are the records for the times of head that old (nil: a new secret) did not have.
func (t *turn) dueOps(sp *secret.Space, path secret.Path, old, head *secret.Head) ([]store.Op, error) {
	known := map[time.Time]bool{}
	if old != nil {
		for _, at := range dues(sp, old) {
			known[at] = true
		}
	}
	var changes []record.Change
	for _, at := range dues(sp, head) {
		if !known[at] && len(changes) < store.MaxOps/4 {
			known[at] = true
			j := dueJob{sp.Namespace, sp.ID, path.String(), head.UID}
			changes = append(changes, record.Change{Key: dueKey(at, j), Value: record.Encode(j)})
		}
	}
	return t.d.sealChanges(t.o, changes)
}

// runDue does what is due. What fails is left for the next round.
func (d *Desk) runDue(ctx context.Context, o *opened) error {
	keys, err := o.view.List(ctx, record.Query{Prefix: duePrefix, Limit: dueAtOnce})
	if err != nil {
		return err
	}
	now := d.now()
	var failed error
	for _, key := range keys {
		seconds, _, _ := strings.Cut(key[len(duePrefix):], "/")
		at, err := strconv.ParseInt(seconds, 16, 64)
		if err == nil && now.Unix() < at+1 {
			break // the times of what is left lie ahead; the second that the key names has to be over
		}
		failed = errors.Join(failed, d.due(ctx, o, key))
	}
	if failed == nil && len(keys) == dueAtOnce && ctx.Err() == nil {
		d.wakeJobs() // there may be more: after the other jobs
	}
	return failed
}

// due does what one record stands for, and removes it.
func (d *Desk) due(ctx context.Context, o *opened, key string) error {
	r, err := record.Get1(ctx, o.view, key)
	if err != nil || !r.Found() {
		return err
	}
	var j dueJob
	if err := json.Unmarshal(r.Value, &j); err != nil {
		return d.damage(key, err)
	}
	spaces := o.table.Load().Spaces(j.Namespace)
	if i := slices.IndexFunc(spaces, func(sp *secret.Space) bool { return sp.ID == j.Space }); i >= 0 {
		sp := spaces[i]
		path, err := secret.ParsePath(j.Path)
		if err != nil {
			return d.damage(key, err)
		}
		if err := d.settleDue(ctx, o, sp, secret.Ref{Namespace: j.Namespace, Space: sp.Name, Path: path}, j.UID); err != nil {
			return err
		}
	}
	_, err = d.engine.Apply(ctx, []store.Op{{Key: recordPrefix + key, Delete: true}})
	return storeError(err)
}

// settleDue takes an expired secret away, or destroys the versions whose time has come. It is the house's own act, and
// recorded as such. A secret that has moved left another record behind; one that is gone needs nothing.
func (d *Desk) settleDue(ctx context.Context, o *opened, sp *secret.Space, ref secret.Ref, uid secret.UID) error {
	e, err := d.find(ctx, o, sp, ref.Path)
	if err != nil {
		return err
	}
	now := d.now()
	self := o.self.In(ref.Namespace)
	switch {
	case e == nil:
		return d.purgeDue(ctx, self, ref, uid)
	case e.head.UID != uid:
		return nil
	}
	if at := e.head.Settings.ExpiresAt; leavesAtExpiry(sp) && !at.IsZero() && !now.Before(at) {
		t, sp, err := d.enter(ctx, self, ref, verb{"expire", verbRemove.folder, verbRemove.cap})
		if err != nil {
			return err
		}
		err = t.remove(ctx, sp, ref, func(e *entry) error {
			if e == nil || e.head.UID != uid || !e.head.Settings.ExpiresAt.Equal(at) {
				return errGone
			}
			return nil
		})
		return t.done(ignore(err, errGone))
	}
	if !destroysBy(e.head, now) {
		return nil
	}
	t, sp, err := d.enter(ctx, self, ref, verb{"destroy-due", verbDestroy.folder, verbDestroy.cap})
	if err != nil {
		return err
	}
	_, err = t.alter(ctx, sp, ref, func(n *step) error {
		n.same = n.head.UID != uid || !destroysBy(n.head, now)
		for i := range n.head.Versions {
			v := &n.head.Versions[i]
			if !n.same && v.State != secret.Destroyed && !v.Destroyed.IsZero() && !now.Before(v.Destroyed) && len(n.ops) < store.MaxOps/2 {
				v.State, v.Changed = secret.Destroyed, now.UTC()
				n.ops = append(n.ops, store.Op{Key: valueKey(sp.Namespace, n.head.UID, v.Number), Delete: true})
			}
		}
		return nil
	})
	return t.done(ignore(err, secret.ErrNotFound))
}

func destroysBy(h *secret.Head, now time.Time) bool {
	for i := range h.Versions {
		if v := &h.Versions[i]; v.State != secret.Destroyed && v.StateAt(now) == secret.Destroyed {
			return true
		}
	}
	return false
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}
