package custody

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// VerifyReport is what Verify found.
type VerifyReport struct {
	Names, Heads, Versions, Records uint64 // looked at
	Compared                        uint64 // heads that are what the audit log says was stored last
	Unrecorded                      uint64 // heads of before a restore, of which this log knows nothing
	Damage                          []Damage
	More                            uint64 // damaged records beyond those listed
}

// Damage is one record that is not what it should be. The rest of the store is not touched by it.
type Damage struct {
	Key  string // in the store, as docs/format.md has them
	What string
}

// maxDamage bounds the list of a report.
const maxDamage = 1000

// verifyPage is how many keys are read at once. Requests are served between two pages.
const verifyPage = 256

// Verify opens every record of the store and checks that what belongs together is there: that names lead to heads, that
// heads have the versions they count and versions a head, that version numbers and labels are possible, and that each
// head is the one that the audit log says was stored last. It tells progress by the number of keys: 0 when
// the caller was admitted, then now and then.
//
// Requests are served meanwhile. What changes while it looks is looked at again before it is called damaged.
func (d *Desk) Verify(ctx context.Context, c auth.Caller, progress func(done uint64)) (VerifyReport, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "verify", Resource: "keephold/verify", Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return VerifyReport{}, err
	}
	if err := t.done(nil); err != nil {
		return VerifyReport{}, err
	}
	if progress == nil {
		progress = func(uint64) {}
	}
	progress(0)
	v := &verifier{d: d, o: t.o, keys: t.o.keys.Load, progress: progress, unsettled: map[secret.UID]pending{}}
	for _, g := range []struct {
		prefix string
		count  *uint64
		check  checker
	}{
		{recordPrefix, &v.report.Records, v.record},
		{namePrefix, &v.report.Names, v.name},
		{tombPrefix, &v.report.Names, v.name},
		{headPrefix, &v.report.Heads, v.head},
		{valuePrefix, &v.report.Versions, v.value},
	} {
		if err := v.walk(ctx, g.prefix, g.count, g.check); err != nil {
			return v.report, err
		}
	}
	err = v.compare(ctx)
	return v.report, err
}

// checker answers what is wrong with an entry, or "".
type checker func(context.Context, store.Entry) (string, error)

type verifier struct {
	d         *Desk
	o         *opened
	keys      func() *barrier.Keyring
	progress  func(uint64)
	done      uint64
	report    VerifyReport
	unsettled map[secret.UID]pending // heads not found in the log yet
	last      *store.Entry           // head that value looked at last
	lastHead  *secret.Head
}

type pending struct {
	key    string
	cipher string // hash of what is stored
	seen   bool   // the log has a record of it with another hash
}

// walk checks all keys below a prefix.
func (v *verifier) walk(ctx context.Context, prefix string, count *uint64, check checker) error {
	after := ""
	for {
		entries, _, err := v.d.engine.List(ctx, store.Query{Prefix: prefix, After: after, Limit: verifyPage})
		if err != nil {
			return storeError(err)
		}
		for _, e := range entries {
			if err := v.look(ctx, e, check); err != nil {
				return err
			}
		}
		*count += uint64(len(entries))
		v.done += uint64(len(entries))
		v.progress(v.done)
		if len(entries) < verifyPage {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

func (v *verifier) look(ctx context.Context, e store.Entry, check checker) error {
	wrong, err := check(ctx, e)
	for wrong != "" && err == nil {
		now, _, failed := v.d.engine.Get(ctx, 0, e.Key)
		if failed != nil {
			return storeError(failed)
		}
		if now[0].Rev == 0 {
			return nil // removed meanwhile
		}
		again, failed := check(ctx, now[0])
		if v.d.open.Load() != v.o {
			return secret.ErrSealed // nothing opens any more
		}
		if now[0].Rev == e.Rev && again != "" {
			v.damaged(e.Key, again)
			return failed
		}
		e, wrong, err = now[0], again, failed
	}
	return err
}

func (v *verifier) damaged(key, what string) {
	if len(v.report.Damage) == maxDamage {
		v.report.More++
		return
	}
	v.d.damaged.Add(1)
	v.report.Damage = append(v.report.Damage, Damage{key, what})
}

const unopened = "does not open: it was changed, cut, moved or is sealed under a key that is gone"

func (v *verifier) record(_ context.Context, e store.Entry) (string, error) {
	if _, err := v.keys().Open(v.d.place(recordPlace, "", e.Key, 0), e.Value); err != nil {
		return unopened, nil //nolint:nilerr // what does not open is a finding, not a failure
	}
	return "", nil
}

func (v *verifier) name(ctx context.Context, e store.Entry) (string, error) {
	_, rest, _ := strings.Cut(e.Key, "/")
	ns, _, _ := strings.Cut(rest, "/")
	uid, err := v.keys().Open(v.d.place(namePlace, secret.NamespaceID(ns), e.Key, 0), e.Value)
	if err != nil {
		return unopened, nil //nolint:nilerr // what does not open is a finding, not a failure
	}
	heads, _, err := v.d.engine.Get(ctx, 0, headKey(secret.NamespaceID(ns), secret.UID(uid)))
	if err == nil && heads[0].Rev == 0 {
		return "leads to no secret", nil
	}
	return "", storeError(err)
}

func (v *verifier) head(ctx context.Context, e store.Entry) (string, error) {
	ns, uid, ok := cutPlace(e.Key, headPrefix)
	if !ok {
		return "is no key of a secret", nil
	}
	head, wrong := v.openHead(ns, uid, e)
	if wrong != "" {
		return wrong, nil
	}
	v.unsettled[uid] = pending{key: e.Key, cipher: hash(e.Value)}
	if wrong := coherent(head, uid); wrong != "" {
		return wrong, nil
	}
	if len(head.Versions) == 0 && len(head.DataKey) == 0 {
		return "", nil // settings of a path that was never written
	}
	if _, err := v.keys().OpenDataKey(v.d.place(dataKeyPlace, ns, string(uid), 0), head.DataKey); err != nil {
		return "its data key does not open", nil //nolint:nilerr // what does not open is a finding, not a failure
	}
	return v.present(ctx, ns, head)
}

func (v *verifier) openHead(ns secret.NamespaceID, uid secret.UID, e store.Entry) (*secret.Head, string) {
	plain, err := v.keys().Open(v.d.place(headPlace, ns, string(uid), 0), e.Value)
	if err != nil {
		return nil, unopened
	}
	head, err := secret.DecodeHead(plain)
	if err != nil {
		return nil, err.Error()
	}
	return head, ""
}

// coherent says what is impossible in a head, or "".
func coherent(h *secret.Head, uid secret.UID) string {
	labels := map[string]uint64{}
	last := uint64(0)
	for _, version := range h.Versions {
		if version.Number == 0 || version.Number <= last {
			return fmt.Sprintf("version %d after %d", version.Number, last)
		}
		last = version.Number
		for _, l := range version.Labels {
			if other, twice := labels[l]; twice {
				return fmt.Sprintf("versions %d and %d both hold the label %q", other, version.Number, l)
			}
			labels[l] = version.Number
		}
	}
	switch {
	case h.UID != uid:
		return "is the head of another secret"
	case last > h.Max:
		return fmt.Sprintf("version %d is beyond %d, the highest ever given", last, h.Max)
	case h.Current != 0 && h.Find(h.Current) != nil && labels[secret.LabelCurrent] != h.Current:
		return fmt.Sprintf("version %d is current, the label is on %d", h.Current, labels[secret.LabelCurrent])
	}
	return ""
}

// present says which version's bytes are missing, or "".
func (v *verifier) present(ctx context.Context, ns secret.NamespaceID, head *secret.Head) (string, error) {
	for _, version := range head.Versions {
		entries, _, err := v.d.engine.List(ctx, store.Query{Prefix: valueKey(ns, head.UID, version.Number), Limit: 1, KeysOnly: true})
		if err != nil {
			return "", storeError(err)
		}
		switch there := len(entries) > 0; {
		case !there && version.State != secret.Destroyed:
			return fmt.Sprintf("the bytes of version %d are missing", version.Number), nil
		case there && version.State == secret.Destroyed:
			return fmt.Sprintf("the bytes of version %d are there, though it was destroyed", version.Number), nil
		}
	}
	return "", nil
}

func (v *verifier) value(ctx context.Context, e store.Entry) (string, error) {
	rest, digits, ok := cutLast(e.Key)
	ns, uid, known := cutPlace(rest, valuePrefix)
	number, err := strconv.ParseUint(digits, 16, 64)
	if !ok || !known || err != nil {
		return "is no key of a version", nil //nolint:nilerr // what does not open is a finding, not a failure
	}
	key := headKey(ns, uid)
	heads, _, err := v.d.engine.Get(ctx, 0, key)
	if err != nil {
		return "", storeError(err)
	}
	if heads[0].Rev == 0 {
		return v.orphan(ctx, uid)
	}
	if v.last == nil || v.last.Key != key || v.last.Rev != heads[0].Rev || !bytes.Equal(v.last.Value, heads[0].Value) {
		head, wrong := v.openHead(ns, uid, heads[0])
		if wrong != "" {
			return "", nil // the head was named already, and nothing below it can be judged
		}
		v.last, v.lastHead = &heads[0], head
	}
	if v.lastHead.Find(number) == nil {
		return "belongs to no version that its head knows", nil
	}
	data, err := v.keys().OpenDataKey(v.d.place(dataKeyPlace, ns, string(uid), 0), v.lastHead.DataKey)
	if err != nil {
		return "", nil //nolint:nilerr // named at the head
	}
	plain, err := data.Open(v.d.place(valuePlace, ns, string(uid), number), e.Value)
	clear(plain)
	if err != nil {
		return unopened, nil //nolint:nilerr // what does not open is a finding, not a failure
	}
	return "", nil
}

// orphan says whether bytes without a head are waiting to be erased.
func (v *verifier) orphan(ctx context.Context, uid secret.UID) (string, error) {
	jobs, _, err := v.d.engine.Get(ctx, 0, recordPrefix+erasePrefix+string(uid))
	if err == nil && jobs[0].Rev == 0 {
		return "belongs to no secret", nil
	}
	return "", storeError(err)
}

// compare holds the heads against the log. Of each the last record counts; where a restore came after that, any record
// of before counts, for the snapshot was older than the log.
func (v *verifier) compare(ctx context.Context) error {
	restored := uint64(0)
	latest := map[secret.UID]string{}
	err := v.recorded(ctx, ^uint64(0), func(seq uint64, restore bool, uid secret.UID, cipher string) {
		if restore {
			restored = seq
			clear(latest)
			return
		}
		if _, ok := v.unsettled[uid]; ok {
			latest[uid] = cipher
		}
	})
	if err != nil {
		return err
	}
	for uid, cipher := range latest {
		p := v.unsettled[uid]
		if p.cipher == cipher {
			v.report.Compared++
			delete(v.unsettled, uid)
			continue
		}
		if err := v.disagrees(ctx, p); err != nil {
			return err
		}
		delete(v.unsettled, uid)
	}
	if restored > 0 && len(v.unsettled) > 0 {
		if err := v.before(ctx, restored); err != nil {
			return err
		}
	}
	for _, p := range v.unsettled {
		if restored > 0 && !p.seen {
			v.report.Unrecorded++
			continue
		}
		if err := v.disagrees(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// before settles what is as it was at some time before a restore.
func (v *verifier) before(ctx context.Context, restored uint64) error {
	return v.recorded(ctx, restored, func(_ uint64, restore bool, uid secret.UID, cipher string) {
		p, ok := v.unsettled[uid]
		switch {
		case restore || !ok:
		case p.cipher == cipher:
			v.report.Compared++
			delete(v.unsettled, uid)
		default:
			p.seen = true
			v.unsettled[uid] = p
		}
	})
}

// disagrees reports a head, unless it was changed while the store was read.
func (v *verifier) disagrees(ctx context.Context, p pending) error {
	now, _, err := v.d.engine.Get(ctx, 0, p.key)
	if err == nil && now[0].Rev != 0 && hash(now[0].Value) == p.cipher {
		v.damaged(p.key, "is not what the audit log says was stored last: an older state was put back, or the record was lost")
	}
	return storeError(err)
}

// recorded yields, of all records before one, which head was stored with which hash, and the restores.
func (v *verifier) recorded(ctx context.Context, before uint64, f func(seq uint64, restore bool, uid secret.UID, cipher string)) error {
	if err := v.d.outbox.settled(ctx); err != nil {
		return unavailable(err)
	}
	for e, err := range v.d.log.Events(ctx, 0) {
		if err != nil {
			return unavailable(err)
		}
		if e.Seq >= before {
			return nil
		}
		ev := &e.Event
		switch {
		case ev.Action == "restored" && ev.Kind == audit.Admin:
			f(e.Seq, true, "", "")
		case ev.What.UID != "" && isHash(ev.Cipher):
			f(e.Seq, false, secret.UID(ev.What.UID), ev.Cipher)
		}
		for _, l := range ev.Links { // a rotation seals many heads anew at once
			if _, uid, ok := cutPlace(l.Name, headPrefix); ok && isHash(l.Value) {
				f(e.Seq, false, uid, l.Value)
			}
		}
	}
	return nil
}

func isHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64
}

// cutPlace takes "NAMESPACE/UID" behind a prefix apart.
func cutPlace(key, prefix string) (secret.NamespaceID, secret.UID, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	ns, uid, more := strings.Cut(rest, "/")
	return secret.NamespaceID(ns), secret.UID(uid), ok && more && uid != "" && !strings.Contains(uid, "/")
}

func cutLast(key string) (rest, last string, ok bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", "", false
	}
	return key[:i], key[i+1:], true
}

// settled waits until what was committed before the call is in the log.
func (o *outbox) settled(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		o.mu.Lock()
		err := o.failed
		if n := len(o.waiting); n > 0 && last == "" {
			last = o.waiting[n-1].ID
		}
		done := !slices.ContainsFunc(o.waiting, func(r audit.OutboxRecord) bool { return r.ID == last })
		o.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
