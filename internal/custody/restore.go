package custody

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/seal/locked"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/snapshot"
	"github.com/keephold/keephold/internal/store"
)

// RestoreOptions say what a restore accepts and keeps.
type RestoreOptions struct {
	Force        bool // also a snapshot of another installation, or one whose keys are not those in use
	KeepSessions bool // tokens, leases, secret-ids and wrapped answers of the snapshot stay valid
}

// Restoration is one restore: made where it was permitted, loaded into an empty engine beside the store, and then put
// in the store's place by whoever owns the files. Close it.
type Restoration struct {
	opts  RestoreOptions
	event audit.Event
	now   func() time.Time

	// What is replaced. Zero where there was nothing.
	installation string
	epoch        uint64
	revision     store.Revision
	auditSize    uint64
	auditRoot    string

	root *locked.Buffer // nil where the keys are not at hand
	meta snapshot.Meta
}

// Restoration begins a restore on the caller's word, while the Desk serves.
func (d *Desk) Restoration(ctx context.Context, c auth.Caller, o RestoreOptions) (*Restoration, error) {
	resource := snapshotResource
	if o.Force {
		resource += "-force"
	}
	t, err := d.admit(ctx, c, record.Need{Action: "restore", Resource: resource, Capability: policy.Update}, what{})
	if err != nil {
		return nil, err
	}
	_, at, err := d.engine.Get(ctx, 0, epochKey)
	if err != nil {
		return nil, t.done(storeError(err))
	}
	size, root, err := d.log.Head(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	r := &Restoration{
		opts: o, event: t.event, now: d.now, installation: d.cfg.Installation, epoch: d.cfg.Epoch, revision: at,
		auditSize: size, auditRoot: hex.EncodeToString(root[:]),
	}
	if err := t.done(nil); err != nil {
		return nil, err
	}
	d.sealing.Lock()
	defer d.sealing.Unlock()
	if d.open.Load() == nil {
		return nil, secret.ErrSealed
	}
	r.root = locked.New(len(t.o.root.Bytes()))
	copy(r.root.Bytes(), t.o.root.Bytes())
	return r, nil
}

// NewRestoration begins a restore where no Desk is open, on the word of whoever owns the files. sealed is the Desk
// over what is to be replaced, or nil where there is nothing yet.
func NewRestoration(ctx context.Context, sealed *Desk, o RestoreOptions) (*Restoration, error) {
	r := &Restoration{opts: o, now: time.Now}
	r.event = audit.Event{
		Kind: audit.Admin, Action: "restore", Who: audit.Who{ID: "local", Method: "local"}, Decision: audit.Decision{Allowed: true},
		What: audit.What{Path: snapshotResource, Capability: policy.Update.String()},
	}
	if sealed == nil {
		return r, nil
	}
	_, at, err := sealed.engine.Get(ctx, 0, epochKey)
	if err != nil {
		return nil, storeError(err)
	}
	size, root, err := sealed.log.Head(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	r.now, r.installation, r.epoch, r.revision = sealed.now, sealed.cfg.Installation, sealed.cfg.Epoch, at
	r.auditSize, r.auditRoot = size, hex.EncodeToString(root[:])
	if _, err := sealed.SealConfig(ctx); errors.Is(err, secret.ErrNotInit) {
		r.installation = "" // made by a start and never used: nothing is lost
	}
	return r, nil
}

// Close forgets the key.
func (r *Restoration) Close() {
	if r.root != nil {
		r.root.Destroy()
	}
}

// Check says whether this restore takes a snapshot that describes itself so.
func (r *Restoration) Check(m snapshot.Meta) error {
	r.meta = m
	if r.installation != "" && m.Installation != r.installation && !r.opts.Force {
		return fmt.Errorf("%w: the snapshot is of installation %s, this is %s; nothing was changed (force replaces one by the other)",
			secret.ErrInvalid, m.Installation, r.installation)
	}
	return nil
}

// Load verifies the whole snapshot while it fills into, which is empty and nobody's. Only when it returns nil may into
// take the store's place; else it is good for nothing.
func (r *Restoration) Load(ctx context.Context, s *snapshot.Reader, into store.Engine) error {
	loader, ok := into.(store.Loader)
	if !ok {
		return fmt.Errorf("%w: this engine cannot be loaded", secret.ErrUnsupported)
	}
	at, entries, err := store.ReadExport(s)
	if err != nil {
		return refused(err)
	}
	if uint64(at) != s.Meta.Revision {
		return fmt.Errorf("%w: the snapshot's state is of revision %d, it says %d", secret.ErrInvalid, at, s.Meta.Revision)
	}
	var keyring []byte
	if err := loader.Load(ctx, max(at, r.revision)+1, r.kept(entries, &keyring)); err != nil {
		return refused(err)
	}
	digest, sealed, err := s.Finish()
	if err != nil {
		return err
	}
	p := &proof{Revision: s.Meta.Revision, Digest: digest, Sealed: sealed}
	proved, err := r.verify(keyring, p)
	if err != nil {
		return err
	}
	if proved {
		p = nil
	}
	ops, err := r.mark(p)
	if err != nil {
		return err
	}
	_, err = into.Apply(ctx, ops)
	return storeError(err)
}

// refused gives damage of the stream its sentinel; what the disk says stays what it is.
func refused(err error) error {
	if errors.Is(err, store.ErrCorrupt) && !errors.Is(err, secret.ErrInvalid) {
		return fmt.Errorf("%w: %w: %w", secret.ErrInvalid, snapshot.ErrDamaged, err)
	}
	return storeError(err)
}

// sessionKeys are the records that end with an epoch: tokens with all that hangs on them, secret-ids, wrapped answers.
var sessionKeys = []string{
	"tok/", "acc/", "les/", "exp/", "kid/", "gon/", "hol/", "cub/", "aps/", "apa/", wrapPrefix, wrapExpiryPrefix,
}

func isSession(key string) bool {
	name, ok := strings.CutPrefix(key, recordPrefix)
	if !ok {
		return false
	}
	for _, prefix := range sessionKeys {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// kept yields what the new store holds, and notes the keyring on its way.
func (r *Restoration) kept(entries iter.Seq2[store.Entry, error], keyring *[]byte) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && !r.opts.KeepSessions && isSession(e.Key) {
				continue
			}
			if e.Key == keyringKey {
				*keyring = e.Value
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// verify opens the snapshot's keyring with the root key in use and its seal with that keyring. Without the key at hand
// it is left to the first unseal, which refuses to serve if the seal does not open.
func (r *Restoration) verify(keyring []byte, p *proof) (proved bool, err error) {
	switch {
	case len(keyring) == 0:
		return false, fmt.Errorf("%w: the snapshot holds no keys: it is of an installation that was not initialized", secret.ErrInvalid)
	case r.root == nil:
		return false, nil
	}
	keys, err := barrier.OpenKeyring(r.root.Bytes(), r.meta.Installation, keyring)
	if err != nil {
		if r.opts.Force {
			return false, nil
		}
		return false, fmt.Errorf("%w: the snapshot was made under other keys, before a rekey; nothing was changed (force restores it, and it unseals with the shares of then)", secret.ErrInvalid)
	}
	defer keys.Wipe()
	return true, checkSeal(keys, r.meta.Installation, p)
}

// mark is what the new store says of its coming: the epoch, and the record that links the two logs. Both are part of
// the new store before it takes the old one's place, so no crash can leave it without them.
func (r *Restoration) mark(p *proof) ([]store.Op, error) {
	now := r.now()
	s := epochState{Epoch: r.meta.Epoch, Proof: p}
	if r.foreign() {
		s.Replaces = r.installation
	}
	if !r.opts.KeepSessions {
		// Not merely the next number: two restores of one snapshot on two machines shall not share an epoch.
		s.Epoch = max(r.epoch+1, r.meta.Epoch+1, uint64(now.Unix()))
	}
	epoch, err := s.op(nil)
	if err != nil {
		return nil, err
	}
	ev := r.event
	ev.ID, ev.Time, ev.Kind, ev.Part, ev.Parts = newEventID(now), now, audit.Admin, 0, 0
	ev.Action = "restored"
	ev.Links = []audit.Pair{
		{Name: "installation", Value: r.meta.Installation},
		{Name: "epoch", Value: strconv.FormatUint(s.Epoch, 10)},
		{Name: "snapshot-revision", Value: strconv.FormatUint(r.meta.Revision, 10)},
		{Name: "snapshot-audit-size", Value: strconv.FormatUint(r.meta.AuditSize, 10)},
		{Name: "snapshot-audit-root", Value: r.meta.AuditRoot},
		{Name: "replaced-installation", Value: r.installation},
		{Name: "replaced-revision", Value: strconv.FormatUint(uint64(r.revision), 10)},
		{Name: "replaced-audit-size", Value: strconv.FormatUint(r.auditSize, 10)},
		{Name: "replaced-audit-root", Value: r.auditRoot},
	}
	row := store.Op{Key: outPrefix + ev.ID, Value: ev.AppendJSON(nil), Expect: store.Expect(0)}
	return []store.Op{epoch, row}, nil
}

// foreign says that the snapshot is of another installation than the one it replaces, whose audit log it cannot continue.
func (r *Restoration) foreign() bool {
	return r.installation != "" && r.meta.Installation != r.installation
}

// Unseal opens d with the key that the Desk held on which the restore began. Where that key is not the snapshot's the
// Desk stays sealed.
func (r *Restoration) Unseal(ctx context.Context, d *Desk) error {
	if r.root == nil {
		return nil
	}
	d.sealing.Lock()
	defer d.sealing.Unlock()
	entries, _, err := d.engine.Get(ctx, 0, keyringKey)
	if err != nil {
		return storeError(err)
	}
	keys, err := barrier.OpenKeyring(r.root.Bytes(), d.cfg.Installation, entries[0].Value)
	if err != nil {
		return nil // restored by force, under other keys
	}
	keys.Wipe()
	key := append([]byte(nil), r.root.Bytes()...)
	return d.unlock(ctx, key)
}

// DrainOutbox brings the audit records that wait in a store, which nobody serves any more, into the log.
func DrainOutbox(ctx context.Context, e store.Engine, log *audit.Log) error {
	return (&outbox{engine: e, log: log}).recover(ctx)
}
